"""What can be asked of a model on a split: one function per objective, and their table.

Every objective is recorded after every epoch of every training (a column of history.csv), and any of them can be what a search is
for. None of them imports Keras.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from ferplus_data.labels import EMOTIONS

SMALLEST_PROBABILITY = 1e-7
"""What a probability is taken for at least, so that no logarithm is infinite: Keras's epsilon."""


def accuracy(probabilities: NDArray[np.float32], split: Split) -> float:
    """Share of the rows whose most probable emotion is the majority label."""
    return float((probabilities.argmax(axis=1) == split.labels).mean())


def macro_f1(probabilities: NDArray[np.float32], split: Split) -> float:
    """Mean F1 of the emotions that the split holds; one without a row has no F1."""
    confusion = _confusion(probabilities, split)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    f1 = 2 * confusion.diagonal() / np.maximum(support + predicted, 1)
    return float(f1[support > 0].mean())


def balanced_accuracy(probabilities: NDArray[np.float32], split: Split) -> float:
    """Mean recall of the emotions that the split holds."""
    confusion = _confusion(probabilities, split)
    support = confusion.sum(axis=1)
    present = support > 0
    return float((confusion.diagonal()[present] / support[present]).mean())


def nll_majority(probabilities: NDArray[np.float32], split: Split) -> float:
    """Mean negative log-likelihood of the majority label, in nats: the validation loss."""
    said = probabilities[np.arange(len(split)), split.labels].astype(np.float64)
    return float(-np.log(np.clip(said, SMALLEST_PROBABILITY, 1)).mean())


def nll_votes(probabilities: NDArray[np.float32], split: Split) -> float:
    """Mean cross-entropy, in nats, with the annotators' votes: their distribution over the eight emotions, single votes removed
    (Barsoum et al. 2016)."""
    logarithms = np.log(np.clip(probabilities.astype(np.float64), SMALLEST_PROBABILITY, 1))
    return float(-(split.targets("soft") * logarithms).sum(axis=1).mean())


@dataclass(frozen=True)
class Objective:
    """A figure of a model's probabilities on a split.

    Attributes:
        function: (probabilities float32 [N, 8], the split of N rows) -> the figure.
        direction: Whether the best is the highest ("max") or the lowest ("min").
        label: For people; "validation" may stand before it.
        unit: What it is measured in: a "share" of 0 to 1, which people read in percent, or "nats".

    Example:
        >>> OBJECTIVES["macro_f1"].better(0.71, 0.70)
        True
        >>> f"{0.7123:{OBJECTIVES['macro_f1'].format()}}"
        '71.2%'
    """

    function: Callable[[NDArray[np.float32], Split], float]
    direction: Literal["max", "min"]
    label: str
    unit: Literal["share", "nats"] = "share"

    def better(self, value: float, other: float) -> bool:
        """Whether `value` is better than `other`; two alike are not."""
        return value > other if self.direction == "max" else value < other

    def format(self, decimals: int = 1) -> str:
        """Return how a figure is written, as Python and plotly both read it: percent with `decimals`, nats with two more."""
        return f".{decimals}%" if self.unit == "share" else f".{decimals + 2}f"

    def difference(self, value: float, decimals: int = 1) -> str:
        """Return a difference of two figures with its unit: points of percent with `decimals`, nats with two more."""
        return (
            f"{100 * value:.{decimals}f} points" if self.unit == "share" else f"{value:.{decimals + 2}f} nats"
        )


OBJECTIVES: dict[str, Objective] = {
    "accuracy": Objective(accuracy, "max", "accuracy"),
    "macro_f1": Objective(macro_f1, "max", "macro-F1"),
    "balanced_accuracy": Objective(balanced_accuracy, "max", "balanced accuracy"),
    "nll_majority": Objective(nll_majority, "min", "NLL (majority label)", "nats"),
    "nll_votes": Objective(nll_votes, "min", "NLL (annotators' votes)", "nats"),
}
"""Objective by name. In history.csv, and as the metric of a study, NAME is val_NAME."""

DEFAULT_OBJECTIVE = "accuracy"


def measure(probabilities: NDArray[np.float32], split: Split) -> dict[str, float]:
    """Return every objective's value, by name."""
    return {name: objective.function(probabilities, split) for name, objective in OBJECTIVES.items()}


def _confusion(probabilities: NDArray[np.float32], split: Split) -> NDArray[np.int64]:
    """Rows by majority label and most probable emotion, int64 [8, 8]."""
    count = len(EMOTIONS)
    pairs = split.labels * count + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=count * count).reshape(count, count)
