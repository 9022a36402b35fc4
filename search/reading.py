"""How often the database of a study is asked.

A sampler reads all trials several times for one suggestion, and every reading asks for those that have not ended; and Optuna
writes each suggested parameter in a transaction of its own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Container, Iterator
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import _CachedStorage
from optuna.trial import FrozenTrial, TrialState

from search.patient import PatientStorage


class ReadingStorage(_CachedStorage):
    """Optuna's cache of ended trials over a `PatientStorage`. A thread can hold it as it is for a while (`held`), and then the
    parameters of a new trial are written together (`write_held`)."""

    def __init__(self, backend: PatientStorage) -> None:
        super().__init__(backend)
        self.backend = backend
        self.thread = threading.local()
        self.settled: dict[int, Any] = {}
        """What `search.lineage` has gathered of each study."""

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if deepcopy or not getattr(self.thread, "held", False):
            return super().get_all_trials(study_id, deepcopy, states)
        return [t for t in self.thread.trials if t.state in states] if states else self.thread.trials

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        if not getattr(self.thread, "held", False):
            super()._read_trials_from_remote_storage(study_id)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        trial_id = super().create_new_trial(study_id, template_trial)
        self.thread.created = trial_id
        return trial_id

    def get_trial(self, trial_id: int) -> FrozenTrial:
        if not getattr(self.thread, "held", False):
            return super().get_trial(trial_id)
        if trial_id == self.thread.created:  # a moment ago, by this thread
            study_id, number = self._trial_id_to_study_id_and_number[trial_id]
            trial = self._studies[study_id].trials[number]
        else:
            trial = super().get_trial(trial_id)
        self.thread.trials[trial.number :] = [trial, *self.thread.trials[trial.number + 1 :]]
        return trial

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        if not getattr(self.thread, "held", False):
            return super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        study_id, _ = self._trial_id_to_study_id_and_number[trial_id]
        known = self._studies[study_id].param_distribution.setdefault(param_name, distribution)
        optuna.distributions.check_distribution_compatibility(known, distribution)
        self.thread.parameters.append((param_name, param_value_internal, distribution))


@contextlib.contextmanager
def held(study: optuna.Study) -> Iterator[None]:
    """Read the trials now, and to this thread show them as they are now, and those it asks for itself, while the block runs."""
    thread = study._storage.thread  # type: ignore[attr-defined]
    refresh(study)
    thread.held, thread.parameters, thread.created = True, [], None
    try:
        yield
    finally:
        thread.held = False


def write_held(study: optuna.Study, trial_id: int, attributes: dict[str, Any]) -> None:
    """Write the parameters that were suggested for the trial while its storage was held, with user `attributes` of it."""
    storage = study._storage
    parameters, storage.thread.parameters = storage.thread.parameters, []  # type: ignore[attr-defined]
    storage.backend.write_trial(trial_id, attributes, parameters)  # type: ignore[attr-defined]


def refresh(study: optuna.Study) -> None:
    """Read the trials again, also while they are held."""
    thread = study._storage.thread  # type: ignore[attr-defined]
    was_held, thread.held = getattr(thread, "held", False), False
    thread.trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
    thread.held = was_held
