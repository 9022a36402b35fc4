"""What a person sees of a search whose trials run in other processes: it is read from the study."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial

from search.console.progress import Progress, trial_line
from search.storages.trial_life import State, state_of, trials_of


class StudyProgress:
    """Tells `progress` of what has changed in `study`, a line for each trial that ends.

    Args:
        study: With an open storage.
        trials: How many there will be.
        epochs: Most epochs of a trial.
        progress: Told.
    """

    def __init__(self, study: optuna.Study, trials: int, epochs: int, progress: Progress) -> None:
        self._study, self._trials, self._epochs, self._progress = study, trials, epochs, progress
        seen = {trial.number: trial for trial in trials_of(study)}
        self._ended = {number for number, trial in seen.items() if _has_ended(trial)}
        self._reported = {number: len(trial.intermediate_values) for number, trial in seen.items()}

    def update(self) -> None:
        """Read the study and tell of what is new in it."""
        trials = {trial.number: trial for trial in trials_of(self._study)}
        ended_before = len(self._ended)
        for number, trial in trials.items():
            for epoch in sorted(trial.intermediate_values)[self._reported.get(number, 0) :]:
                self._progress.epoch_seen(number, epoch, self._epochs, trial.intermediate_values[epoch])
            self._reported[number] = len(trial.intermediate_values)
            if _has_ended(trial) and number not in self._ended:
                self._ended.add(number)
                self._progress.say(trial_line(number, trials, self._trials, _seconds(trial)))
        if len(self._ended) > ended_before and self._progress.on_trial_end is not None:
            self._progress.on_trial_end()
        self._progress.trials_seen(len(self._ended), self._trials, self._running(trials))

    def _running(self, trials: Mapping[int, FrozenTrial]) -> str:
        running = [
            f"{number}: {len(trial.intermediate_values)}/{self._epochs}"
            for number, trial in trials.items()
            if state_of(trial) == State.RUNNING
        ]
        return "running " + ", ".join(running[:8]) + (" ..." if len(running) > 8 else "")


def _has_ended(trial: FrozenTrial) -> bool:
    return state_of(trial).ended


def _seconds(trial: FrozenTrial) -> float:
    if trial.datetime_start is None or trial.datetime_complete is None:
        return 0.0
    return (trial.datetime_complete - trial.datetime_start).total_seconds()
