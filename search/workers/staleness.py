"""Who is not heard any more, by the observer's own clock: the clocks of machines differ."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


class Staleness:
    """For how long the heartbeat of each of those who beat has not changed.

    Time between two looks counts for half of the grace at most: in a longer one the observer itself was suspended, or what
    carries the heartbeats was, and those who beat have time to be heard again.

    Args:
        grace: Seconds without a change after which one is taken for dead.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._looked = time.monotonic()
        self._unchanged: dict[Any, tuple[Any, float]] = {}

    def look(self, heartbeats: Mapping[Any, Any]) -> list[Any]:
        """Return those whose heartbeat has not changed for longer than the grace.

        Args:
            heartbeats: Who should beat -> the last heartbeat; that it is not as at the last look is what counts.
        """
        now = time.monotonic()
        passed = min(now - self._looked, self._grace / 2)
        self._looked = now
        before, self._unchanged = self._unchanged, {}
        for who, beat in heartbeats.items():
            last, seconds = before.get(who, (beat, -passed))
            self._unchanged[who] = (beat, seconds + passed if beat == last else 0.0)
        return [who for who, (_, seconds) in self._unchanged.items() if seconds > self._grace]

    def forget(self) -> None:
        """Begin anew, as after a time in which nobody could be heard."""
        self._unchanged = {}
