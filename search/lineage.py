"""Trials as the user counts them: one number for a trial and all its continuations.

A trial whose worker gave it up or died is failed and queued again as a new Optuna trial, which names the first of its line in the
system attribute that Optuna's own retry uses. The order of steps allows a process to die between any two of them: a
failed trial without an `error` or successor is one that still has to be queued again, and of two successors the later is discarded.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

_FIRST_OF_LINE = "failed_trial"


def lineages(study: optuna.Study) -> list[tuple[int, FrozenTrial]]:
    """Return (number, trial) of every trial that counts: of each line of continuations the one that stands for it, under the number
    of the first, in the order of the numbers."""
    lines: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if "discarded" not in trial.user_attrs:
            number = number_of(trial)
            if number not in lines or lines[number].state == TrialState.FAIL:
                lines[number] = trial
    return sorted(lines.items())


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
    _requeue(study, storage.get_trial(trial_id), retries=0)


def hand_back_stale(study: optuna.Study, stale: list[int]) -> None:
    """Fail the trials with Optuna's ids `stale`, whose workers are gone, and queue again all that failed that way. A trial whose
    workers have died more often than the storage's `retries` stays failed."""
    for trial_id in stale:
        try:
            study._storage.set_trial_state_values(trial_id, TrialState.FAIL)
        except optuna.exceptions.UpdateFinishedTrialError:  # ended or handed back meanwhile
            continue
    retries = study._storage._backend.retries  # type: ignore[attr-defined]
    for _, trial in lineages(study):
        if trial.state == TrialState.FAIL and "error" not in trial.user_attrs:
            _requeue(study, trial, retries)


def _requeue(study: optuna.Study, trial: FrozenTrial, retries: int) -> None:
    attributes: dict[str, Any] = dict(trial.user_attrs)
    attributes.pop("worker", None)
    if not attributes.pop("handed_back", False):
        attributes["deaths"] = attributes.get("deaths", 0) + 1
        if attributes["deaths"] > retries:
            return
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
