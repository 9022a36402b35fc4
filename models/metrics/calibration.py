"""How well probabilities match what was seen and what people voted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.labels import EMOTIONS

BINS = 15
"""Of equal width, as in Guo et al. 2017, On Calibration of Modern Neural Networks."""

DRAWS = 200  # of labels, for the floor
_SEED = 20130615
_LEAST = 1e-7  # a probability of 0 for what happened would be an infinite loss


def calibration(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> dict[str, Any]:
    """Return how well the confidence, the highest of the probabilities [N, 8], matches the share that is right.

    Returns:
        ece, the expected calibration error, 0 to 1; ece_floor, the mean ece of a model that is perfectly calibrated with
        these confidences and this many rows; bins, for each of the BINS ranges of confidence that is not empty: from,
        to, n, confidence and accuracy, both means over its rows.
    """
    confidence = np.clip(probabilities.max(axis=1).astype(np.float64), 0, 1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    index = np.digitize(confidence, edges[1:-1], right=True)
    bins = [
        {
            "from": float(edges[i]),
            "to": float(edges[i + 1]),
            "n": int(rows.sum()),
            "confidence": float(confidence[rows].mean()),
            "accuracy": float(right[rows].mean()),
        }
        for i in range(BINS)
        if (rows := index == i).any()
    ]
    random = np.random.default_rng(_SEED)
    floor = [_ece(confidence, random.random(len(confidence)) < confidence, index) for _ in range(DRAWS)]
    return {"ece": _ece(confidence, right, index), "ece_floor": float(np.mean(floor)), "bins": bins}


def _ece(confidence: NDArray[np.float64], right: NDArray[np.bool_], index: NDArray[np.integer]) -> float:
    """The mean over rows of their bin's gap between confidence and accuracy."""
    gaps = np.bincount(index, weights=confidence - right, minlength=BINS)
    return float(np.abs(gaps).sum() / max(len(confidence), 1))


def against_votes(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], votes: NDArray[np.integer]
) -> dict[str, float]:
    """Return proper scores of the probabilities [N, 8] against the label and against what people voted.

    Args:
        labels: int [N], 0..7.
        votes: [N, 10]; those for unknown and NF do not count. Every row has a vote for an emotion.

    Returns:
        nll and brier, means over the rows, against the label; nll_votes and brier_votes against the shares of the votes;
        nll_votes_floor and brier_votes_floor, what the shares themselves would score.
    """
    said = np.asarray(probabilities, dtype=np.float64)
    counts = np.asarray(votes, dtype=np.float64)[:, : len(EMOTIONS)]
    shares = counts / counts.sum(axis=1, keepdims=True)
    truth = np.eye(len(EMOTIONS))[labels]
    spread = 1 - (shares**2).sum(axis=1)  # one voter's distance to the shares, squared, on average
    return {
        "nll": _nll(said, truth),
        "brier": float(((said - truth) ** 2).sum(axis=1).mean()),
        "nll_votes": _nll(said, shares),
        "nll_votes_floor": _nll(shares, shares),
        "brier_votes": float((((said - shares) ** 2).sum(axis=1) + spread).mean()),
        "brier_votes_floor": float(spread.mean()),
    }


def _nll(said: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    return float(-(truth * np.log(np.clip(said, _LEAST, 1))).sum(axis=1).mean())
