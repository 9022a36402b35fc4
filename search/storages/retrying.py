"""A storage that may go away: its calls are repeated until it is back."""

from __future__ import annotations

import contextlib
import copy
import logging
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any

import optuna
import tenacity
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ferplus_data.errors import InputError
from search.storages.trial_rows import Left

RETRY_SECONDS = 150.0
"""How long a storage that has gone away is tried again: a restart of a database server, with some to spare."""
LONGEST_WAIT = 5.0
"""Seconds between two attempts at most."""
_FIRST_WAIT = 0.25


class StorageLost(InputError):
    """The storage stayed away for longer than it is tried again. Nothing that was finished is lost."""


class RetryingStorage(BaseStorage):
    """Repeats every call of another storage, with growing pauses, while that is not reached.

    A call may have taken effect although its connection broke. Optuna's calls write the same again, except four, of which the
    repetition first looks what the call before has left: deleting a study, ending a trial, making one, having one.

    Args:
        storage: The one that may go away.
        shown_url: How messages name it.
        is_outage: Whether an error says that it was not reached, or could not answer now.
        grace: Seconds without a heartbeat after which a running trial's worker is taken for dead.
        max_deaths: How many deaths of its workers a trial survives.

    Attributes:
        retry_seconds: How long a call is repeated.
        recovered: When the storage last answered after it had not, by `time.monotonic`; None: it never was away.
    """

    def __init__(
        self,
        storage: BaseStorage,
        *,
        shown_url: str,
        is_outage: Callable[[Exception], bool],
        grace: float,
        max_deaths: int,
    ) -> None:
        self.storage, self.shown_url, self._is_outage = storage, shown_url, is_outage
        self.grace, self.max_deaths = grace, max_deaths
        self.retry_seconds = RETRY_SECONDS
        self.recovered: float | None = None

    def call(self, function: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        """Return what `function` returns, or, at repetitions, `again`.

        Raises:
            StorageLost: The storage has not been reached for `retry_seconds`.
        """
        try:
            return function()
        except Exception as error:
            if not self._is_outage(error):
                raise
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_outage),  # type: ignore[arg-type]
            wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=LONGEST_WAIT),
            stop=lambda attempt: (attempt.seconds_since_start or 0) > self.retry_seconds,
            before_sleep=self._warn,
        )
        try:
            result = retrying(again or function)
        except tenacity.RetryError as error:
            raise StorageLost(
                f"storage {self.shown_url}: expected an answer, found none for {self.retry_seconds:.0f} s; nothing that was "
                "finished is lost: when it is back, the same command continues"
            ) from error
        self.recovered = time.monotonic()
        return result

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Let one process at a time into the block for the study `name`, where the storage can; the value tells whether it
        did."""
        yield False

    def read_trials(self, study_id: int) -> list[FrozenTrial]:
        """Return the trials of a study, in the order of their numbers; they are not to be changed. Asks the storage once."""
        return self.storage.get_all_trials(study_id, deepcopy=False)

    def report(self, trial_id: int, step: int, value: float, owner: Mapping[str, Any]) -> bool:
        """Write an intermediate value, if the trial runs and its user attributes still have what is in `owner`; return
        whether."""
        trial = self.get_trial(trial_id)
        if trial.state != TrialState.RUNNING or not owner.items() <= trial.user_attrs.items():
            return False
        try:
            self.set_trial_intermediate_value(trial_id, step, value)
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return True

    def leave(self, trial_id: int, owner: Mapping[str, Any], left: Left) -> bool:
        """Write what a trial is `left` with, if it runs and its user attributes still have what is in `owner`; return whether."""
        trial = self.get_trial(trial_id)
        if trial.state != TrialState.RUNNING or not owner.items() <= trial.user_attrs.items():
            return False
        try:
            for key, attribute in left.user_attributes.items():
                self.set_trial_user_attr(trial_id, key, attribute)
            for key, attribute in left.system_attributes.items():
                self.set_trial_system_attr(trial_id, key, attribute)
            self.set_trial_state_values(trial_id, left.state, None if left.value is None else [left.value])
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        return True

    def _warn(self, attempt: tenacity.RetryCallState) -> None:
        if attempt.attempt_number == 2:  # not of a single broken connection
            logging.getLogger(__name__).warning(
                "storage %s does not answer; trying again for %.0f s", self.shown_url, self.retry_seconds
            )

    # Calls whose repetition needs care ------------------------------------------------------------------------------

    def delete_study(self, study_id: int) -> None:
        def again() -> None:
            with contextlib.suppress(KeyError):
                self.storage.delete_study(study_id)

        self.call(lambda: self.storage.delete_study(study_id), again)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        def create() -> int:
            return self.storage.create_new_trial(study_id, template_trial)

        def again() -> int:
            known = None if template_trial is None else self.find_made_of(study_id, template_trial)
            return create() if known is None else known

        return self.call(create, again)

    def find_made_of(self, study_id: int, template: FrozenTrial) -> int | None:
        """Return the id of the trial that was made of `template`, None if none was. Asks the storage once."""
        # The storage numbers trials in the order of their creation, so one that was made is among the last.
        for trial in reversed(self.read_trials(study_id)):
            if _is_made_of(trial, template):
                return self.storage.get_trial_id_from_study_id_trial_number(study_id, trial.number)
        return None

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        def change() -> bool:
            return self.storage.set_trial_state_values(trial_id, state, values)

        def again() -> bool:
            try:
                return change()
            except optuna.exceptions.UpdateFinishedTrialError:
                if self.storage.get_trial(trial_id).state == state:
                    return True
                raise

        return self.call(change, again if state.is_finished() else None)

    # Calls that are repeated as they are ------------------------------------------------------------------------------

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        return self.call(lambda: self.storage.create_new_study(directions, study_name))

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        self.call(lambda: self.storage.set_study_user_attr(study_id, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self.call(lambda: self.storage.set_study_system_attr(study_id, key, value))

    def get_study_id_from_name(self, study_name: str) -> int:
        return self.call(lambda: self.storage.get_study_id_from_name(study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        return self.call(lambda: self.storage.get_study_name_from_id(study_id))

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self.call(lambda: self.storage.get_study_directions(study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        return self.call(lambda: self.storage.get_study_user_attrs(study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        return self.call(lambda: self.storage.get_study_system_attrs(study_id))

    def get_all_studies(self) -> list[Any]:
        return self.call(self.storage.get_all_studies)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        self.call(
            lambda: self.storage.set_trial_param(trial_id, param_name, param_value_internal, distribution)
        )

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        self.call(lambda: self.storage.set_trial_intermediate_value(trial_id, step, intermediate_value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.call(lambda: self.storage.set_trial_user_attr(trial_id, key, value))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        self.call(lambda: self.storage.set_trial_system_attr(trial_id, key, value))

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        return self.call(lambda: self.storage.get_trial_id_from_study_id_trial_number(study_id, trial_number))

    def get_trial_user_attrs(self, trial_id: int) -> dict[str, Any]:
        return self.call(lambda: self.storage.get_trial_user_attrs(trial_id))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self.call(lambda: self.storage.get_trial(trial_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials: list[FrozenTrial] = self.call(lambda: self.read_trials(study_id))
        if states is not None:
            trials = [trial for trial in trials if trial.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        return self.call(lambda: self.storage.get_best_trial(study_id))

    def remove_session(self) -> None:
        self.storage.remove_session()


def _is_made_of(trial: FrozenTrial, template: FrozenTrial) -> bool:
    return (
        trial.datetime_start == template.datetime_start
        and trial.params == template.params
        and trial.user_attrs == template.user_attrs
    )
