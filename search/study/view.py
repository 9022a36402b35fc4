"""A study, finished or running, as reports and status read it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from ferplus_data.errors import InputError
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES, Objective
from models.training.history import read_history
from search.storages.redaction import redact
from search.storages.registry import open_storage
from search.storages.trial_life import ELIGIBLE, State, rank, score_of, state_of, trials_of
from search.storages.trial_store import ATTEMPT_PREFIX, TrialStore
from search.study.best import read_metrics
from search.study.ownership import stored_study
from search.study.predictions import Predictions, read_predictions
from search.study.processes import processes_of
from search.study.readings import read_readings
from search.study.run_directory import RunDirectory, storage_url
from search.study.version_one import is_version_one, trials_of_version_one

MAX_FAILURES = 3
"""Failed trials in a row after which a search stops, as in `search.oracles.optuna_oracle`, which is slow to import."""


class Attempt(NamedTuple):
    """A time in which a process ran a trial; `ended` is None while it does."""

    worker: str
    began: datetime
    ended: datetime | None


@dataclass(frozen=True)
class TrialRecord:
    """One trial of a study, under the names and values the user knows.

    Attributes:
        state: A word of `search.storages.trial_life.State`.
        score: Best value of the study's objective in an epoch; of the accuracy, if nothing else was asked for.
        values: Epoch, from 1, -> that.
        minimized: Whether the lowest score is the best.
        started, ended: Its first attempt's beginning, and its end; None before.
        worker: host:pid:token of the process that ran it last.
        times: Seconds spent in build, training, validation, cache and oracle; empty where it was not recorded.
        prefix_cache: used, reason and seconds_saved, as the training told them; None where it was not recorded.
        source: What suggested it, a source of the portfolio or "recipe"; None where that is not known.
        network: parameters and bytes of its network; empty where they were not recorded.
        recorded_attempts: When which process ran it; empty where that was not recorded.
    """

    number: int
    state: str
    hyperparameters: dict[str, Any]
    score: float | None
    values: dict[int, float]
    started: datetime | None
    ended: datetime | None
    worker: str | None
    error: str | None
    directory: Path
    times: dict[str, float] = field(default_factory=dict)
    prefix_cache: dict[str, Any] | None = None
    minimized: bool = False
    source: str | None = None
    network: dict[str, int] = field(default_factory=dict)
    recorded_attempts: tuple[Attempt, ...] = ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """When which process ran it. Where that was not recorded, one that lasted from start to end; of a trial that waits, for
        as long as was recorded for something."""
        if self.recorded_attempts or self.started is None:
            return self.recorded_attempts
        ended = self.ended
        if ended is None and self.state != State.RUNNING:
            ended = self.started + timedelta(seconds=sum(self.times.values()))
        return (Attempt(self.worker or "unknown", self.started, ended),)

    @property
    def seconds(self) -> float | None:
        """What its attempts took together; None while one lasts, and before the first."""
        ends = [(one.began, one.ended) for one in self.attempts]
        if not ends or any(ended is None for _, ended in ends):
            return None
        return sum((ended - began).total_seconds() for began, ended in ends if ended is not None)

    @property
    def merit(self) -> float:
        """The score, negated where the lowest is the best, and -infinity without one; the higher, the better."""
        if self.score is None:
            return -math.inf
        return -self.score if self.minimized else self.score

    @property
    def eligible(self) -> bool:
        """Whether a retraining may choose it before others."""
        return self.state in ELIGIBLE


@dataclass(frozen=True)
class StudyView:
    """A study as a report sees it.

    Attributes:
        metrics: metrics.json, None before the retraining has ended.
        histories: Retraining ("seed 0"; "trial 7, seed 0" where there are several configurations) -> its history.csv, also
            while it runs.
        predictions: Split -> what the retrained model said; empty where best/predictions.npz is missing or is of another
            retraining than the metrics.
        retraining: Whether a retraining has been begun and has not ended.
        test_readings: Every look at the test labels, the earliest first; see `search.study.readings`.
    """

    name: str
    directory: Path
    config: dict[str, Any]
    trials: list[TrialRecord]
    metrics: dict[str, Any] | None
    histories: dict[str, pd.DataFrame]
    study: optuna.Study
    predictions: dict[str, Predictions] = field(default_factory=dict)
    retraining: bool = False
    test_readings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def objective_name(self) -> str:
        """What its trials are judged by, a name in OBJECTIVES; accuracy, if config.json says nothing known."""
        asked = str((self.config.get("arguments") or {}).get("objective"))
        return asked if asked in OBJECTIVES else DEFAULT_OBJECTIVE

    @property
    def objective(self) -> Objective:
        """That objective, with its label, direction and unit."""
        return OBJECTIVES[self.objective_name]

    @property
    def running(self) -> bool:
        """Whether a trial or a retraining is under way."""
        return self.retraining or any(trial.state == "running" for trial in self.trials)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, because the best is retrained or there is no trial to retrain."""
        waiting = any(trial.state in ("queued", "released") for trial in self.trials)
        if self.running or (waiting and not self._search_has_ended):
            return False
        planned = self.config.get("arguments", {}).get("trials", 0)
        failed = bool(self.trials) and all(trial.state == "failed" for trial in self.trials)
        return self.metrics is not None or (failed and len(self.trials) >= min(planned, MAX_FAILURES))

    @property
    def _search_has_ended(self) -> bool:
        """Whether the last search of the study came to an end: a budget may leave trials that wait."""
        searches = [one for one in processes_of(self.study) if one["command"] == "search"]
        return bool(searches) and searches[-1]["ended"] is not None


def read_study(run: RunDirectory, storage: str | None = None) -> StudyView:
    """Return what there is of the study in `run` now. It may be running.

    Args:
        run: Its directory.
        storage: Its URL, if it is not the SQLite file in the directory.

    Raises:
        InputError: There is no such study, or it is not the one in `run`.
    """
    config = run.read_config()
    if storage is None and not run.database.exists():
        raise InputError(
            f"study {run.study}: expected {run.database}, found no such file; name its server with --storage"
        )
    url = storage_url(run, storage)
    study = stored_study(run, open_storage(url), url)
    if study is None:
        raise InputError(f"study {run.study}: not found in {redact(url)}")
    metrics = read_metrics(run.metrics.parent)
    return StudyView(
        name=run.study,
        directory=run.path,
        config=config,
        trials=_records(run, study),
        metrics=metrics,
        histories=_histories(run),
        study=study,
        predictions=_predictions_of(metrics, run),
        retraining=run.retraining_plan.exists(),
        test_readings=read_readings(run.test_readings),
    )


def _histories(run: RunDirectory) -> dict[str, pd.DataFrame]:
    directories = run.retrainings()
    several = len({directory.parent for directory in directories}) > 1
    found = {}
    for directory in directories:
        number = directory.parent.name
        of_trial = f"trial {int(number)}, " if several and number.isdecimal() else ""
        epochs = [epoch.row() for epoch in read_history(directory / "history.csv")]
        if epochs:
            found[f"{of_trial}{directory.name.replace('-', ' ')}"] = pd.DataFrame(epochs)
    return found


def _predictions_of(metrics: dict[str, Any] | None, run: RunDirectory) -> dict[str, Predictions]:
    """The predictions that the metrics were computed from: a retraining that was killed may have left newer ones."""
    if metrics is None:
        return {}
    found = read_predictions(run.predictions)
    same = all(
        abs(of_split.accuracy - (metrics[f"{split}_accuracy"] or 0)) < 1e-9
        for split, of_split in found.items()
    )
    return found if same else {}


def best_trial(trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the trial that a retraining takes: the one with the best score, the earliest of equals, of those that are
    complete or rest at a rung; when there are none, of those that finished an epoch and have not failed; None when there is none
    of them either."""
    return next(iter(by_merit(trials)), None)


def by_merit(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the trials that have a score and have not failed, as `best_trial` orders them."""
    scored = [trial for trial in trials if trial.score is not None and trial.state != "failed"]
    return sorted(scored, key=lambda trial: rank(trial.state, trial.merit, trial.number), reverse=True)


def _records(run: RunDirectory, study: optuna.Study) -> list[TrialRecord]:
    if is_version_one(study):
        return [record_of(run, *one) for one in trials_of_version_one(study)]
    minimized = study.direction == optuna.study.StudyDirection.MINIMIZE
    return [record_of(run, trial.number, trial, trial.params, minimized) for trial in trials_of(study)]


def record_in(
    store: TrialStore | None, run: RunDirectory, number: int, values: Mapping[str, Any]
) -> TrialRecord:
    """Return trial `number` as `store` has it; without one, as in a worker of Keras Tuner's chief, all that is known are the
    `values` of its hyperparameters."""
    if store is None:
        return TrialRecord(
            number, State.RUNNING.value, dict(values), None, {}, None, None, None, None, run.trial(number)
        )
    row = store.get(number)
    minimized = store.study.direction == optuna.study.StudyDirection.MINIMIZE
    return record_of(run, number, row, row.params, minimized)


def record_of(
    run: RunDirectory, number: int, trial: FrozenTrial, values: dict[str, Any], minimized: bool = False
) -> TrialRecord:
    """Return what the row `trial` of a study says of its trial `number`, which has the hyperparameters `values`."""
    state = state_of(trial)
    attempts = _attempts(trial)
    last = attempts[-1].worker if attempts else None
    return TrialRecord(
        number=number,
        state=state.value,
        hyperparameters=dict(values),
        score=score_of(trial, minimized=minimized),
        values=dict(trial.intermediate_values),
        started=attempts[0].began if attempts else trial.datetime_start,
        ended=trial.datetime_complete,
        worker=last or trial.user_attrs.get("worker"),
        error=trial.user_attrs.get("error", "its worker died" if state == State.FAILED else None),
        directory=run.trial(number),
        times=dict(trial.user_attrs.get("times", {})),
        prefix_cache=trial.user_attrs.get("prefix_cache"),
        minimized=minimized,
        source=trial.user_attrs.get("source"),
        network=dict(trial.user_attrs.get("network", {})),
        recorded_attempts=attempts,
    )


def _attempts(trial: FrozenTrial) -> tuple[Attempt, ...]:
    recorded = [value for key, value in trial.user_attrs.items() if key.startswith(ATTEMPT_PREFIX)]
    found = [
        Attempt(
            one["worker"],
            datetime.fromtimestamp(one["began"]),
            None if one["ended"] is None else datetime.fromtimestamp(one["ended"]),
        )
        for one in recorded
    ]
    return tuple(sorted(found, key=lambda one: one.began))
