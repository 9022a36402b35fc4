"""A report that is written again while its study runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from reports.html.page import write_report
from search.storages.redaction import redact
from search.study.view import StudyView

RELOAD_SECONDS = 15
"""How often the page of a running study loads itself anew."""
MAX_SHARE = 0.03
"""Share of a search's time that writing its report may take: for one that takes a second, every half a minute."""


class LiveReport:
    """Writes the report of a study that is being searched; call it at every event.

    A failure is logged and otherwise ignored, and a call is skipped when the last writing was too recent for its
    duration: the report never stops or slows the search.

    Args:
        read: Returns the study as it is now.
        path: Where the report goes.
        clock: Seconds, monotonic.
    """

    def __init__(
        self, read: Callable[[], StudyView], path: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._path, self._clock = read, path, clock
        self._next = clock()
        self._written = False

    def __call__(self) -> None:
        """Write the report, unless it is too soon."""
        if self._clock() >= self._next:
            self._write(RELOAD_SECONDS)

    def end(self) -> None:
        """Write the report once more, as a page that does not reload, if it was written before: the search has stopped."""
        if self._written:
            self._write(None)

    def _write(self, refresh: int | None) -> None:
        began = self._clock()
        try:
            write_report(self._read(), self._path, refresh=refresh)
            self._written = True
        except Exception as error:
            reason = redact(f"{type(error).__name__}: {error}")
            logging.getLogger(__name__).warning("report not written: %s", reason)
        ended = self._clock()
        self._next = ended + (ended - began) / MAX_SHARE


def watch(
    read: Callable[[], StudyView], path: Path, *, every: float, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Write the report of the study every `every` seconds until the study is finished; the last page does not reload.

    Raises:
        KeyboardInterrupt: Interrupted; the page no longer reloads itself.
    """
    view = read()
    try:
        while not view.finished:
            write_report(view, path, refresh=max(1, round(every)))
            sleep(every)
            view = read()
    finally:
        write_report(view, path)
