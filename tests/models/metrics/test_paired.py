"""By how much one recipe is better than another: sign, size and interval."""

from __future__ import annotations

import numpy as np
import pytest

from ferplus_data.dataset import Split
from models.metrics.paired import Improvement, improvements

FACES = 400
RNG = np.random.default_rng(3)


def split_of(photographs: np.ndarray) -> Split:
    count = len(photographs)
    rows, never = np.arange(count), np.zeros(count, bool)
    labels = np.arange(count) % 8
    votes = np.zeros((count, 10), np.uint8)
    votes[rows, labels] = 10
    return Split(np.zeros((count, 48, 48), np.uint8), rows, labels, votes, photographs, never, never)


ALONE = split_of(np.arange(FACES, dtype=np.int32))


def said(right: np.ndarray) -> np.ndarray:
    """Probabilities [N, 8] that have the faces right where `right` is true."""
    rows = np.arange(len(right))
    found = np.full((len(right), 8), 0.05, np.float32)
    found[rows, np.where(right, ALONE.labels, (ALONE.labels + 1) % 8)] = 0.65
    return found


def first(count: int) -> np.ndarray:
    return said(np.arange(FACES) < count)


def accuracy(one: list[np.ndarray], other: list[np.ndarray], split: Split = ALONE) -> Improvement:
    return improvements(one, other, split, ["accuracy"])["accuracy"]


def test_it_is_the_difference_of_the_means_over_the_seeds() -> None:
    found = accuracy([first(300), first(320)], [first(280), first(290)])
    assert (found.value, found.other) == pytest.approx((310 / 400, 285 / 400))
    assert found.difference == pytest.approx(25 / 400)
    turned = accuracy([first(280), first(290)], [first(300), first(320)])
    assert (turned.difference, turned.low, turned.high) == pytest.approx(
        (-found.difference, -found.high, -found.low)
    )


def test_a_loss_that_is_lower_is_an_improvement() -> None:
    found = improvements([first(300)], [first(200)], ALONE, ["accuracy", "nll_majority", "macro_f1"])
    assert set(found) == {"accuracy", "nll_majority", "macro_f1"}
    assert all(one.low > 0 and one.low < one.difference < one.high for one in found.values())
    loss = found["nll_majority"]
    assert loss.value < loss.other and loss.difference == pytest.approx(100 / 400 * np.log(0.65 / 0.05))


def test_the_interval_is_that_of_a_paired_difference() -> None:
    """40 faces of 400 are right with one recipe alone: a binomial share of 0.1, whatever the other faces are."""
    found = accuracy([first(240)], [first(200)])
    half = 1.96 * np.sqrt(0.1 * 0.9 / FACES)
    assert (found.low, found.high) == pytest.approx((0.1 - half, 0.1 + half), abs=0.006)


def test_faces_of_one_photograph_count_as_one_draw() -> None:
    """The same faces in 40 photographs of ten: an interval wider by the root of ten."""
    grouped = split_of(np.repeat(np.arange(40, dtype=np.int32), 10))
    found, alone = accuracy([first(240)], [first(200)], grouped), accuracy([first(240)], [first(200)])
    assert (found.high - found.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(10), rel=0.12)


def test_seeds_that_differ_widen_the_interval() -> None:
    steady = accuracy([first(300)] * 3, [first(290)] * 3)
    shaken = accuracy([first(250), first(300), first(350)], [first(290)] * 3)
    assert steady.difference == pytest.approx(shaken.difference) and steady.low > 0 > shaken.low
