"""Ties, and the noise of labels, against what can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.metrics.ties import label_noise, repeated_label_ceiling, tie_figures


def test_a_tied_row_is_right_with_either_label_where_either_is_accepted() -> None:
    votes = np.zeros((4, 10), np.int64)
    votes[0, [0, 1]] = 5  # tied: neutral by the order of columns
    votes[1, [2, 3]] = 5
    votes[2, 4], votes[3, 5] = 10, 10
    labels = np.array([0, 2, 4, 5])
    figures = tie_figures(np.array([1, 7, 4, 6]), labels, votes)
    assert figures == {"n": 2, "accuracy_without": 0.5, "accuracy_either": 0.5}
    assert tie_figures(np.array([0, 2]), labels[:2], votes[:2])["accuracy_without"] is None


def test_the_ceiling_is_the_accuracy_that_makes_two_panels_agree_as_often() -> None:
    """Simulated: each panel names the truth with chance p, else one of the seven others."""
    rng = np.random.default_rng(0)
    p, count = 0.95, 200_000
    truth = rng.integers(0, 8, count)
    panels = [
        np.where(rng.random(count) < p, truth, (truth + rng.integers(1, 8, count)) % 8) for _ in range(2)
    ]
    labels, photographs = np.concatenate(panels), np.tile(np.arange(count), 2)
    found = repeated_label_ceiling(labels, photographs)
    assert found is not None and found["pairs"] == count
    assert found["repeat"] == pytest.approx(p**2 + (1 - p) ** 2 / 7, abs=0.003)
    assert found["ceiling"] == pytest.approx(p, abs=0.002)
    assert repeated_label_ceiling(labels[:count], photographs[:count]) is None


def test_noise_is_told_by_images_that_stand_twice_in_label_csv(tiny: Dataset) -> None:
    twice = tiny.train.take(np.array([0, 0, 1, 1, 2]))
    twice.labels[3] = (twice.labels[3] + 1) % 8
    found = label_noise(twice, "microsoft/FERPlus label.csv")
    assert found is not None and (found["pairs"], found["repeat"]) == (2, 0.5)
    assert label_noise(twice, "fer2013new.csv") is None
    assert label_noise(tiny.train, "microsoft/FERPlus label.csv") is None
