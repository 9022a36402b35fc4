"""The label protocol on rows small enough to check by hand, and on the official votes."""

from __future__ import annotations

import csv
import os

import numpy as np
import pytest

from ferplus_data.labels import (
    EMOTIONS,
    PROTOCOLS,
    TARGETS,
    VOTE_COLUMNS,
    majority_labels,
    soft_targets,
    tied,
)

# ne ha su sa an di fe co un NF
PROTOCOL = {
    "one clear emotion": ([0, 9, 1, 0, 0, 0, 0, 0, 0, 0], 1),
    "exactly half of the votes is enough": ([5, 1, 1, 1, 1, 1, 0, 0, 0, 0], 0),
    "top alone under half": ([4, 3, 2, 1, 0, 0, 0, 0, 0, 0], -1),
    "two on top together at least half, first one wins": ([0, 0, 0, 4, 4, 1, 1, 0, 0, 0], 3),
    "two on top, together under half": ([2, 2, 1, 1, 1, 1, 1, 1, 0, 0], -1),
    "three on top": ([3, 3, 3, 1, 0, 0, 0, 0, 0, 0], -1),
    "unknown on top": ([3, 0, 0, 0, 0, 0, 0, 0, 7, 0], -1),
    "unknown shares the top": ([5, 0, 0, 0, 0, 0, 0, 0, 5, 0], -1),
    "not a face shares the top": ([0, 0, 0, 0, 0, 0, 0, 5, 0, 5], -1),
    "unknown counts among all votes": ([4, 0, 0, 0, 2, 0, 0, 0, 3, 0], -1),
    "unknown below the top does no harm": ([0, 0, 0, 0, 0, 0, 6, 0, 3, 1], 6),
    "no votes at all": ([0] * 10, -1),
    "counts whose sum passes uint8": ([200, 40, 40, 40, 40, 0, 0, 0, 0, 0], 0),
}


@pytest.mark.parametrize(("votes", "label"), PROTOCOL.values(), ids=PROTOCOL.keys())
def test_protocol(votes: list[int], label: int) -> None:
    assert majority_labels(np.array([votes], dtype=np.uint8)).tolist() == [label]


def test_the_protocol_looks_at_each_row_alone() -> None:
    rows, expected = zip(*PROTOCOL.values(), strict=True)
    labels = majority_labels(np.array(rows, dtype=np.uint8))
    assert labels.dtype == np.int64
    assert labels.tolist() == list(expected)


# label by baseline, microsoft and cntk
BY_PROTOCOL = {
    "one clear emotion": ([0, 9, 1, 0, 0, 0, 0, 0, 0, 0], 1, 1, 1),
    "exactly half": ([5, 0, 3, 2, 0, 0, 0, 0, 0, 0], 0, -1, -1),
    "half until single votes go": ([5, 1, 1, 1, 2, 0, 0, 0, 0, 0], 0, 0, 0),
    "a plurality until single votes go": ([4, 1, 1, 1, 1, 1, 1, 0, 0, 0], -1, 0, 0),
    "two on top": ([0, 0, 0, 4, 4, 1, 1, 0, 0, 0], 3, -1, 3),
    "most for unknown": ([3, 0, 0, 0, 0, 0, 0, 0, 7, 0], -1, -1, -1),
    "unknown counts against": ([5, 0, 0, 0, 0, 0, 0, 0, 4, 1], 0, 0, 0),
    "single votes alone": ([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], 0, -1, -1),
    "one vote": ([0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 3, -1, -1),
}


@pytest.mark.parametrize(
    ("votes", "expected"), [(row[0], row[1:]) for row in BY_PROTOCOL.values()], ids=BY_PROTOCOL
)
def test_protocols(votes: list[int], expected: tuple[int, ...]) -> None:
    assert tuple(int(rule([votes])[0]) for rule in PROTOCOLS.values()) == expected


def test_ties_are_rows_with_two_top_columns() -> None:
    assert tied([[5, 5, 0, 0, 0, 0, 0, 0, 0, 0], [5, 4, 1, 0, 0, 0, 0, 0, 0, 0]]).tolist() == [True, False]


def test_soft_targets_remove_single_votes_and_ignore_unknown() -> None:
    soft = soft_targets([[6, 1, 0, 2, 0, 0, 0, 0, 1, 0], [0, 0, 3, 0, 0, 0, 3, 0, 3, 1]])
    np.testing.assert_allclose(soft[0], [0.75, 0, 0, 0.25, 0, 0, 0, 0])
    np.testing.assert_allclose(soft[1], [0, 0, 0.5, 0, 0, 0, 0.5, 0])


def test_a_kept_row_of_single_votes_gets_its_majority_label() -> None:
    votes = [[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]]
    assert majority_labels(votes).tolist() == [3]
    np.testing.assert_array_equal(soft_targets(votes), np.eye(8)[[3]])


@pytest.mark.parametrize("kind", TARGETS)
def test_targets_are_distributions_over_the_emotions(kind: str) -> None:
    votes = np.array([row for row, label in PROTOCOL.values() if label >= 0], dtype=np.uint8)
    targets = TARGETS[kind](votes)
    assert targets.dtype == np.float32
    assert targets.shape == (len(votes), len(EMOTIONS))
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    # The label is among the emotions with the largest share; argmax would tie-break the same way.
    np.testing.assert_array_equal(targets.argmax(axis=1), majority_labels(votes))


def test_majority_target_of_a_dropped_row_is_empty() -> None:
    assert TARGETS["majority"]([[3, 3, 3, 1, 0, 0, 0, 0, 0, 0]]).sum() == 0


@pytest.mark.parametrize("function", [majority_labels, soft_targets])
@pytest.mark.parametrize("shape", [(3, 8), (10,)])
def test_other_shapes_are_refused(function, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Expected votes of shape \(N, 10\)"):
        function(np.zeros(shape, dtype=np.uint8))


def test_official_counts() -> None:
    path = os.environ.get("FERPLUS_VOTES")
    if not path:
        pytest.skip("FERPLUS_VOTES does not name the official fer2013new.csv")
    with open(path, newline="") as stream:
        rows = list(csv.DictReader(stream))
    votes = np.array([[int(row[column]) for column in VOTE_COLUMNS] for row in rows])
    labels = majority_labels(votes)
    usage = np.array([row["Usage"] for row in rows])
    unnamed = np.array([row["Image name"] == "" for row in rows])
    counts = {
        "Training": [9509, 7399, 3291, 3121, 2097, 111, 510, 115],
        "PublicTest": [1250, 882, 427, 356, 290, 26, 60, 14],
        "PrivateTest": [1170, 906, 415, 398, 280, 15, 78, 13],
    }
    assert (len(rows), int((labels < 0).sum()), int(unnamed.sum())) == (35887, 3154, 173)
    assert (labels[unnamed] == -1).all()
    kept = {
        protocol: [int(((usage == name) & (rule(votes) >= 0)).sum()) for name in counts]
        for protocol, rule in PROTOCOLS.items()
    }
    assert kept == {
        "baseline": [26153, 3305, 3275],
        "microsoft": [25060, 3199, 3153],
        "cntk": [26196, 3318, 3294],
    }
    ties = tied(votes) & (labels >= 0)
    assert [int((ties & (usage == name)).sum()) for name in counts] == [1135, 119, 141]
    for name, expected in counts.items():
        assert np.bincount(labels[(usage == name) & (labels >= 0)], minlength=8).tolist() == expected
