import re
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from qmf.errors import MissingDependencyError
from qmf.report import (
    Comparison,
    Condition,
    Distrusted,
    comparison_table,
    render_comparison,
    require_report_packages,
    write_comparison,
)

NAN = float("nan")


def condition(name, dynamic, static, *, damaged=True, r=-0.5, views=("image", "text")):
    weight = dict.fromkeys(views, 0.2 if damaged else NAN)
    return Condition(
        name=name,
        description=f"What happens in {name}.",
        accuracy={"QMF": dynamic, "static": static},
        unimodal_accuracy=dict.fromkeys(views, 0.7125),
        weight_clean=dict.fromkeys(views, 0.8),
        weight_corrupted=weight,
        weight_loss_correlation=dict.fromkeys(views, r),
    )


def comparison(*conditions, views=("image", "text")):
    rng = np.random.default_rng(0)
    return Comparison(
        title="Did it help?",
        dataset="Toy",
        num_train=100,
        num_test=1000,
        classes=("cat", "dog"),
        methods=("QMF", "static"),
        modalities=views,
        conditions=conditions
        or (condition("clean", 0.9, 0.9, damaged=False), condition("noise", 0.8, 0.7, views=views)),
        weight_samples={name: (rng.random(50), rng.random(50)) for name in views},
        distrusted=(Distrusted("s-17", "cat", "dog", views[0], -0.25, 0.9, True),),
        settings={"seed": "0"},
    )


@pytest.mark.parametrize(
    ("dynamic", "words", "tone"),
    [
        (0.80, "QMF helped here", "help"),
        (0.70, "QMF did not help here", "none"),
        (0.60, "QMF made it worse here", "harm"),
    ],
)
def test_first_screen_answers_from_the_numbers(dynamic, words, tone):
    page = render_comparison(comparison(condition("noise", dynamic, 0.70)))
    assert words in page
    assert f'class="verdict {tone}"' in page


def test_a_broken_guarantee_is_said_and_where():
    page = render_comparison(comparison(condition("clean", 0.9, 0.9), condition("noise", 0.8, 0.7, r=0.6)))
    assert "guarantee does not hold in 1 of 2 conditions: noise" in " ".join(page.split())
    assert "+0.60" in page


def test_numbers_and_samples_appear():
    page = render_comparison(comparison())
    for text in ("71.2", "s-17", "−0.25", "90.0 %", "1,000 test samples"):
        assert text in page, text


def test_every_text_is_escaped():
    views = ("<script>alert(1)</script>", "a&b")
    page = render_comparison(comparison(condition("<b>x</b>", 0.9, 0.8, views=views), views=views))
    assert "<script" not in page
    assert "<b>x</b>" not in page
    assert "&lt;script&gt;" in page


def test_needs_nothing_from_outside_and_stays_small():
    page = render_comparison(comparison())
    outside = [target for target in re.findall(r'(?:src|href)="([^"]*)"', page) if not target.startswith("#")]
    assert outside == []
    assert "url(http" not in page
    assert "<script" not in page
    assert len(page) < 1_000_000


def test_ids_are_unique_so_that_drawings_do_not_mix():
    ids = re.findall(r'\bid="([^"]+)"', render_comparison(comparison()))
    assert ids
    assert len(ids) == len(set(ids))


def test_same_comparison_same_page(tmp_path):
    write_comparison(comparison(), tmp_path / "deep" / "a.html")
    write_comparison(comparison(), tmp_path / "deep" / "b.html")
    assert (tmp_path / "deep" / "a.html").read_bytes() == (tmp_path / "deep" / "b.html").read_bytes()


def test_nothing_measured_is_no_crash():
    bare = replace(comparison(condition("clean", NAN, NAN, damaged=False, r=NAN)), weight_samples={}, distrusted=())
    page = render_comparison(bare)
    assert "Nothing to compare" in page


def test_table_for_the_terminal():
    console = Console(record=True, width=120)
    console.print(comparison_table(comparison()))
    text = console.export_text()
    for words in ("90.0 %", "80.0 %", "image", "QMF helped"):
        assert words in text, words


def test_missing_packages_are_named_with_the_cure(monkeypatch):
    monkeypatch.setattr("qmf.report.dependencies.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=re.escape('pip install "qmf[report]"')):
        require_report_packages()
