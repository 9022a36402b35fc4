"""Where the time of a training goes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Times:
    """Adds seconds to `seconds` under names, one name at a time.

    Args:
        seconds: Name -> seconds so far; added to in place.
    """

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        self._name: str | None = None
        self._since = 0.0

    def start(self, name: str) -> None:
        """Count what follows under `name`."""
        self.stop()
        self._name, self._since = name, time.monotonic()

    def stop(self) -> None:
        """Count what follows under no name."""
        if self._name is not None:
            elapsed = time.monotonic() - self._since
            self._seconds[self._name] = self._seconds.get(self._name, 0.0) + elapsed
            self._name = None

    def total(self) -> float:
        """Seconds counted under any name until now."""
        running = time.monotonic() - self._since if self._name is not None else 0.0
        return sum(self._seconds.values()) + running

    @contextlib.contextmanager
    def measured(self, name: str) -> Iterator[None]:
        """Count the block under `name`."""
        self.start(name)
        try:
            yield
        finally:
            self.stop()
