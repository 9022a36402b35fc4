"""Who has gone silent, by the observer's own clock: the clocks of machines differ."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from typing import Any


class Silence:
    """How long each of those who beat has not been heard.

    Time between two looks counts for half of the grace at most: in a longer one the observer was held up itself, or what carries
    the beats was, and those who beat have time to be heard again.

    Args:
        grace: Seconds of silence after which one is taken for dead.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._looked = time.monotonic()
        self._heard: dict[Hashable, tuple[Any, float]] = {}

    def look(self, signs: Mapping[Any, Any]) -> list[Any]:
        """Return those who have been silent for longer than the grace.

        Args:
            signs: Who should beat -> the last sign of life; one that is not as it was at the last look is a beat.
        """
        now = time.monotonic()
        passed = min(now - self._looked, self._grace / 2)
        self._looked = now
        before, self._heard = self._heard, {}
        for who, sign in signs.items():
            last, silent = before.get(who, (sign, -passed))
            self._heard[who] = (sign, silent + passed if sign == last else 0.0)
        return [who for who, (_, silent) in self._heard.items() if silent > self._grace]
