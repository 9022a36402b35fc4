"""Intervals by bootstrap over photographs, against scipy and against what copies do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from ferplus_data.dataset import Dataset, Split
from models.metrics.photographs import accuracy_of, figures
from models.metrics.scores import score


def split_of(labels: np.ndarray, photographs: np.ndarray, in_training: np.ndarray | None = None) -> Split:
    n = len(labels)
    votes = np.zeros((n, 10), np.uint8)
    votes[np.arange(n), labels] = 10
    new = np.zeros(n, bool) if in_training is None else in_training
    return Split(
        np.zeros((n, 48, 48), np.uint8), np.arange(n), labels, votes, photographs.astype(np.int32), new, new
    )


@pytest.fixture(scope="module")
def guesses() -> tuple[np.ndarray, np.ndarray]:
    """Labels of 400 rows, and a prediction that is right in about three of four."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 8, 400)
    return labels, np.where(rng.random(400) < 0.75, labels, (labels + 1) % 8)


def test_without_copies_the_interval_is_scipys(guesses: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predicted = guesses
    found = accuracy_of(predicted, split_of(labels, np.arange(400)))
    right = (predicted == labels).astype(float)
    expected = bootstrap((right,), np.mean, n_resamples=20_000, method="percentile", rng=0)
    assert found["accuracy"] == right.mean() and found["n"] == 400
    assert found["interval"] == pytest.approx(list(expected.confidence_interval), abs=0.006)


def test_copies_add_rows_and_no_certainty(guesses: tuple[np.ndarray, np.ndarray]) -> None:
    labels, predicted = guesses
    alone = accuracy_of(predicted, split_of(labels, np.arange(400)))
    fourfold = accuracy_of(np.tile(predicted, 4), split_of(np.tile(labels, 4), np.tile(np.arange(400), 4)))
    assert fourfold["n"] == 1600 and fourfold["accuracy"] == alone["accuracy"]
    assert fourfold["interval"] == pytest.approx(alone["interval"])
    # Taken for 1,600 photographs they would seem twice as sure.
    naive = accuracy_of(np.tile(predicted, 4), split_of(np.tile(labels, 4), np.arange(1600)))
    assert np.ptp(naive["interval"]) == pytest.approx(np.ptp(alone["interval"]) / 2, rel=0.15)


def test_new_photographs_are_weighted_to_the_mix_of_all_rows() -> None:
    labels = np.repeat([0, 1], [60, 40])
    in_training = np.zeros(100, bool)
    in_training[60:90] = True  # three quarters of class 1 are copies
    predicted = np.where(np.arange(100) % 2 == 0, labels, 7)
    predicted[90:] = labels[90:]
    found = figures(predicted, split_of(labels, np.arange(100), in_training))["new_photographs"]
    assert found["n"] == 70 and found["accuracy"] == pytest.approx((30 + 10) / 70)
    assert found["accuracy_at_full_mix"] == pytest.approx(0.6 * 0.5 + 0.4 * 1.0)


def test_every_rule_has_its_own_rows(tiny: Dataset) -> None:
    rows = tiny.val.take(np.arange(4))
    rows.votes[:] = 0
    rows.votes[0, 0] = 10  # all rules
    rows.votes[1, [0, 1, 8, 9]] = (4, 4, 1, 1)  # two on top: not microsoft's
    rows.votes[2, [1, 2, 3, 4, 5, 6]] = (
        4,
        1,
        1,
        1,
        1,
        1,
    )  # under half until single votes go: not the baseline's
    rows.votes[3, 8] = 10  # nobody's
    rows.labels[:] = [0, 0, -1, -1]
    found = score(np.eye(8, dtype=np.float32)[[0, 1, 1, 0]], rows)
    said = {rule: (one["n"], one["accuracy"]) for rule, one in found["protocols"].items()}
    assert said == {"baseline": (2, 0.5), "microsoft": (2, 1.0), "cntk": (3, pytest.approx(2 / 3))}
    assert (found["n"], found["accuracy"]) == (2, 0.5) and len(
        found["photographs"]["all_rows"]["per_class"]
    ) == 8
