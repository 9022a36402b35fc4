"""Ten votes per face -> a label, by the rules that published figures were measured with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTE_COLUMNS = (*EMOTIONS, "unknown", "NF")


def majority_labels(votes: ArrayLike) -> NDArray[np.int64]:
    """The label of each row, or -1 where the protocol drops the row.

    The top set is every column (of ten) with the row's most votes. A row is dropped when that set contains
    "unknown" or "NF" (not a face), has three or more members, or holds less than half of the row's votes
    together. The label is the first column with the most votes.

    Args:
        votes: counts, any integer type, [N, 10] in the order of `VOTE_COLUMNS`.

    Returns:
        int64 [N], 0..7 in the order of `EMOTIONS`, or -1.

    Raises:
        ValueError: `votes` is not [N, 10].
    """
    counts = _counts(votes)
    top = counts == counts.max(axis=1, keepdims=True)
    dropped = (
        top[:, len(EMOTIONS) :].any(axis=1)
        | (top.sum(axis=1) >= 3)
        | (2 * (counts * top).sum(axis=1) < counts.sum(axis=1))
    )
    return np.where(dropped, -1, counts[:, : len(EMOTIONS)].argmax(axis=1))


def microsoft_labels(votes: ArrayLike) -> NDArray[np.int64]:
    """The label of each row by the authors' own training script (microsoft/FERPlus, src/ferplus.py, mode majority).

    Single votes are removed first. A row stays if one of the eight emotions has more than half of the votes that are
    left. Arguments and result as `majority_labels`.
    """
    counts = _without_single_votes(_counts(votes))
    most = counts.max(axis=1)
    kept = (2 * most > counts.sum(axis=1)) & (counts.argmax(axis=1) < len(EMOTIONS))
    return np.where(kept, counts[:, : len(EMOTIONS)].argmax(axis=1), -1)


def cntk_labels(votes: ArrayLike) -> NDArray[np.int64]:
    """The label of each row as in Albanie et al. 2018 (getFerPlusImdb.m, "cntk" protocol).

    Single votes are removed first; then as `majority_labels`, except that top votes of exactly half of what is left
    drop the row too. Arguments and result as there.
    """
    counts = _without_single_votes(_counts(votes))
    top = counts == counts.max(axis=1, keepdims=True)
    dropped = (
        top[:, len(EMOTIONS) :].any(axis=1)
        | (top.sum(axis=1) >= 3)
        | (2 * (counts * top).sum(axis=1) <= counts.sum(axis=1))
    )
    return np.where(dropped, -1, counts[:, : len(EMOTIONS)].argmax(axis=1))


PROTOCOLS: dict[str, Callable[[ArrayLike], NDArray[np.int64]]] = {
    "baseline": majority_labels,
    "microsoft": microsoft_labels,
    "cntk": cntk_labels,
}
"""Name -> votes [N, 10] to labels int64 [N], -1 for a row that the rule drops. Published figures on FER+ were measured
on the rows of one or another of them."""


def tied(votes: ArrayLike) -> NDArray[np.bool_]:
    """Whether two or more columns have a row's most votes: bool [N] from [N, 10]. The label is then the first of them."""
    counts = _counts(votes)
    return (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) > 1


def majority_targets(votes: ArrayLike, labels: ArrayLike | None = None) -> NDArray[np.float32]:
    """One-hot labels: float32 [N, 8] from [N, 10]; all zeros where there is none.

    Args:
        votes: counts, any integer type, [N, 10] in the order of `VOTE_COLUMNS`.
        labels: int [N], -1..7, of a protocol; None: those of `majority_labels`.
    """
    labels = majority_labels(votes) if labels is None else np.asarray(labels)
    return ((labels[:, None] == np.arange(len(EMOTIONS))) & (labels[:, None] >= 0)).astype(np.float32)


def soft_targets(votes: ArrayLike, labels: ArrayLike | None = None) -> NDArray[np.float32]:
    """The distribution of votes over the eight emotions, single votes removed (Barsoum et al. 2016, section
    4).

    A row with no emotion left after the removal gets its one-hot label, so every row that has one sums to 1; another
    sums to 1 or 0.

    Args:
        votes, labels: as in `majority_targets`.

    Returns:
        float32 [N, 8], 0..1.
    """
    counts = _without_single_votes(_counts(votes)[:, : len(EMOTIONS)])
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    return np.where(total > 0, shares, majority_targets(votes, labels)).astype(np.float32)


TARGETS: dict[str, Callable[[ArrayLike, ArrayLike | None], NDArray[np.float32]]] = {
    "majority": majority_targets,
    "soft": soft_targets,
}


def _without_single_votes(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts with 0 for 1: one vote of ten is taken for a slip (Barsoum et al. 2016, section 4)."""
    return np.where(counts == 1, 0, counts)


def _counts(votes: ArrayLike) -> NDArray[np.int64]:
    """Votes as int64: sums of uint8 counts would otherwise be compared in a type that can wrap."""
    counts = np.asarray(votes, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[1] != len(VOTE_COLUMNS):
        raise ValueError(f"Expected votes of shape (N, {len(VOTE_COLUMNS)}). Received: shape {counts.shape}.")
    return counts
