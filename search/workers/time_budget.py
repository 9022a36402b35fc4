"""The time there is for a search and the retraining after it."""

from __future__ import annotations

import math
import time

VALIDATION_COST = 1 / 3
"""Of a row, in rows of training: a step without its backward pass, which costs twice the forward one."""


class TimeBudget:
    """How long the search may go on, so that the retraining still fits into the time there is.

    Args:
        timeout: Seconds for search and retraining together; None: no limit.
        retrain_epochs: Epochs that the retraining should have, all its seeds together.
        retrain_rows: Training rows of one of its epochs.
        val_rows: Validation rows of any epoch.
    """

    _SPARE = 1.15  # epochs are not all alike, and a report has to be written

    def __init__(
        self, timeout: float | None, *, retrain_epochs: int, retrain_rows: int, val_rows: int = 0
    ) -> None:
        self._timeout = timeout or math.inf
        self._end = math.inf if timeout is None else time.monotonic() + timeout
        self._retrain_epochs, self._retrain_rows, self._val_rows = retrain_epochs, retrain_rows, val_rows
        self._seconds_per_row = 0.0
        self._only_first_epochs = True

    def epoch_took(self, epoch: int, seconds: float, rows: int) -> None:
        """Learn from finished epoch number `epoch` (from 1) over `rows` training rows."""
        first = epoch == 1  # it holds the tracing of the graph, so it counts only while there is no other
        if first and not self._only_first_epochs:
            return
        per_row = seconds / self._work(rows)
        if not first and self._only_first_epochs:
            self._only_first_epochs, self._seconds_per_row = False, per_row
        # The slowest of late stands for what the best trial's network may need.
        self._seconds_per_row = max(0.9 * self._seconds_per_row, per_row)

    def search_is_over(self) -> bool:
        """Whether what is left is the retraining's, which never claims more than two thirds of the whole."""
        reserved = min(self._retrain_epochs * self._retrain_epoch_seconds(), self._timeout * 2 / 3)
        return not math.isinf(self._end) and self.left() <= reserved

    def retrain_epochs(self, wanted: int, runs: float) -> int:
        """Return how many of the `wanted` epochs a retraining that is worth `runs` trainings can have in the time that is left,
        at least 1."""
        if math.isinf(self._end) or not self._seconds_per_row:
            return wanted
        return max(1, min(wanted, int(self.left() / runs / self._retrain_epoch_seconds())))

    def left(self) -> float:
        """Seconds left, infinite without a timeout."""
        return self._end - time.monotonic()

    def _retrain_epoch_seconds(self) -> float:
        return self._SPARE * self._seconds_per_row * self._work(self._retrain_rows)

    def _work(self, rows: int) -> float:
        return max(rows + VALIDATION_COST * self._val_rows, 1)


def halving_epochs(epochs: int, count: int) -> list[int]:
    """Return the epochs, of `epochs`, at which half of `count` configurations end: each half of the next, for as many as it takes
    to leave one.

    Example:
        >>> halving_epochs(60, 3)
        [15, 30]
    """
    halvings = math.ceil(math.log2(count))
    return sorted({math.ceil(epochs / 2**k) for k in range(1, halvings + 1)} - {epochs})


def epochs_in_all(epochs: int, seeds: int, finalists: int, *, compared: bool) -> int:
    """Return the epochs that a retraining takes.

    Args:
        epochs: Of a whole training.
        seeds: Trainings of a configuration that gets that far.
        finalists: Configurations, halved with the first seed.
        compared: Whether the known recipe is trained too, whole and with every seed.
    """
    spent, before, left = 0, 0, max(finalists, 1)
    for rung in halving_epochs(epochs, left):
        spent += left * (rung - before)
        before, left = rung, math.ceil(left / 2)
    spent += left * (epochs - before) + (seeds - 1) * epochs
    return spent + (seeds * epochs if compared else 0)
