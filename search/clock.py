"""The time there is for a search and the retraining after it."""

from __future__ import annotations

import math
import time


class Clock:
    """How long the search may go on, so that the retraining still fits into the time there is.

    Args:
        timeout: Seconds for search and retraining together; None: no limit.
        retrain_epochs: Epochs that the retraining should have, all its seeds together.
        retrain_rows: Rows of one of its epochs.
    """

    _SPARE = 1.15  # epochs are not all alike, and a report has to be written

    def __init__(self, timeout: float | None, *, retrain_epochs: int, retrain_rows: int) -> None:
        self._timeout = timeout or math.inf
        self._end = math.inf if timeout is None else time.monotonic() + timeout
        self._retrain_epochs, self._retrain_rows = retrain_epochs, retrain_rows
        self._seconds_per_row = 0.0

    def epoch_took(self, seconds: float, rows: int) -> None:
        """Learn from a finished epoch over `rows` rows."""
        # The slowest of late stands for what the best trial's network may need.
        self._seconds_per_row = max(0.9 * self._seconds_per_row, seconds / max(rows, 1))

    def search_is_over(self) -> bool:
        """Whether what is left is the retraining's, which never claims more than half of the whole."""
        reserved = min(self._retrain_epochs * self._retrain_epoch_seconds(), self._timeout / 2)
        return not math.isinf(self._end) and self.left() <= reserved

    def retrain_epochs(self, wanted: int, runs: int) -> int:
        """Return how many of the `wanted` epochs each of `runs` retrainings can have in the time that is left, at least 1."""
        if math.isinf(self._end) or not self._seconds_per_row:
            return wanted
        return max(1, min(wanted, int(self.left() / runs / self._retrain_epoch_seconds())))

    def left(self) -> float:
        """Seconds left, infinite without a timeout."""
        return self._end - time.monotonic()

    def _retrain_epoch_seconds(self) -> float:
        return self._SPARE * self._seconds_per_row * self._retrain_rows

