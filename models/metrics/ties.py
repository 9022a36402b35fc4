"""Accuracy where people were of two minds: rows whose two top votes are equal, and labels that another panel gives."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from ferplus_data.labels import EMOTIONS, tied
from models.metrics.intervals import wilson


def tie_figures(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], votes: NDArray[np.integer]
) -> dict[str, Any]:
    """Return what ties do to an accuracy. The label of a tied row is the first of its top columns, by order alone.

    Args:
        predicted: int [n], 0..7.
        labels: int [n], 0..7.
        votes: [n, 10].

    Returns:
        n, the tied rows; accuracy_without, over the other rows (None without any); accuracy_either, over all rows, with
        either tied label taken for right.
    """
    ties = tied(votes)
    counts = np.asarray(votes, dtype=np.int64)
    most = counts.max(axis=1)
    either = np.where(ties, counts[np.arange(len(counts)), predicted] == most, predicted == labels)
    right = predicted == labels
    return {
        "n": int(ties.sum()),
        "accuracy_without": float(right[~ties].mean()) if (~ties).any() else None,
        "accuracy_either": float(either.mean()),
    }


def label_noise(split: Split, labels_source: str) -> dict[str, Any] | None:
    """Return `repeated_label_ceiling` of the images that stand in `split` more than once; None where none does,
    or where the labels are not those of label.csv: of the other files it is not known that repeats were voted on anew."""
    if "label.csv" not in labels_source:
        return None
    number: dict[bytes, int] = {}
    same = [number.setdefault(image.tobytes(), len(number)) for image in split.pixels()]
    return repeated_label_ceiling(split.labels, np.array(same))


def repeated_label_ceiling(
    labels: NDArray[np.integer], photographs: NDArray[np.integer]
) -> dict[str, Any] | None:
    """Return how often people agree with themselves: photographs that were voted on more than once.

    Args:
        labels: int [n], majority labels of rows that were voted on one by one.
        photographs: int [n], equal where rows show the same photograph.

    Returns:
        pairs, of two rows each; repeat, the share of pairs with the same label, and its interval; ceiling, the accuracy that a
        perfect model would reach against one panel if each panel is right with the same chance and errs evenly over the other
        seven emotions. None without a pair.
    """
    order = np.argsort(photographs, kind="stable")
    same = photographs[order][1:] == photographs[order][:-1]
    # Each photograph once: its first two rows.
    first = same & ~np.concatenate([[False], same[:-1]])
    pairs = int(first.sum())
    if not pairs:
        return None
    repeat = float((labels[order][1:] == labels[order][:-1])[first].mean())
    others = len(EMOTIONS) - 1
    # repeat = p^2 + (1 - p)^2 / 7, solved for the larger p; below 1/8 chance explains everything.
    inside = max(0.0, 1 - (1 + others) * (1 - others * repeat))
    return {
        "pairs": pairs,
        "repeat": repeat,
        "interval": list(wilson(repeat, pairs)),
        "ceiling": (1 + inside**0.5) / (1 + others),
    }
