"""What holds for every registered corruption."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import qmf.corruptions
from qmf.corruptions import CORRUPTIONS, DEVELOPMENT, EVALUATION_SUITE, KINDS, SEVERITIES, corrupt
from qmf.corruptions.apply import OPENERS

PAIRS = [(name, kind) for name, c in CORRUPTIONS.items() for kind in sorted(c.kinds)]
every = pytest.mark.parametrize(("name", "kind"), PAIRS)


def run(example, known, name, kind, severity, i=0, seed=0, sample=None):
    who = {"seed": seed, "sample_id": sample or f"s{i}", "modality": "m"}
    return corrupt(example(kind, i), name, severity, kind=kind, **who, **known[kind])


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def damage(clean, corrupted):
    if isinstance(clean, str):
        return levenshtein(clean.split(), corrupted.split())
    return float(np.abs(clean.astype(float) - corrupted.astype(float)).mean())


@every
def test_type_shape_and_input_are_kept(example, known, name, kind):
    for severity in SEVERITIES:
        clean, before = example(kind), example(kind)
        if not isinstance(clean, str):
            clean.flags.writeable = False
        result = corrupt(clean, name, severity, kind=kind, seed=0, sample_id="a", modality="m", **known[kind])
        assert type(result) is type(clean)
        if not isinstance(clean, str):
            assert (result.dtype, result.shape) == (clean.dtype, clean.shape)
            assert not np.shares_memory(result, clean)
            np.testing.assert_array_equal(clean, before)


@every
def test_damage_never_falls_with_severity(example, known, name, kind):
    damages = [
        np.mean([damage(example(kind, i), run(example, known, name, kind, severity, i)) for i in range(12)])
        for severity in SEVERITIES
    ]
    assert damages[0] >= 0
    assert damages[-1] > 0
    assert all(later >= earlier for earlier, later in pairwise(damages)), damages


@every
def test_severity_is_its_raw_parameters(example, known, name, kind):
    raw = CORRUPTIONS[name].severities[2]
    direct = corrupt(example(kind), name, kind=kind, seed=0, sample_id="s0", modality="m", **known[kind], **raw)
    np.testing.assert_array_equal(direct, run(example, known, name, kind, 3))


def draws_from_generator(example, known, name, kind):
    corruption, rng = CORRUPTIONS[name], np.random.default_rng(0)
    opened, _ = OPENERS[kind](example(kind), "here")
    corruption.function(
        opened, rng, **{need: known[kind][need] for need in corruption.needs}, **corruption.severities[3]
    )
    return rng.bit_generator.state != np.random.default_rng(0).bit_generator.state


@every
def test_copy_depends_on_seed_and_sample_only_if_it_draws(example, known, name, kind):
    once = run(example, known, name, kind, 4)
    np.testing.assert_array_equal(once, run(example, known, name, kind, 4))
    other_sample = run(example, known, name, kind, 4, sample="other")
    other_seed = run(example, known, name, kind, 4, seed=1)
    draws = draws_from_generator(example, known, name, kind)
    assert np.array_equal(once, other_seed) is not draws
    assert np.array_equal(once, other_sample) is not (draws and not CORRUPTIONS[name].per_sensor)


def fingerprint(example, known):
    total = hashlib.sha256()
    for name, kind in PAIRS:
        who = {"seed": 3, "sample_id": "x", "modality": "m"}
        result = corrupt(example(kind), name, 3, kind=kind, **who, **known[kind])
        total.update(result.encode() if isinstance(result, str) else result.tobytes())
    return total.hexdigest()


def test_another_process_makes_the_same_copies(example, known):
    code = "import conftest as c, test_corruptions_all as t; print(t.fingerprint(c.make_value, c.KNOWN))"
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here, check=True)
    assert done.stdout.strip() == fingerprint(example, known)


def test_import_is_light():
    code = "import sys, qmf.corruptions; print([m for m in ('torch', 'PIL', 'scipy', 'kornia') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tables_are_whole():
    for name, corruption in CORRUPTIONS.items():
        assert corruption.name == name == corruption.function.__name__
        assert corruption.kinds <= set(KINDS)
        assert len(corruption.severities) == 5
        for raw in corruption.severities:
            assert corruption.resolve(None, raw) == raw


def test_evaluation_suite_is_all_but_development():
    for kind in KINDS:
        names = {name for name, _ in EVALUATION_SUITE[kind]}
        assert names
        assert names.isdisjoint(DEVELOPMENT)
        assert names | DEVELOPMENT >= {name for name, c in CORRUPTIONS.items() if kind in c.kinds}
        assert all(set(severities) <= set(SEVERITIES) for _, severities in EVALUATION_SUITE[kind])
    assert set(CORRUPTIONS) > DEVELOPMENT


def test_public_names_are_documented_and_only_lower_floors_are_imported():
    for name in qmf.corruptions.__all__:
        if callable(getattr(qmf.corruptions, name)):
            assert getattr(qmf.corruptions, name).__doc__
    for file in Path(qmf.corruptions.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qmf"):
                assert node.module.split(".")[1] in {"corruptions", "errors", "randomness"}
