"""How often the database of a study is asked.

A sampler reads all trials several times for one suggestion, and every reading fetches all of those that have not ended, one for
each worker; and Optuna writes each suggested parameter in a transaction of its own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Container, Iterator
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import _CachedStorage
from optuna.storages._cached_storage import _StudyInfo
from optuna.trial import FrozenTrial, TrialState

from search.storages.retrying import Patience


class ReadingStorage(_CachedStorage):
    """Optuna's cache of ended trials over a storage with patience. A thread can hold it as it is for a while (`held`), and then
    the parameters of a new trial are written together (`write_held`)."""

    def __init__(self, backend: Patience) -> None:
        super().__init__(backend)  # type: ignore[arg-type]
        self.backend = backend
        self.thread = threading.local()
        self.settled: dict[int, Any] = {}
        """What `search.storages.attempts` has gathered of each study."""

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        if deepcopy or not getattr(self.thread, "held", False):
            return super().get_all_trials(study_id, deepcopy, states)
        return [t for t in self.thread.trials if t.state in states] if states else self.thread.trials

    def _read_trials_from_remote_storage(self, study_id: int) -> None:
        if not getattr(self.thread, "held", False):
            super()._read_trials_from_remote_storage(study_id)

    def read_changes(self, study_id: int) -> list[FrozenTrial]:
        """Return all trials, having fetched those that are new, have changed their state or lack what is written to every
        trial at its beginning. Of the other running ones it is not known what they have reported meanwhile: whoever hands out
        trials does not ask, and to fetch them is most of the work when there are many workers."""
        with self._lock:
            study = self._studies.setdefault(study_id, _StudyInfo())
            states = self.backend.states(study_id, study.unfinished_trial_ids, study.last_finished_trial_id)
            known = {trial._trial_id: trial for trial in study.trials.values()} if states else {}
            wanted = {
                trial_id for trial_id, state in states.items() if not _is_settled(known.get(trial_id), state)
            }
            study.unfinished_trial_ids |= states.keys()
            fetched = self._backend._get_trials(study_id, None, wanted, max(states)) if wanted else []
            self._add_trials_to_cache(study_id, fetched)
            for trial in fetched:
                if trial.state.is_finished():
                    study.unfinished_trial_ids.discard(trial._trial_id)
                    study.last_finished_trial_id = max(study.last_finished_trial_id, trial._trial_id)
                else:
                    study.unfinished_trial_ids.add(trial._trial_id)
            return sorted(study.trials.values(), key=lambda trial: trial.number)

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


def _is_settled(known: FrozenTrial | None, state: TrialState) -> bool:
    """Whether an unfinished trial, now in `state`, is `known` with all that it has got at its beginning."""
    if known is None or known.state != state or state.is_finished():
        return False
    return state == TrialState.WAITING or known.user_attrs.keys() >= {"worker", "hyperparameters"}


@contextlib.contextmanager
def held(study: optuna.Study) -> Iterator[None]:
    """Read the trials now (as `ReadingStorage.read_changes` does), and to this thread show them as they are now, and those it
    asks for itself, while the block runs."""
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
    storage = study._storage
    storage.thread.trials = storage.read_changes(study._study_id)  # type: ignore[attr-defined]
