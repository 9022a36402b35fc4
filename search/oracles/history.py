"""The study that a sampler is shown."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState


class History(InMemoryStorage):
    """A study as a sampler is to see it: the trials it is shown, and the one that is being drawn.

    Args:
        name, direction: Of the study.
    """

    def __init__(self, name: str, direction: StudyDirection) -> None:
        super().__init__()
        self.name, self._number = name, 0
        self.create_new_study([direction], name)
        self._trials: dict[int, FrozenTrial] = {}

    def show(self, trials: Sequence[FrozenTrial], number: int) -> None:
        """Show `trials`, and number a trial that is asked for `number`."""
        self._trials = {trial.number: trial for trial in trials}
        self._number = number

    def others(self, number: int) -> list[FrozenTrial]:
        """Those shown, without the one of that number."""
        return [trial for trial in self._trials.values() if trial.number != number]

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        self._trials[self._number] = FrozenTrial(
            number=self._number,
            trial_id=self._number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=datetime.now(),
            datetime_complete=None,
            params={},
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
        )
        return self._number

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self._trials[trial_id]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = [t for _, t in sorted(self._trials.items()) if states is None or t.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        trial = self._trials[trial_id]
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)
        trial.distributions[param_name] = distribution

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._trials[trial_id].user_attrs[key] = value

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self._trials[trial_id].system_attrs[key] = value

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        return True  # it is the database that a trial ends in

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return trial_number

    get_best_trial = BaseStorage.get_best_trial
    get_n_trials = BaseStorage.get_n_trials
    get_trial_param = BaseStorage.get_trial_param
    get_trial_number_from_id = BaseStorage.get_trial_number_from_id
