"""What a person sees of trials that run in other processes: it is read from the study."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from models.metrics.objectives import DEFAULT_OBJECTIVE
from models.training.history import readable_history
from search.console.progress import Progress, WorkerRow
from search.console.trial_lines import Goal
from search.storages.trial_life import State, state_of, trials_of
from search.storages.trial_store import ATTEMPT_PREFIX, HEARTBEAT
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord, record_of


class StudyProgress:
    """Tells `progress` of what has changed in `study`, a line for each trial that ends or comes to rest.

    Args:
        study: With an open storage.
        goal: How much there will be.
        progress: Told, and its callbacks with it.
        run: Where trials leave their files.
        own: Name of this process as a worker, which tells of its trials itself; None: it runs none.
    """

    def __init__(
        self,
        study: optuna.Study,
        goal: Goal,
        progress: Progress,
        run: RunDirectory,
        own: str | None = None,
    ) -> None:
        self._study, self._goal, self._progress, self._own = study, goal, progress, own
        self._metric = (study.metric_names or [f"val_{DEFAULT_OBJECTIVE}"])[0]
        self._beats: dict[int, tuple[Any, float]] = {}
        self._run, self._minimized = run, study.direction == optuna.study.StudyDirection.MINIMIZE
        self._running: set[int] = set()
        seen = {trial.number: trial for trial in trials_of(study)}
        self._left = {_moment(trial) for trial in seen.values() if _is_left(trial)}
        self._reported = {number: len(trial.intermediate_values) for number, trial in seen.items()}

    def update(self) -> None:
        """Read the study and tell of what is new in it."""
        trials = {trial.number: trial for trial in trials_of(self._study)}
        lines = 0
        for number, trial in trials.items():
            if self._is_own(trial):
                self._pass_over(number, trial)
                continue
            self._tell_callbacks(number, trial)
            for epoch in sorted(trial.intermediate_values)[self._reported.get(number, 0) :]:
                self._progress.epoch_seen(number, epoch, self._goal.epochs, trial.intermediate_values[epoch])
            self._reported[number] = len(trial.intermediate_values)
            if _is_left(trial) and _moment(trial) not in self._left:
                self._left.add(_moment(trial))
                objective = self._metric.removeprefix("val_")
                self._progress.trial_seen(number, trials, self._goal, self._seconds(trial), objective)
                lines += 1
        if lines and self._progress.on_line is not None:
            self._progress.on_line()
        workers = self._workers(trials)
        self._progress.workers_seen(workers)
        if self._own is None:
            self._progress.trials_seen(trials.values(), self._goal, f"{len(workers)} running")

    def _is_own(self, trial: FrozenTrial) -> bool:
        """Whether the trial is this process's, or was the last time that anyone had it; those that nobody has had count too."""
        return self._own is not None and _last_worker(trial) in (None, self._own)

    def _pass_over(self, number: int, trial: FrozenTrial) -> None:
        """Note how far this process's own trial is. One that it has taken over since the last look has left its worker."""
        self._reported[number] = len(trial.intermediate_values)
        if _is_left(trial):
            self._left.add(_moment(trial))
        if number in self._running:
            self._running.remove(number)
            left = replace(self._record(trial), state=State.RELEASED.value)
            self._progress.callbacks.on_trial_end(left)

    def _tell_callbacks(self, number: int, trial: FrozenTrial) -> None:
        """Tell of what has become of a trial since the last look: it began, had epochs, left its worker."""
        running, known = state_of(trial) == State.RUNNING, self._reported.get(number, 0)
        new = sorted(trial.intermediate_values)[known:]
        if not (new or running or number in self._running):
            return
        told, callbacks = self._record(trial), self._progress.callbacks
        if number not in self._running:
            self._running.add(number)
            callbacks.on_trial_begin(told)
        if new:
            rows = {epoch.epoch: epoch.row() for epoch in readable_history(told.directory / "history.csv")}
            for epoch in new:
                callbacks.on_epoch_end(
                    told, epoch, rows.get(epoch, {self._metric: trial.intermediate_values[epoch]})
                )
        if not running:
            self._running.remove(number)
            callbacks.on_trial_end(told)

    def _workers(self, trials: Mapping[int, FrozenTrial]) -> list[WorkerRow]:
        """A row for each running trial of other processes."""
        now = time.monotonic()
        rows: list[WorkerRow] = []
        for number, trial in trials.items():
            if state_of(trial) != State.RUNNING or self._is_own(trial):
                continue
            beat = trial.system_attrs.get(HEARTBEAT)
            known = self._beats.get(number)
            if known is None or known[0] != beat:
                known = self._beats[number] = (beat, now)
            worker = str(trial.user_attrs.get("worker", "")).rpartition(":")[0]
            epoch = f"{len(trial.intermediate_values)}/{self._goal.epochs}"
            rows.append(WorkerRow(worker, number, epoch, known[1]))
        return rows

    def _seconds(self, trial: FrozenTrial) -> float:
        """What the trial's last attempt took."""
        attempts = self._record(trial).attempts
        ended = attempts[-1].ended if attempts else None
        return 0.0 if ended is None else (ended - attempts[-1].began).total_seconds()

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        return record_of(self._run, trial.number, trial, trial.params, self._minimized)


def _last_worker(trial: FrozenTrial) -> str | None:
    """Who has the trial, or had it last; None: nobody yet."""
    attempt = trial.user_attrs.get(f"{ATTEMPT_PREFIX}{trial.user_attrs.get('attempt', 0)}")
    return None if attempt is None else attempt["worker"]


def _is_left(trial: FrozenTrial) -> bool:
    state = state_of(trial)
    return state.ended or state == State.RESTING


def _moment(trial: FrozenTrial) -> tuple[int, str, int]:
    """Tells the times apart at which a worker leaves a trial: number, state, epochs."""
    return trial.number, state_of(trial).value, len(trial.intermediate_values)
