"""Ten votes per face -> a label, by the protocol that the seed's published figures were measured with."""

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


def majority_targets(votes: ArrayLike) -> NDArray[np.float32]:
    """One-hot majority labels: float32 [N, 8] from [N, 10]; a row that the protocol drops is all zeros."""
    labels = majority_labels(votes)
    return ((labels[:, None] == np.arange(len(EMOTIONS))) & (labels[:, None] >= 0)).astype(np.float32)


def soft_targets(votes: ArrayLike) -> NDArray[np.float32]:
    """The distribution of votes over the eight emotions, single votes removed (Barsoum et al. 2016, section
    4).

    A row with no emotion left after the removal gets its one-hot majority label, so every row that
    `majority_labels` keeps sums to 1; a dropped row sums to 1 or 0.

    Args:
        votes: counts, any integer type, [N, 10] in the order of `VOTE_COLUMNS`.

    Returns:
        float32 [N, 8], 0..1.
    """
    counts = _counts(votes)[:, : len(EMOTIONS)]
    counts = np.where(counts == 1, 0, counts)
    total = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(total, 1)
    return np.where(total > 0, shares, majority_targets(votes)).astype(np.float32)


TARGETS: dict[str, Callable[[ArrayLike], NDArray[np.float32]]] = {
    "majority": majority_targets,
    "soft": soft_targets,
}


def _counts(votes: ArrayLike) -> NDArray[np.int64]:
    """Votes as int64: sums of uint8 counts would otherwise be compared in a type that can wrap."""
    counts = np.asarray(votes, dtype=np.int64)
    if counts.ndim != 2 or counts.shape[1] != len(VOTE_COLUMNS):
        raise ValueError(f"Expected votes of shape (N, {len(VOTE_COLUMNS)}). Received: shape {counts.shape}.")
    return counts
