"""A split in a few numbers."""

from __future__ import annotations

import numpy as np

from ferplus_data.dataset import Split
from ferplus_data.summary import agreement, summarise


def test_counts_votes_photographs_and_agreement_by_hand() -> None:
    votes = np.zeros((3, 10), np.uint8)
    votes[0, 0] = 10
    votes[1, 1], votes[1, 8] = 7, 3
    votes[2, 2], votes[2, 3] = 5, 5
    labels = np.array([0, 1, 2])
    images, photographs = np.zeros((3, 48, 48), np.uint8), np.array([4, 4, 5])
    seen = np.array([False, True, False])
    split = Split(images, np.arange(3), labels, votes, photographs, seen, np.zeros(3, bool))
    np.testing.assert_allclose(agreement(votes, labels), [1.0, 0.7, 0.5])
    assert summarise(split) == {
        "rows": 3,
        "in_training": 1,
        "in_evaluation": 0,
        "photographs": 2,
        "votes": [10, 7, 5, 5, 0, 0, 0, 0, 3, 0],
        "agreement": [0, 0, 0, 0, 1, 0, 1, 0, 0, 1],
    }


def test_many_votes_do_not_wrap() -> None:
    votes = np.full((1000, 10), 200, np.uint8)
    labels = np.zeros(1000, int)
    split = Split(np.zeros((1, 48, 48), np.uint8), labels, labels, votes, labels, labels > 0, labels > 0)
    assert summarise(split)["votes"] == [200_000] * 10
    np.testing.assert_allclose(agreement(votes, labels), 0.1)
