"""A model folder that is only asked answers as the classifier, and takes less to start."""

import subprocess
import sys

import numpy as np
import pytest

from qmf import QMFClassifier
from qmf.errors import ModelFolderError
from qmf.loaded import LoadedClassifier


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(0)
    y = np.repeat(["left", "right"], 60)
    x = {name: rng.normal((y == "left")[:, None], 1.0, (120, d)) for name, d in (("a", 3), ("b", 4))}
    path = tmp_path_factory.mktemp("model") / "model"
    QMFClassifier(epochs=3, hidden=8, validation_fraction=0.5, random_state=0).fit(x, y).save(path)
    return path


def test_it_answers_as_the_classifier(folder):
    x = {"a": np.random.default_rng(1).normal(size=(9, 3)), "b": [None] * 9}
    given, wanted = LoadedClassifier(folder).predict_full(x), QMFClassifier.load(folder).predict_full(x)
    assert given.labels.tolist() == wanted.labels.tolist()
    for name in ("probabilities", "weights", "uncertainty", "unimodal_probabilities"):
        np.testing.assert_array_equal(getattr(given, name), getattr(wanted, name))


def test_neither_scikit_learn_nor_training_is_imported(folder, tmp_path):
    (tmp_path / "one.csv").write_text("a0,a1,a2,b0,b1,b2,b3\n" + ",".join(["0.5"] * 7) + "\n")
    code = f"""
import sys
from qmf.data import DataSchema, ModalityColumns, read_parts
from qmf.loaded import LoadedClassifier
schema = DataSchema({{"a": ModalityColumns(("a*",)), "b": ModalityColumns(("b*",))}}, None, None)
(part,) = read_parts({str(tmp_path / "one.csv")!r}, schema, 10)
print(LoadedClassifier({str(folder)!r}).predict(part))
assert not {{"sklearn", "accelerate", "transformers"}} & set(sys.modules), sorted(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_is_none_is_an_error(tmp_path):
    with pytest.raises(ModelFolderError, match="is not a folder"):
        LoadedClassifier(tmp_path / "model")
