import numpy as np
import pytest

from qmf.data import encode_labels, from_arrays, holdout_split, match_modalities
from qmf.errors import DataError


def test_labels_become_positions_of_training():
    samples = from_arrays({"a": [1.0, 2.0, 3.0]}, ["dog", "cat", "dog"])
    assert encode_labels(samples, np.array(["cat", "dog"])).tolist() == [1, 0, 1]


def test_integers_of_one_file_match_the_strings_of_another():
    samples = from_arrays({"a": [1.0, 2.0]}, [2, 1])
    assert encode_labels(samples, np.array(["1", "2", "x"])).tolist() == [1, 0]


def test_unseen_label_names_the_sample():
    samples = from_arrays({"a": [1.0, 2.0]}, ["cat", "fox"], ids=["p", "q"], source="test.csv")
    with pytest.raises(DataError, match=r"test.csv: sample 'q' has the label 'fox', unseen in training"):
        encode_labels(samples, np.array(["cat", "dog"]))


def test_a_modality_left_out_is_absent_and_order_is_that_of_training():
    samples = from_arrays({"b": [[1.0], [2.0]]})
    matched = match_modalities(samples, {"a": 3, "b": 1})
    assert matched.modalities == ("a", "b")
    assert matched.present.tolist() == [[False, True], [False, True]]
    assert matched.features["a"].shape == (2, 3)


def test_other_widths_and_other_modalities_are_refused():
    with pytest.raises(DataError, match="'c' was not in training"):
        match_modalities(from_arrays({"c": [1.0]}), {"a": 1})
    with pytest.raises(DataError, match="has 2 features in modality 'a'"):
        match_modalities(from_arrays({"a": [[1.0, 2.0]]}), {"a": 1})


def test_holdout_takes_a_share_of_every_class_and_is_keyed():
    target = np.repeat([0, 1], [20, 10])
    kept, held = holdout_split(target, 0.2, seed=0)
    assert np.bincount(target[held]).tolist() == [4, 2]
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(30))
    assert held.tolist() == holdout_split(target, 0.2, seed=0)[1].tolist()
    assert held.tolist() != holdout_split(target, 0.2, seed=1)[1].tolist()


def test_a_class_too_small_for_its_share_is_kept_whole():
    _, held = holdout_split(np.array([0] * 20 + [1] * 3), 0.2, seed=0)
    assert (held < 20).all()
