"""Memory of `qmf fit` on many samples in shards beside a tenth of them: two processes, in turn.

Two vector modalities of 64 columns each. What counts is the memory that the process itself holds at its peak (RssAnon
of /proc, read twenty times a second): pages of the mapped files can be dropped at any time. Prints the ratio of the
peaks, both, and the size of the data.

    python benchmarks/fitting_memory.py [--rows 1000000]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

BLOCK, WIDTH = 20_000, 64
CONFIG = """
data: {{train: s{rows}, label: y, id: id, modalities: {{a: {{columns: a}}, b: {{columns: b}}}}}}
model: {{hidden: 16}}
training: {{epochs: 1, batch_size: 1024}}
"""


def write_shards(folder: Path, rows: int) -> None:
    folder.mkdir()
    kind = pl.Array(pl.Float32, WIDTH)
    for first in range(0, rows, BLOCK):
        n = min(BLOCK, rows - first)
        rng, y = np.random.default_rng(first), np.arange(first, first + n) % 3
        vectors = {m: rng.normal(y[:, None], 4.0, (n, WIDTH)).astype(np.float32) for m in "ab"}
        series = [pl.Series(m, x, dtype=kind) for m, x in vectors.items()]
        frame = pl.DataFrame([pl.Series("y", y), *series, pl.Series("id", [f"sample-{first + i}" for i in range(n)])])
        frame.write_parquet(folder / f"{first:012d}.parquet")


def peak_megabytes(folder: Path, rows: int) -> float:
    """Fit so many rows; give the peak of the memory that is the process's own."""
    write_shards(folder / f"s{rows}", rows)
    (folder / f"{rows}.yaml").write_text(CONFIG.format(rows=rows))
    line = [sys.executable, "-m", "qmf", "fit", f"{rows}.yaml", "-o", f"m{rows}", "-q"]
    process, peak = subprocess.Popen(line, cwd=folder, stderr=subprocess.DEVNULL), 0
    while process.poll() is None:
        peak = max(peak, own_kilobytes(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"qmf fit ended with {process.returncode}")
    return peak / 1024


def own_kilobytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows: int = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        small, large = peak_megabytes(Path(name), rows // 10), peak_megabytes(Path(name), rows)
    size = rows * 2 * WIDTH * 4 / 1e6
    print(
        f"{rows:,} rows ({size:.0f} MB of vectors) over {rows // 10:,}: {large / small:.2f} of the memory"
        f" ({large:.0f} MB, {small:.0f} MB)"
    )


if __name__ == "__main__":
    main()
