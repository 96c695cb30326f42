"""When an answer is withheld, case by case."""

import numpy as np
import pytest

from qmf.abstention import (
    STRONG,
    abstain_reasons,
    atypical_limit,
    everything_atypical,
    in_conflict,
    least_evidence,
)

NAN = float("nan")


def reasons(alone, evidence, present=(True, True), confidence=0.99, **options):
    return abstain_reasons(
        np.array([alone]), np.array([evidence]), np.array([present]), np.array([confidence]), **options
    ).tolist()[0]


CAT, DOG, UNSURE = [0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.2, 0.4, 0.4]


@pytest.mark.parametrize(
    ("alone", "evidence", "present", "confidence", "expected"),
    [
        pytest.param([CAT, CAT], [-1, -1], (True, True), 0.99, "", id="usual and agreed"),
        pytest.param([CAT, CAT], [9, 9], (True, True), 0.99, "everything atypical", id="both atypical, though agreed"),
        pytest.param([CAT, CAT], [9, -1], (True, True), 0.99, "", id="one is typical"),
        pytest.param([CAT, CAT], [9, -1], (True, False), 0.99, "everything atypical", id="the typical one is absent"),
        pytest.param([CAT, CAT], [9, NAN], (True, True), 0.99, "", id="of one nothing is known"),
        pytest.param([CAT, DOG], [-1, -1], (True, True), 0.5, "conflict", id="both sure, of different classes"),
        pytest.param([CAT, DOG], [-1, -1], (True, True), 0.9, "", id="and something decides"),
        pytest.param([CAT, UNSURE], [-1, -1], (True, True), 0.5, "", id="one is not sure"),
        pytest.param([CAT, DOG], [-1, 1], (True, True), 0.5, "", id="one does not look usual"),
        pytest.param([CAT, DOG], [-1, -1], (True, False), 0.5, "", id="one is absent"),
        pytest.param([CAT, DOG], [NAN, NAN], (True, True), 0.5, "conflict", id="nothing is known of what is usual"),
    ],
)
def test_reasons(alone, evidence, present, confidence, expected):
    assert reasons(alone, evidence, present, confidence) == expected


def test_reasons_with_a_risk_target():
    usual = ([CAT, CAT], [-1, -1])
    assert reasons(*usual, confidence=0.8, required=np.array([0.7])) == ""
    assert reasons(*usual, confidence=0.8, required=np.array([0.8])) == ""
    assert reasons(*usual, confidence=0.8, required=np.array([0.9])) == "too uncertain"
    assert reasons(*usual, confidence=0.8, required=np.array([np.inf])) == "too uncertain"
    assert reasons(*usual, confidence=0.8, required=np.array([NAN])) == "not calibrated"
    assert reasons([CAT, DOG], [-1, -1], confidence=0.5, required=np.array([0.9])) == "conflict"


def test_three_that_contradict_one_another_and_two_that_agree_against_one():
    present, unknown = np.ones((2, 3), dtype=bool), np.full((2, 3), NAN)
    alone = np.array([[CAT, DOG, [0.05, 0.05, 0.9]], [CAT, CAT, DOG]])
    assert in_conflict(alone, unknown, present, np.array([0.4, 0.97])).tolist() == [True, False]


def test_the_least_evidence_is_that_of_the_most_typical():
    evidence = np.array([[5.0, 2.0], [5.0, 2.0], [5.0, NAN]])
    present = np.array([[True, True], [True, False], [True, True]])
    assert least_evidence(evidence, present).tolist() == [2.0, 5.0, -np.inf]


def test_the_limit_by_hand():
    """Of 199 held-out samples the 198th, ceil(200 x 0.99); of 98, none: then evidence must be strong."""
    assert atypical_limit(np.arange(199.0)) == 197.0
    assert atypical_limit(np.arange(98.0)) == STRONG == pytest.approx(np.log(20))
    assert atypical_limit(np.full(199, -3.0)) == 0.0  # at least it has to speak for damage


def test_at_most_one_in_a_hundred_usual_samples_is_called_atypical():
    rng = np.random.default_rng(0)
    called = []
    for _ in range(300):
        least = rng.normal(2.0, 1.0, 399)
        limit = atypical_limit(least[:199])
        called.append(everything_atypical(least[199:, None], np.ones((200, 1), dtype=bool), limit).mean())
    assert np.mean(called) == pytest.approx(0.01, abs=0.002)
