"""Trials as the user counts them: one number for a trial and all its continuations.

A trial whose worker gave it up or died is failed and queued again as a new Optuna trial, which names the first of its line in the
system attribute that Optuna's own retry uses. The order of steps allows a process to die between any two of them: a failed
trial without an `error` or successor is one that still has to be queued again, and of two successors the later is discarded.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.storages.cached import refresh

_LOCK = threading.Lock()  # a process reads the lines from the thread that trains and from the one that beats
_FIRST_OF_LINE = "failed_trial"


def lineages(study: optuna.Study) -> list[tuple[int, FrozenTrial]]:
    """Return (number, trial) of every trial that counts: of each line of continuations the one that stands for it, under the
    number of the first, in the order of the numbers."""
    trials = study.get_trials(deepcopy=False)
    with _LOCK:
        settled = study._storage.settled.setdefault(study._study_id, Lines())  # type: ignore[attr-defined]
        while settled.seen < len(trials) and trials[settled.seen].state.is_finished():
            settled.add(trials[settled.seen])
        lines = settled.copy()
    for trial in trials[settled.seen :]:
        lines.add(trial)
    return list(lines.standing.items())


@dataclass
class Lines:
    """The lines of a study's first `seen` trials. Those of ended trials stay as they are and need not be gone through again."""

    seen: int = 0
    standing: dict[int, FrozenTrial] = field(default_factory=dict)

    def add(self, trial: FrozenTrial) -> None:
        self.seen += 1
        if "discarded" not in trial.user_attrs:
            number = number_of(trial)
            if number not in self.standing or self.standing[number].state == TrialState.FAIL:
                self.standing[number] = trial

    def copy(self) -> Lines:
        return Lines(self.seen, dict(self.standing))


def number_of(trial: FrozenTrial) -> int:
    """The trial's number to the user: that of the first of its line."""
    return int(trial.system_attrs.get(_FIRST_OF_LINE, trial.number))


def hand_back(study: optuna.Study, trial_id: int) -> None:
    """Queue a running trial again, to be continued from its checkpoint by whoever comes next.

    Args:
        study: Its study.
        trial_id: Optuna's id of the trial.
    """
    storage = study._storage
    try:
        storage.set_trial_user_attr(trial_id, "handed_back", True)
        storage.set_trial_state_values(trial_id, TrialState.FAIL)
    except optuna.exceptions.UpdateFinishedTrialError:  # in other hands meanwhile
        return
    _requeue(study, storage.get_trial(trial_id))


def hand_back_stale(study: optuna.Study, stale: list[int]) -> None:
    """Fail the trials with Optuna's ids `stale`, whose workers are gone, and queue again all that failed that way. A trial whose
    workers have died more often than the storage's `retries` stays failed."""
    storage: Any = study._storage
    for trial_id in stale:
        # Or it has ended or been handed back meanwhile.
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            storage.set_trial_state_values(trial_id, TrialState.FAIL)
    if stale:
        refresh(study)
    orphans = [
        trial
        for _, trial in lineages(study)
        if trial.state == TrialState.FAIL
        and "error" not in trial.user_attrs
        and _deaths(trial) <= storage.backend.retries
    ]
    for trial in orphans:
        _requeue(study, trial)
    if orphans:
        refresh(study)


def _deaths(trial: FrozenTrial) -> int:
    """How many workers have died of the failed trial and those before it in its line."""
    return trial.user_attrs.get("deaths", 0) + ("handed_back" not in trial.user_attrs)


def _requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    attributes = {k: v for k, v in trial.user_attrs.items() if k not in ("worker", "handed_back")}
    if deaths := _deaths(trial):
        attributes["deaths"] = deaths
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
            system_attrs={**trial.system_attrs, _FIRST_OF_LINE: number_of(trial)},
            intermediate_values=trial.intermediate_values,
        )
    )
