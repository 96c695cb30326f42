"""The demonstration on the embedded data, end to end."""

import json
import subprocess
import sys


def test_demo_trains_compares_and_writes_one_page(tmp_path):
    command = [sys.executable, "-m", "qmf", "demo", "-o", str(tmp_path / "out"), "--seed", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    clean, *damaged = result["conditions"]
    assert clean["accuracy"]["QMF"] >= 0.97
    assert clean["accuracy"]["QMF"] >= clean["accuracy"]["static fusion"] - 0.01
    assert len(damaged) >= 4
    assert all(None not in condition["weight_corrupted"].values() for condition in damaged)
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000
    assert "mean weight" in done.stderr
