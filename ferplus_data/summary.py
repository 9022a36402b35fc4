"""A split in a few numbers, for config.json and the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from .dataset import Split

AGREEMENT_BINS = 10
"""Ranges of equal width over the share of the votes that the label got."""


def agreement(split_votes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of each row's votes that went to its label: float64 [n], 0 to 1, from votes [n, 10] and labels [n]."""
    votes = np.asarray(split_votes, dtype=np.int64)
    return votes[np.arange(len(votes)), labels] / np.maximum(votes.sum(axis=1), 1)


def summarise(split: Split) -> dict[str, Any]:
    """Return what a split holds, as JSON-ready values.

    Returns:
        rows; in_training and in_evaluation, how many show a photograph that stands there too, as in `Split`; photographs,
        how many different ones the rows show; votes, the sum over the rows of each of the ten columns; agreement, rows per
        range of the share of votes that the label got: AGREEMENT_BINS ranges of equal width from 0 to 1, each without its
        lower end.
    """
    shares = agreement(split.votes, split.labels)
    bins = np.clip(np.ceil(shares * AGREEMENT_BINS - 1e-9).astype(int) - 1, 0, AGREEMENT_BINS - 1)
    return {
        "rows": len(split),
        "in_training": int(split.in_training.sum()),
        "in_evaluation": int(split.in_evaluation.sum()),
        "photographs": len(np.unique(split.photographs)),
        "votes": split.votes.sum(axis=0, dtype=np.int64).tolist(),
        "agreement": np.bincount(bins, minlength=AGREEMENT_BINS).tolist(),
    }
