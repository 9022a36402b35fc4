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
class Worker:
    """A process that ran trials, from its first trial's start to its last one's end.

    Attributes:
        name: as the study knows it: host:pid:token.
        label: "worker 1", numbered by the first start.
        trials: those it ran, by start.
        first, last: start and end of its work, as the storage recorded them.
        busy: seconds within trials.
    """

    name: str
    label: str
    trials: tuple[TrialRecord, ...]
    first: datetime
    last: datetime
    busy: float

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
    started = [trial for trial in trials if trial.started is not None]
    now = max(
        (moment for t in started for moment in (t.started, t.ended) if moment is not None), default=None
    )
    by_name: dict[str, list[TrialRecord]] = {}
    for trial in sorted(started, key=lambda trial: (trial.started, trial.number)):
        by_name.setdefault(trial.worker or "unknown", []).append(trial)
    found = []
    for index, (name, ran) in enumerate(by_name.items(), start=1):
        spans = [span(trial, now) for trial in ran]
        busy = sum((end - start).total_seconds() for start, end in spans)
        last = max(end for _, end in spans)
        found.append(Worker(name, f"worker {index}", tuple(ran), spans[0][0], last, busy))
    return found


def span(trial: TrialRecord, now: datetime | None) -> tuple[datetime, datetime]:
    """Start and end of a started trial; one that has not ended lasts until `now`."""
    assert trial.started is not None
    return trial.started, trial.ended or max(now or trial.started, trial.started)


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
