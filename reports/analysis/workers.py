"""Who ran what when: the workers of a study, how busy they were, and where the time went."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from search.study.view import StudyView, TrialRecord

KINDS = ("training", "validation", "cache", "build", "oracle")
"""What a trial's time is recorded as, in the order in which reports show it."""
REPORT_SECONDS = '<meta name="report-seconds" content="{:.1f}">'
"""How a page tells the next one what writing all of them took."""
_WRITTEN = re.compile(r'<meta name="report-seconds" content="([0-9.]+)">')
_HEAD = 2000
"""Characters of a page that hold its head's first lines."""


@dataclass(frozen=True)
class Span:
    """From when to when a worker had a trial; `over` tells whether it has left it."""

    trial: TrialRecord
    start: datetime
    end: datetime
    over: bool

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Worker:
    """A process that ran trials, from its first trial's start to its last one's end.

    Attributes:
        name: as the study knows it: host:pid:token.
        label: "worker 1", numbered by the first start.
        spans: its times in trials, by start; a trial that rested and went on has several.
    """

    name: str
    label: str
    spans: tuple[Span, ...]

    @property
    def trials(self) -> int:
        """How many it had."""
        return len({span.trial.number for span in self.spans})

    @property
    def first(self) -> datetime:
        """The start of its work, as the storage recorded it."""
        return self.spans[0].start

    @property
    def last(self) -> datetime:
        """The end of its work."""
        return max(span.end for span in self.spans)

    @property
    def busy(self) -> float:
        """Seconds within trials."""
        return sum(span.seconds for span in self.spans)

    @property
    def present(self) -> float:
        """Seconds from first to last."""
        return (self.last - self.first).total_seconds()

    @property
    def utilisation(self) -> float:
        """Busy share of its presence, 0 to 1; the waits between its trials are the rest."""
        return min(1.0, self.busy / self.present) if self.present > 0 else 1.0


def workers(trials: Sequence[TrialRecord]) -> list[Worker]:
    """The workers of all trials that were started, by first start. A running trial lasts until the study's last sign of
    life: the latest start or end that is recorded."""
    attempts = [(trial, attempt) for trial in trials for attempt in trial.attempts]
    moments = (moment for _, one in attempts for moment in (one.began, one.ended) if moment is not None)
    now = max(moments, default=None)
    by_name: dict[str, list[Span]] = {}
    for trial, one in sorted(attempts, key=lambda pair: (pair[1].began, pair[0].number)):
        end = one.ended or max(now or one.began, one.began)
        by_name.setdefault(one.worker, []).append(Span(trial, one.began, end, one.ended is not None))
    return [
        Worker(name, f"worker {index}", tuple(spans))
        for index, (name, spans) in enumerate(by_name.items(), start=1)
    ]


def time_split(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """Seconds of the search over all workers: KINDS as recorded, "other" (within trials, not recorded), "idle" (between a
    worker's trials). Kinds that were never recorded are left out; empty before a trial has started."""
    found = workers(trials)
    if not found:
        return {}
    recorded = {
        kind: sum(trial.times[kind] for trial in trials if kind in trial.times)
        for kind in KINDS
        if any(kind in trial.times for trial in trials)
    }
    busy = sum(worker.busy for worker in found)
    idle = sum(max(0.0, worker.present - worker.busy) for worker in found)
    return {**recorded, "other": max(0.0, busy - sum(recorded.values())), "idle": idle}


def afterwards(view: StudyView) -> dict[str, float]:
    """Seconds of what is no trial: retraining (as the metrics record it, or its epochs' seconds), evaluation (as the metrics
    record it) and report (what writing the pages before this one took); what took no time is left out."""
    recorded = (view.metrics or {}).get("times") or {}
    epochs = sum(float(frame["seconds"].sum()) for frame in view.histories.values() if "seconds" in frame)
    found = {
        # What is recorded is of the process that ended it, which others may have begun.
        "retraining": max(float(recorded.get("retraining") or 0.0), epochs),
        "evaluation": float(recorded.get("evaluation") or 0.0),
        "report": written_seconds(view.directory / "report.html"),
    }
    return {kind: seconds for kind, seconds in found.items() if seconds > 0}


def written_seconds(page: Path) -> float:
    """What writing the report at `page` and those that stood there before took; 0 where there is none."""
    try:
        with open(page, encoding="utf-8", errors="replace") as file:
            found = _WRITTEN.search(file.read(_HEAD))
    except OSError:
        return 0.0
    return float(found[1]) if found else 0.0
