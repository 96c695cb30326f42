"""A local Ray cluster of two workers, one of which is killed: the same results as without."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from qmf.benchmark.recipe import load_recipe
from qmf.benchmark.runner import run_benchmark
from qmf.errors import DataError, RunError
from qmf.scaleout import cluster, in_order, in_order_of_ending

ray = pytest.importorskip("ray")

CONFIG = """
data: {train: train.csv, label: y, id: id, modalities: {a: {columns: "a*"}, b: {columns: "b*"}}}
model: {hidden: 8}
training: {epochs: 2}
"""
RECIPE = "title: small\ndata: {train: d.npz, label: y, modalities: {a: {}, b: {}}}\nbudget: {epochs: 5, hidden: 8}\n"


@pytest.fixture(scope="module")
def two_workers():
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    here = ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 << 20)
    yield here.address_info["gcs_address"]
    ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ray")
    rng = np.random.default_rng(0)
    y = np.arange(25_000) % 3
    columns = {f"{m}{j}": rng.normal(y, 1 + j).astype(np.float32) for m in "ab" for j in range(3)}
    table = pl.DataFrame({"id": [f"s{i}" for i in range(len(y))], "y": y, **columns})
    table.write_parquet(folder / "test.parquet")
    table.head(300).write_csv(folder / "train.csv")
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "small.yaml").write_text(RECIPE)
    y = y[:240]
    np.savez(folder / "d.npz", a=rng.normal(y[:, None], 1, (240, 4)), b=rng.normal(y[:, None], 2, (240, 3)), y=y)
    assert command(folder, "fit", "config.yaml", "-o", "model", "-q").wait(120) == 0
    return folder


def command(folder, *arguments, address=None):
    environment = os.environ | ({"RAY_ADDRESS": address} if address else {})
    line = [sys.executable, "-m", "qmf", *arguments]
    return subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def busy_workers():
    """Processes of the cluster that this process started, and in which a task runs."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::_apply"):
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                grandparent = (Path("/proc") / parent / "stat").read_text().rpartition(")")[2].split()[1]
                found += [int(entry.name)] if int(grandparent) == os.getpid() else []
        except OSError:
            continue  # it has ended meanwhile
    return found


def kill_one_until(done):
    """Kill a worker at work, once; give which."""
    killed = 0
    while not done():
        workers = [] if killed else busy_workers()
        if workers:
            killed = workers[0]
            os.kill(killed, signal.SIGKILL)
        time.sleep(0.02)
    return killed


def test_results_are_in_order_though_a_worker_dies(two_workers, tmp_path):
    def doubled(i):
        if i == 7 and not (tmp_path / "died").exists():
            (tmp_path / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05 if i % 2 == 0 else 0)
        return 2 * i

    with cluster() as cores:
        assert cores == 2
        assert list(in_order(doubled, range(20), ahead=cores)) == list(range(0, 40, 2))
    assert (tmp_path / "died").exists()
    assert ray.is_initialized()  # a cluster that was there before stays


def test_items_are_taken_only_a_few_ahead(two_workers):
    taken = []
    results = in_order(lambda i: i, (taken.append(i) or i for i in range(50)), ahead=2)
    assert next(results) == 0
    assert len(taken) == 4


def test_an_error_arrives_as_it_was_raised(two_workers):
    def refuse(i):
        if i == 2:
            raise DataError("row 2 is odd")
        return i

    results = in_order(refuse, range(9), ahead=1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(DataError) as caught:
        next(results)
    assert str(caught.value) == "row 2 is odd"
    ended = dict(in_order_of_ending(refuse, [1, 2], environment={}))
    assert ended[1] is None
    assert isinstance(ended[2], DataError)


def test_a_task_that_always_kills_its_process_is_given_up(two_workers):
    with pytest.raises(RunError, match="lost"):
        list(in_order(lambda _: os.kill(os.getpid(), signal.SIGKILL), [0], ahead=1))


def test_predict_gives_the_same_file_though_a_worker_dies(two_workers, folder):
    alone = command(folder, "predict", "model", "test.parquet", "-o", "alone.parquet")
    assert alone.wait(120) == 0
    spread = command(
        folder, "predict", "model", "test.parquet", "-o", "ray.parquet", "--engine", "ray", address=two_workers
    )
    assert kill_one_until(lambda: spread.poll() is not None)
    assert spread.returncode == 0, spread.stderr.read()
    assert (folder / "ray.parquet").read_bytes() == (folder / "alone.parquet").read_bytes()
    assert len(pl.read_parquet(folder / "ray.parquet")) == 25_000


def test_benchmark_gives_the_same_cells_though_a_worker_dies(two_workers, folder):
    recipe, chosen = load_recipe(str(folder / "small.yaml")), {"methods": ["paper", "static"], "seeds": [0]}
    run_benchmark(recipe, folder / "alone", **chosen)
    with ThreadPoolExecutor(1) as pool:
        spread = pool.submit(run_benchmark, recipe, folder / "ray", engine="ray", **chosen)
        assert kill_one_until(spread.done)
        assert len(spread.result()) == 2 * 14  # methods, conditions
    frames = [pl.read_parquet(folder / name / "results.parquet").drop("seconds") for name in ("alone", "ray")]
    assert frames[0].fill_nan(None).equals(frames[1].fill_nan(None))
