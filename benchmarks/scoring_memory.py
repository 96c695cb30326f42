"""Peak memory of `qmf predict` on a large Parquet file beside one a tenth of its size: two processes, in turn.

Two vector modalities of 8 columns each. Prints the ratio of the peaks, and both; exits with 1 where the larger is 1.5
GB or more, or a row was lost.

    python benchmarks/scoring_memory.py [--rows 10000000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

BLOCK, WIDTH, LIMIT = 100_000, 8, 1500
CONFIG = """
data: {train: train.parquet, label: y, id: id, modalities: {a: {columns: "a*"}, b: {columns: "b*"}}}
model: {hidden: 16}
training: {epochs: 2}
"""
# The peak of the process that was waited for: each command has its own.
PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "qmf", *sys.argv[1:]], check=True, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def block(first: int, rows: int) -> pl.DataFrame:
    rng, y = np.random.default_rng(first), np.arange(first, first + rows) % 3
    numbers = {f"{m}{j}": rng.normal(y, 1.0, rows).astype(np.float32) for m in "ab" for j in range(WIDTH)}
    return pl.DataFrame({"y": y, **numbers, "id": [f"sample-{row}" for row in range(first, first + rows)]})


def write(path: Path, rows: int) -> None:
    """Write a file block by block: shards first, then one file of them."""
    shards = path.with_suffix("")
    shards.mkdir()
    for first in range(0, rows, BLOCK):
        block(first, min(BLOCK, rows - first)).write_parquet(shards / f"{first:012d}.parquet")
    pl.scan_parquet(shards / "*.parquet").sink_parquet(path, row_group_size=BLOCK)


def peak_megabytes(folder: Path, rows: int) -> float:
    """Predict so many rows; give the peak memory."""
    write(folder / f"{rows}.parquet", rows)
    line = [sys.executable, "-c", PEAK, "predict", "model", f"{rows}.parquet", "-o", f"{rows}-out.parquet"]
    done = subprocess.run(line, cwd=folder, check=True, capture_output=True, text=True)
    written = pl.scan_parquet(folder / f"{rows}-out.parquet").select(pl.len()).collect().item()
    if written != rows:
        raise SystemExit(f"{written} rows out of {rows}")
    return int(done.stdout) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    rows: int = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        block(0, 3000).write_parquet(folder / "train.parquet")
        (folder / "config.yaml").write_text(CONFIG)
        line = [sys.executable, "-m", "qmf", "fit", "config.yaml", "-o", "model", "-q"]
        subprocess.run(line, cwd=folder, check=True, stderr=subprocess.DEVNULL)
        small, large = peak_megabytes(folder, rows // 10), peak_megabytes(folder, rows)
    print(f"{rows:,} rows over {rows // 10:,}: {large / small:.2f} of the memory ({large:.0f} MB, {small:.0f} MB)")
    sys.exit(large >= LIMIT)


if __name__ == "__main__":
    main()
