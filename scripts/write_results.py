"""Write the tables of finished benchmarks into docs/results.md, between its two markers.

python scripts/write_results.py FOLDER...     each a folder of `qmf benchmark`; `make results` makes them first
"""

from __future__ import annotations

import sys
from pathlib import Path

from qmf.benchmark.statistics import ORACLE
from qmf.benchmark.summary import Summary, accuracy_rows, load_summary, markdown_table, settings_of
from qmf.files import atomic_write_text

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
BEGIN, END = "<!-- begin of the generated tables -->", "<!-- end of the generated tables -->"


def main() -> None:
    """Write the page."""
    folders = [Path(name) for name in sys.argv[1:]]
    if not folders:
        sys.exit(__doc__)
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    sections = "\n".join(section(load_summary(folder)) for folder in folders)
    atomic_write_text(PAGE, f"{before}\n\n{sections}\n{after}")


def section(summary: Summary) -> str:
    """Give all tables of one benchmark."""
    env, seeds = summary.environment, summary.suite.seeds
    name, n = env["recipe"], len(seeds)
    command = f"qmf benchmark {name} --seeds {min(seeds)}-{max(seeds)}"
    lines = [
        f"## {env['title']}",
        "",
        f"`{command}`, {env['date']}, {env['machine']}; {env['num_train']} training and {env['num_test']} test samples,"
        f" {n} seeds. Accuracy in %; each situation is the mean over seeds.",
        "",
        f"{settings(summary)}.",
        "",
    ]
    if env["note"]:
        lines += [env["note"], ""]
    lines += [markdown_table(*accuracy_rows(summary))]
    return "\n".join([*lines, *beside_the_suite(summary), *correlations(summary), *published(summary), ""])


def settings(summary: Summary) -> str:
    """Give what all methods were given, and what single ones were."""
    given = settings_of(summary.rows)
    shared = given.pop("settings")
    return "; ".join([f"Settings: {shared}", *(f"{title}: {text}" for title, text in given.items())])


def beside_the_suite(summary: Summary) -> list[str]:
    """Give situations that the mean does not count: conflicting views, each modality alone or missing."""
    scores = summary.everything
    names = [name for name in scores.conditions if name not in summary.suite.conditions]
    if not names:
        return []
    rows = []
    for s in summary.standings:
        mean = scores.of(s.method).mean(axis=1)
        rows.append([s.title, *(f"{100 * mean[scores.conditions.index(name)]:.1f}" for name in names)])
    return ["Beside the suite:", "", markdown_table(["method", *names], rows)]


def correlations(summary: Summary) -> list[str]:
    """Give r(weight, loss) by modality: above 0 in a situation, the weights make things worse there."""
    modalities = summary.environment["modalities"]
    rows = []
    for s in summary.standings:
        cells = [row for row in summary.rows if row["method"] == s.method and row["in_suite"]]
        values = []
        for m in modalities:
            of = [(row["condition"], row.get(f"correlation:{m}")) for row in cells]
            known = [(condition, r) for condition, r in of if r is not None]
            if not known or s.method == ORACLE:
                break
            by = {c: sum(r for d, r in known if d == c) / sum(d == c for d, _ in known) for c, _ in known}
            values.append(f"{by['clean']:+.2f}, at worst {max(by.values()):+.2f}" if "clean" in by else "")
        if len(values) == len(modalities) and any(values):
            rows.append([s.title, *values])
    head = "r(weight, loss) of each modality, clean and in the worst situation (the theory asks for at most 0):"
    return [head, "", markdown_table(["method", *modalities], rows)] if rows else []


def published(summary: Summary) -> list[str]:
    """Give the table of what papers report."""
    found = summary.published
    if found is None:
        return []
    rows = [[f"{name} (published)", *(f"{v:.2f}" for v in values)] for name, values in found.rows.items()]
    text = f"Published, not ours. Source: {found.source}. What differs: {found.differs}."
    return [text, "", markdown_table(["method", *found.columns], rows)]


if __name__ == "__main__":
    main()
