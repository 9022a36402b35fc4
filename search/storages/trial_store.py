"""The trials of one study in its storage, each a row from its beginning to its end, and who has them."""

from __future__ import annotations

import contextlib
import datetime
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from search.storages.retrying import RetryingStorage
from search.storages.trial_life import STATE, TRANSITIONS, State, state_of
from search.storages.trial_rows import Left

ATTEMPT_PREFIX = "attempt "
"""Before its number, the user attribute that tells who had the trial from when to when."""
HEARTBEAT = "heartbeat"
"""The trial's system attribute that changes while its worker lives."""


@dataclass(frozen=True)
class Claim:
    """A trial that a worker has.

    Args:
        number: The trial's.
        worker: The name of the worker.
        attempt: How many workers the trial has had, this one included.
        began: When this one began, in seconds since the epoch; 0.0 where that is not known.
    """

    number: int
    worker: str
    attempt: int
    began: float = field(default=0.0, compare=False)

    @property
    def attributes(self) -> dict[str, Any]:
        """The user attributes by which the trial is known to be this worker's."""
        return {"worker": self.worker, "attempt": self.attempt}

    def lasted(self, ended: float | None) -> dict[str, Any]:
        """The user attribute that tells who had the trial from when to when; `ended` is None while it runs."""
        return {
            f"{ATTEMPT_PREFIX}{self.attempt}": {"worker": self.worker, "began": self.began, "ended": ended}
        }


class TrialStore:
    """The trials of the study `name` in `storage`. Several threads may use one.

    Attributes:
        study: The study, as Optuna's users know it.
    """

    def __init__(self, storage: RetryingStorage, name: str) -> None:
        self.storage, self.name = storage, name
        self.study = optuna.load_study(study_name=name, storage=storage)
        self._study_id = storage.get_study_id_from_name(name)
        self._ids: dict[int, int] = {}
        self._thread = threading.local()

    def read(self) -> list[FrozenTrial]:
        """Return all rows, in the order of their numbers."""
        return self.study.get_trials(deepcopy=False)

    def get(self, number: int) -> FrozenTrial:
        """Return the trial as it is now."""
        return self.storage.get_trial(self._id(number))

    @contextlib.contextmanager
    def lock(self) -> Iterator[bool]:
        """Let one process at a time into the block; the value is False where the storage has no such lock."""
        if hasattr(self._thread, "locked"):  # by this thread already
            yield self._thread.locked
            return
        with self.storage.lock(self.name) as self._thread.locked:
            try:
                yield self._thread.locked
            finally:
                del self._thread.locked

    # The beginning of a trial -----------------------------------------------------------------------------------------

    def create(
        self,
        state: State,
        params: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        *,
        attributes: Mapping[str, Any] | None = None,
        system_attributes: Mapping[str, Any] | None = None,
        worker: str | None = None,
    ) -> Claim:
        """Create a trial, whole, in one step: running by `worker`, queued, or failed."""
        now = datetime.datetime.now()
        user_attributes = {STATE: state.value, **(attributes or {})}
        claim = Claim(-1, worker or "", 1, now.timestamp())
        if state == State.RUNNING:
            user_attributes |= claim.attributes | claim.lasted(None)
        template = FrozenTrial(
            number=-1,
            trial_id=-1,
            state=state.stored,
            value=None,
            datetime_start=None if state == State.QUEUED else now,
            datetime_complete=now if state.ended else None,
            params=dict(params),
            distributions=dict(distributions),
            user_attrs=user_attributes,
            system_attrs=dict(system_attributes or {}),
            intermediate_values={},
        )
        trial_id = self.storage.create_new_trial(self._study_id, template)
        number = self.storage.get_trial_number_from_id(trial_id)
        self._ids[number] = trial_id
        return replace(claim, number=number)

    def claim(self, trial: FrozenTrial, worker: str) -> Claim | None:
        """Have a trial that waits, for `worker`; None if another has it."""
        self._check(trial, State.RUNNING)
        trial_id = self._id(trial.number)
        try:
            if not self.storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                return None
        except UpdateFinishedTrialError:
            return None
        claim = Claim(trial.number, worker, trial.user_attrs.get("attempt", 0) + 1, time.time())
        self._write(trial_id, {**claim.attributes, **claim.lasted(None), STATE: State.RUNNING.value})
        return claim

    def complete_parameters(
        self, claim: Claim, params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]
    ) -> None:
        """Add parameters that a running trial lacks."""
        known = self.get(claim.number).params
        for name, value in params.items():
            if name not in known:
                distribution = distributions[name]
                self.storage.set_trial_param(
                    self._id(claim.number), name, distribution.to_internal_repr(value), distribution
                )

    # While it runs ----------------------------------------------------------------------------------------------------

    def owns(self, claim: Claim) -> bool:
        """Whether the trial runs and is still the worker's: one that was suspended may have lost it."""
        trial = self.get(claim.number)
        return trial.state == TrialState.RUNNING and claim.attributes.items() <= trial.user_attrs.items()

    def report(self, claim: Claim, epoch: int, value: float) -> bool:
        """Write the objective after `epoch`; return False, having written nothing, if the trial is the worker's no more."""
        return self.storage.report(self._id(claim.number), epoch, value, claim.attributes)

    def annotate(self, claim: Claim, attributes: Mapping[str, Any]) -> None:
        """Keep user attributes with the trial, if it is still the worker's."""
        with contextlib.suppress(UpdateFinishedTrialError):
            if self.owns(claim):
                self._write(self._id(claim.number), attributes)

    def beat(self, claim: Claim) -> bool:
        """Give a sign of life; return False if the trial is the worker's no more."""
        if not self.owns(claim):
            return False
        with contextlib.suppress(UpdateFinishedTrialError):
            self.storage.set_trial_system_attr(self._id(claim.number), HEARTBEAT, time.time())
        return True

    # Its worker leaves it ---------------------------------------------------------------------------------------------

    def leave(
        self,
        claim: Claim,
        state: State,
        *,
        value: float | None = None,
        attributes: Mapping[str, Any] | None = None,
        system_attributes: Mapping[str, Any] | None = None,
    ) -> bool:
        """Bring a running trial to `state`, with more attributes; return False, having written nothing, if the trial is the
        worker's no more."""
        attributes = {**(attributes or {}), **claim.lasted(time.time())}
        return self._leave(claim.number, claim.attributes, state, value, attributes, system_attributes)

    def release_lost(self, trial: FrozenTrial) -> bool:
        """Release a running trial, read a moment ago, whose worker has died; one of which more workers have died than the
        storage's `max_deaths` fails. Return whether it still was as it was read."""
        deaths = trial.user_attrs.get("deaths", 0) + 1
        known: dict[str, Any] = {
            key: value for key, value in trial.user_attrs.items() if key in ("worker", "attempt")
        }
        attributes = {"deaths": deaths, **_last_seen(trial)}
        if deaths <= self.storage.max_deaths:
            return self._leave(trial.number, known, State.RELEASED, attributes=attributes)
        attributes["error"] = f"its workers died {deaths} times"
        return self._leave(trial.number, known, State.FAILED, attributes=attributes)

    def _leave(
        self,
        number: int,
        owner: Mapping[str, Any],
        state: State,
        value: float | None = None,
        attributes: Mapping[str, Any] | None = None,
        system_attributes: Mapping[str, Any] | None = None,
    ) -> bool:
        if state not in TRANSITIONS[State.RUNNING]:
            raise ValueError(f"trial {number}: expected a state that may follow running, found {state}")
        # A trial that waits has no worker: whoever takes it is not to be taken for the one that has died.
        unclaimed = {} if state.ended else {"worker": None}
        written = {**(attributes or {}), **unclaimed, STATE: state.value}
        trial_id = self._id(number)
        return self.storage.leave(
            trial_id, owner, Left(state.stored, value, written, system_attributes or {})
        )

    def _check(self, trial: FrozenTrial, state: State) -> None:
        before = state_of(trial)
        if state not in TRANSITIONS[before]:
            raise ValueError(f"trial {trial.number}: expected one that can become {state}, found it {before}")

    def _write(self, trial_id: int, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.storage.set_trial_user_attr(trial_id, key, value)

    def _id(self, number: int) -> int:
        if number not in self._ids:
            self._ids[number] = self.storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        return self._ids[number]


def _last_seen(trial: FrozenTrial) -> dict[str, Any]:
    """The user attribute of a running trial's last attempt, ended with the last sign of life of its worker."""
    name = f"{ATTEMPT_PREFIX}{trial.user_attrs.get('attempt', 0)}"
    attempt = trial.user_attrs.get(name)
    if attempt is None:
        return {}
    return {name: {**attempt, "ended": max(attempt["began"], trial.system_attrs.get(HEARTBEAT, 0.0))}}
