"""Draw every corruption and write its tables: ``docs/images/corruptions-*.png`` and ``docs/corruptions.md``.

Run ``python scripts/draw_corruptions.py`` from the root of the repository after a change in ``qmf.corruptions``.
Needs ``qmf[report]`` and Pillow. The pictures come from a scene drawn here, the text between the marks in
``docs/corruptions.md`` from the registry.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmf.corruptions import CORRUPTIONS, DEVELOPMENT, KINDS, Corruption, corrupt

DOCS = Path(__file__).resolve().parent.parent / "docs"
BEGIN, END = "<!-- begin: scripts/draw_corruptions.py -->", "<!-- end: scripts/draw_corruptions.py -->"
SIDE, FINER = 96, 4
SAMPLE_RATE = 16000
KNOWN: dict[str, dict[str, Any]] = {
    "image": {},
    "depth": {},
    "text": {},
    "audio": {"sample_rate": SAMPLE_RATE},
    "vector": {"scale": np.ones(48), "center": np.zeros(48)},
}


def scene() -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Give a picture ``[96, 96, 3]`` and its depth map ``[96, 96]`` in millimetres; the sky has no depth."""
    from PIL import Image, ImageDraw

    size = SIDE * FINER
    rows = np.linspace(0, 1, size)[:, None, None]
    sky = np.array([90, 150, 220]) * (1 - rows) + np.array([215, 230, 245]) * rows
    picture = Image.fromarray(np.broadcast_to(sky, (size, size, 3)).astype(np.uint8))
    far = np.zeros((size, size), np.float32)
    ground = np.arange(size) >= 0.62 * size
    far[ground] = (2500 / (np.linspace(0.35, 1.0, int(ground.sum()))))[:, None]
    depth = Image.fromarray(far)
    colours, distances = ImageDraw.Draw(picture), ImageDraw.Draw(depth)

    def shape(kind: str, points: list[float], colour: str, distance: float | None) -> None:
        scaled = [size * p for p in points]
        getattr(colours, kind)(scaled, fill=colour)
        if distance is not None:
            getattr(distances, kind)(scaled, fill=distance)

    shape("rectangle", [0, 0.62, 1, 1], "#5c8f3c", None)
    shape("polygon", [0.42, 1, 0.5, 0.66, 0.58, 0.66, 0.8, 1], "#c9b28a", None)
    shape("ellipse", [0.74, 0.06, 0.92, 0.24], "#ffd84a", None)
    shape("rectangle", [0.3, 0.4, 0.72, 0.72], "#b5523b", 5200)
    shape("polygon", [0.25, 0.41, 0.51, 0.2, 0.77, 0.41], "#5b3a2e", 5000)
    shape("rectangle", [0.47, 0.54, 0.57, 0.72], "#3b2a20", 5300)
    for left in (0.35, 0.61):
        shape("rectangle", [left, 0.47, left + 0.07, 0.56], "#f6f1c7", 5300)
    shape("rectangle", [0.12, 0.5, 0.17, 0.84], "#6b4a2b", 3200)
    shape("ellipse", [0.01, 0.2, 0.29, 0.58], "#2f6b35", 3000)
    shape("rectangle", [0.79, 0.66, 0.97, 0.8], "#ffffff", 3600)
    shape("rectangle", [0.865, 0.8, 0.895, 0.92], "#555555", 3600)
    for top in (0.69, 0.73, 0.77):
        shape("rectangle", [0.82, top, 0.94, top + 0.012], "#222222", None)
    small = picture.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small), np.asarray(depth)[::FINER, ::FINER].astype(np.uint16)


def examples() -> dict[str, Any]:
    """Give one clean value of each kind."""
    picture, depth = scene()
    t = np.arange(SAMPLE_RATE // 4) / SAMPLE_RATE
    loudness = np.sin(np.pi * t / t[-1]) ** 0.5 * (0.4 + 0.6 * np.sin(2 * np.pi * 9 * t) ** 2)
    tone = np.sin(2 * np.pi * 70 * t) + 0.5 * np.sin(2 * np.pi * 1100 * t) + 0.4 * np.sin(2 * np.pi * 3100 * t)
    return {
        "image": picture,
        "depth": depth,
        "text": "Grilled clams with lemon, 10 modern soups and Old Harbour rolls",
        "audio": (0.5 * loudness * tone).astype(np.float32),
        "vector": np.sin(np.arange(48) / 5.0),
    }


def of_kind(kind: str) -> list[Corruption]:
    """Give the corruptions that fit a kind, in the order of the registry."""
    return [corruption for corruption in CORRUPTIONS.values() if kind in corruption.kinds]


def show(kind: str, value: Any, name: str, severity: int) -> Any:
    """Corrupt an example."""
    return corrupt(value, name, severity, kind=kind, seed=0, sample_id="1", modality=kind, **KNOWN[kind])


def draw_cell(kind: str, axes: Any, value: Any) -> None:
    """Draw one value into a Matplotlib axes without ticks."""
    if kind == "image":
        axes.imshow(value, interpolation="nearest")
    elif kind == "depth":
        axes.imshow(np.where(value > 0, value.astype(float), np.nan), vmin=1500, vmax=7500, interpolation="nearest")
        axes.set_facecolor("black")
    else:
        axes.plot(value, linewidth=0.4 if kind == "audio" else 0.9)
        axes.set_ylim((-1.2, 1.2) if kind == "audio" else (-5, 5))
    axes.set_xticks([])
    axes.set_yticks([])


def draw(kind: str, clean: Any, file: Path) -> None:
    """Draw the grid of a kind: a row for each corruption, the clean value and severities 1 to 5 as columns."""
    import matplotlib as mpl
    from PIL import Image

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    corruptions, square = of_kind(kind), kind in ("image", "depth")
    width, height = (0.96, 0.96) if square else (1.5, 0.8)
    count, label, head, gap = len(corruptions), 1.55, 0.3, 0.05
    across, down = label + 6 * (width + gap), head + count * (height + gap)
    figure = plt.figure(figsize=(across, down), dpi=100)
    for i, corruption in enumerate(corruptions):
        bottom = (count - 1 - i) * (height + gap) + gap
        name = corruption.name.replace("_and_", "_and\n_") if len(corruption.name) > 16 else corruption.name
        figure.text(0.08, bottom + height / 2, name, va="center", fontsize=9, transform=figure.dpi_scale_trans)
        for j in range(6):
            left = label + j * (width + gap)
            axes = figure.add_axes((left / across, bottom / down, width / across, height / down))
            draw_cell(kind, axes, show(kind, clean, corruption.name, j) if j else clean)
            if i == 0:
                axes.set_title(f"severity {j}" if j else "clean", fontsize=9, pad=4)
    buffer = io.BytesIO()
    figure.savefig(buffer)
    plt.close(figure)
    Image.open(buffer).convert("RGB").save(file, optimize=True)


def tables(text: str) -> str:
    """Give the part of ``docs/corruptions.md`` that the registry says, with `text` as the example of text."""
    parts: list[str] = []
    for kind in KINDS:
        parts += [f"### {kind.capitalize()}", "", "| corruption | parameter | 1 | 2 | 3 | 4 | 5 | unit | source |"]
        parts += ["|---|---|---|---|---|---|---|---|---|"]
        for corruption in of_kind(kind):
            parts += table_rows(corruption)
        parts += [""]
        if kind == "text":
            parts += ["At severity 3:", "", "| corruption | result |", "|---|---|", f"| clean | {text} |"]
            parts += [f"| `{c.name}` | {show('text', text, c.name, 3)} |" for c in of_kind("text")] + [""]
        else:
            parts += [
                f"![Clean and severities 1 to 5 of each corruption of kind {kind}](images/corruptions-{kind}.png)",
                "",
            ]
    return "\n".join(parts)


def table_rows(corruption: Corruption) -> list[str]:
    """Give a row for each parameter of a corruption."""
    name = f"`{corruption.name}`" + (" *" if corruption.name in DEVELOPMENT else "")
    if not corruption.parameters:
        return [f"| {name} | none | | | | | | the same at each severity | {corruption.source} |"]
    return [
        f"| {name} | `{p}` | {' | '.join(f'{v:g}' for v in given.values)} | {given.unit} | {corruption.source} |"
        for p, given in corruption.parameters.items()
    ]


def written(page: str, generated: str) -> str:
    """Give a page with what stands between its marks replaced."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{generated}{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the pictures and the tables."""
    clean = examples()
    page = DOCS / "corruptions.md"
    page.write_text(written(page.read_text("utf-8"), tables(clean["text"])), "utf-8")
    for kind in KINDS:
        if kind != "text":
            file = DOCS / "images" / f"corruptions-{kind}.png"
            draw(kind, clean[kind], file)
            print(f"{file.relative_to(DOCS.parent)}: {file.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
