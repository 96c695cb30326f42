import inspect
import subprocess
import sys

import pytest

import qmf


@pytest.mark.parametrize("name", qmf.__all__)
def test_every_public_name_exists_and_is_documented(name):
    thing = getattr(qmf, name)
    assert inspect.getdoc(thing)
    if inspect.isfunction(thing):
        assert "Parameters" in inspect.getdoc(thing)
        assert "Returns" in inspect.getdoc(thing)


@pytest.mark.parametrize("kind", [qmf.QMFClassifier, qmf.QualityAwareFusion, qmf.PostHocFusion, qmf.LossHistory])
def test_every_public_method_is_documented(kind):
    for name, method in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_") and method.__module__.startswith("qmf."):
            assert inspect.getdoc(method), f"{kind.__name__}.{name}"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'papre'"):
        _ = qmf.papre


def test_import_alone_loads_nothing_heavy():
    heavy = "{'torch', 'numpy', 'sklearn', 'polars', 'transformers', 'kornia'}"
    code = f"import sys, qmf; assert not {heavy} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
