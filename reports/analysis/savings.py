"""What pruning and the prefix cache saved."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from reports.analysis.trials import STOPPED
from search.study.view import StudyView, TrialRecord


@dataclass(frozen=True)
class Pruning:
    """What stopping trials early left out.

    Attributes:
        trials: Those that were stopped.
        epochs: That they did not run, of the `typical` length: the mean of the complete trials, which patience ends before
            the most epochs, or the most epochs where no trial is complete.
        possible: Epochs that all ended trials would have run, the stopped ones at the typical length.
        seconds: What the left-out epochs would have taken, at the pace of each trial's epochs after its first, which
            compiles the network and reads the data.
    """

    trials: int
    epochs: int
    possible: int
    seconds: float
    typical: float


@dataclass(frozen=True)
class Caching:
    """Trials whose training used stored prefix activations, of those that recorded it, and the seconds they estimate to
    have saved; `reasons` says why the others did not, with their number."""

    used: int
    recorded: int
    seconds: float
    reasons: dict[str, int]


def pruning(view: StudyView) -> Pruning | None:
    """What pruning saved; None while no trial has been stopped or the epochs of a trial are not known."""
    planned = (view.config.get("arguments") or {}).get("epochs")
    stopped = [trial for trial in view.trials if trial.state in STOPPED and trial.values]
    if not planned or not stopped:
        return None
    lengths = [len(trial.values) for trial in view.trials if trial.state == "complete" and trial.values]
    typical = fmean(lengths) if lengths else float(planned)
    left = {trial.number: max(0.0, typical - len(trial.values)) for trial in stopped}
    paces = _paces(stopped)
    epochs = round(sum(left.values()))
    ran = sum(lengths) + sum(len(trial.values) for trial in stopped)
    seconds = sum(paces[number] * epochs for number, epochs in left.items())
    return Pruning(len(stopped), epochs, ran + epochs, seconds, typical)


def _paces(trials: Sequence[TrialRecord]) -> dict[int, float]:
    """Seconds of a later epoch of each trial: the mean of its epochs after the first by its history.csv; one that has a single
    epoch takes it by the ratio that the others show; without a history, its training and validation time an epoch."""
    seconds = {trial.number: _epoch_seconds(trial) for trial in trials}
    ratios = [fmean(own[1:]) / own[0] for own in seconds.values() if len(own) > 1 and own[0] > 0]
    ratio = median(ratios) if ratios else 1.0
    paces = {}
    for trial in trials:
        own = seconds[trial.number]
        if own:
            paces[trial.number] = fmean(own[1:]) if len(own) > 1 else own[0] * ratio
        else:
            spent = trial.times.get("training", 0.0) + trial.times.get("validation", 0.0)
            paces[trial.number] = (spent or trial.seconds or 0.0) / len(trial.values)
    return paces


def _epoch_seconds(trial: TrialRecord) -> list[float]:
    """The column seconds of the trial's history.csv; empty where there is no whole one."""
    try:
        with open(trial.directory / "history.csv", newline="", encoding="utf-8") as file:
            return [float(row["seconds"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError):
        return []


def caching(view: StudyView) -> Caching | None:
    """What the prefix cache saved; None where no trial recorded whether it used one."""
    recorded = [trial.prefix_cache for trial in view.trials if trial.prefix_cache is not None]
    if not recorded:
        return None
    reasons: dict[str, int] = {}
    for one in recorded:
        if not one.get("used"):
            reason = str(one.get("reason") or "no reason given")
            reasons[reason] = reasons.get(reason, 0) + 1
    used = sum(bool(one.get("used")) for one in recorded)
    return Caching(
        used, len(recorded), sum(float(one.get("seconds_saved") or 0) for one in recorded), reasons
    )
