"""Figures with intervals that resample photographs, for all rows and for rows whose photograph is not in training.

Rows that show one photograph are right or wrong together, so they count as one draw: the bootstrap resamples whole
photographs (cluster bootstrap, Davison and Hinkley 1997, section 3.8).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from ferplus_data.labels import EMOTIONS
from models.metrics.intervals import wilson

RESAMPLES = 2000
_SEED = 20130615
_CLASSES = np.arange(len(EMOTIONS))
_AT_A_TIME = 250  # resamples: the weights of all at once would take 50 MB on FER+

Floats = NDArray[np.float64]


def figures(predicted: NDArray[np.integer], split: Split) -> dict[str, Any]:
    """Return the figures of `predicted`, int [n], on all rows of `split` and on those with new photographs.

    Returns:
        all_rows and new_photographs, the latter None without such rows. Each: n, photographs (how many), accuracy,
        interval, macro_f1, macro_f1_interval, and per_class: emotion, support, and precision, recall and f1 with their
        intervals (None for a class without rows). new_photographs also has accuracy_at_full_mix, the recall of each class
        weighted by its share of all rows, and its interval: new photographs hold fewer rare expressions. Intervals
        are percentiles, 95 %.
    """
    mix = np.bincount(split.labels, minlength=len(EMOTIONS)) / len(split)
    new = ~split.in_training
    rows_of = {"all_rows": np.ones(len(split), bool), "new_photographs": new}
    return {
        name: _figures(predicted[rows], split.labels[rows], split.photographs[rows], mix)
        if rows.any()
        else None
        for name, rows in rows_of.items()
    }


def accuracy_of(predicted: NDArray[np.integer], split: Split) -> dict[str, Any]:
    """Return accuracy, n and interval of `predicted`, int [n], on the rows of `split`; see `figures`."""
    _, group = np.unique(split.photographs, return_inverse=True)
    right = predicted == split.labels
    counts = np.stack([np.bincount(group), np.bincount(group, weights=right)], axis=1).astype(np.float64)
    spread = _resampled(counts)
    accuracy = float(right.mean())
    return {
        "accuracy": accuracy,
        "n": len(split),
        "interval": _accuracy_interval(accuracy, len(counts), spread[:, 1] / spread[:, 0]),
    }


def _figures(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], photographs: NDArray[np.integer], mix: Floats
) -> dict[str, Any]:
    counts = _counts(predicted, labels, photographs)
    here = {name: values[0] for name, values in _scores(counts.sum(axis=0)[None], mix).items()}
    spread = _scores(_resampled(counts), mix)
    accuracy = float(here["accuracy"])
    support = counts.sum(axis=0)[0]
    return {
        "n": len(labels),
        "photographs": len(counts),
        "accuracy": accuracy,
        "interval": _accuracy_interval(accuracy, len(counts), spread["accuracy"]),
        "accuracy_at_full_mix": float(here["at_full_mix"]),
        "accuracy_at_full_mix_interval": _interval(spread["at_full_mix"]),
        "macro_f1": float(here["macro_f1"]),
        "macro_f1_interval": _interval(spread["macro_f1"]),
        "per_class": [
            {
                "emotion": emotion,
                "support": int(support[c]),
                **{
                    name: float(here[name][c]) if support[c] else None
                    for name in ("precision", "recall", "f1")
                },
                **{
                    f"{name}_interval": _interval(spread[name][:, c]) if support[c] else None
                    for name in ("precision", "recall", "f1")
                },
            }
            for c, emotion in enumerate(EMOTIONS)
        ],
    }


def _counts(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], photographs: NDArray[np.integer]
) -> Floats:
    """Rows of each class, predicted as it, and both: [photographs, 3, 8]."""
    _, group = np.unique(photographs, return_inverse=True)
    is_class, said_class = labels[:, None] == _CLASSES, predicted[:, None] == _CLASSES
    counts = np.zeros((group.max() + 1, 3, len(EMOTIONS)))
    np.add.at(counts, group, np.stack([is_class, said_class, is_class & said_class], axis=1))
    return counts


def _resampled(counts: Floats) -> Floats:
    """Sums over photographs drawn with replacement: [RESAMPLES, 3, 8]; always the same for the same counts."""
    random = np.random.default_rng(_SEED)
    flat = counts.reshape(len(counts), -1)
    sums = []
    for _ in range(RESAMPLES // _AT_A_TIME):
        drawn = random.integers(0, len(counts), (_AT_A_TIME, len(counts)))
        times = np.stack([np.bincount(row, minlength=len(counts)) for row in drawn])
        sums.append(times @ flat)
    return np.concatenate(sums).reshape(-1, *counts.shape[1:])


def _scores(sums: Floats, mix: Floats) -> dict[str, Floats]:
    """Figures from sums [B, 3, 8]: accuracy, at_full_mix and macro_f1 [B]; precision, recall and f1 [B, 8]."""
    support, said, right = sums[:, 0], sums[:, 1], sums[:, 2]
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + said, 1)
    present = support > 0
    weights = mix * present
    return {
        "accuracy": right.sum(axis=1) / support.sum(axis=1),
        "at_full_mix": (weights * recall).sum(axis=1) / weights.sum(axis=1),
        # Over the classes that the rows hold: a class without a row has no F1.
        "macro_f1": (f1 * present).sum(axis=1) / present.sum(axis=1),
        "precision": right / np.maximum(said, 1),
        "recall": recall,
        "f1": f1,
    }


def _accuracy_interval(accuracy: float, photographs: int, resampled: Floats) -> list[float]:
    if accuracy in (0.0, 1.0):  # every resample says the same: no interval, though few rows prove little
        return list(wilson(accuracy, photographs))
    return _interval(resampled)


def _interval(values: Floats) -> list[float]:
    return [float(value) for value in np.quantile(values, [0.025, 0.975])]
