"""What is common to the study's storages: each may go away for a while, and its calls are then repeated until it is back."""

from __future__ import annotations

import abc
import contextlib
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ferplus_data.errors import InputError

PATIENCE_SECONDS = 150.0
"""How long a storage that has gone away is tried again: a restart of a database server, with some to spare."""
LONGEST_WAIT = 10.0
"""Seconds between two attempts at most."""
Parameter = tuple[str, float, optuna.distributions.BaseDistribution]
"""Name, value as Optuna stores it, distribution."""
_FIRST_WAIT = 0.25


class StorageLost(InputError):
    """The storage stayed away for longer than there is patience. Nothing that was finished is lost."""


class Patience(BaseStorage):
    """Repeats every call of the storage class that follows it among the bases, with growing pauses, while that is not reached.

    A call may have taken effect although its connection broke, so each is made safe to repeat. Optuna's calls write with upserts,
    except three: deleting a study, which is taken for done; ending a trial, which is taken for done if the trial is found ended
    that way; and asking for one, which can leave a running trial that no worker has claimed. Such a trial is found, as one whose
    worker has died is, when its grace is over.

    Args:
        shown_url: How messages name the storage.
        grace: Seconds without a heartbeat after which a running trial's worker is taken for dead.
        retries: How many deaths of its workers a trial survives.
    """

    def __init__(self, *, shown_url: str, grace: float, retries: int) -> None:
        self.shown_url, self.retries = shown_url, retries
        # Optuna asks for whole seconds.
        self.grace = max(1, int(grace))
        self.interval = max(1, int(min(10, grace / 4)))
        self.patience = PATIENCE_SECONDS
        self._trouble_since: float | None = None
        self._well_since = time.monotonic()

    @abc.abstractmethod
    def _is_trouble(self, error: Exception) -> bool:
        """Whether `error` says that the storage was not reached, or could not answer now."""

    @abc.abstractmethod
    def _change(self, trial_id: int, state: TrialState, values: Sequence[float] | None) -> bool:
        """Change a trial's state: to RUNNING from WAITING, to another from RUNNING. Return whether it was in that one."""

    @abc.abstractmethod
    def _stale(self, study_id: int) -> list[int]:
        """Return the running trials that have not been beaten for within the grace period, or never."""

    @abc.abstractmethod
    def write_trial(
        self,
        trial_id: int,
        attributes: Mapping[str, Any],
        parameters: Sequence[Parameter] = (),
        beat: bool = False,
    ) -> None:
        """Write parameters, user `attributes` and a heartbeat of a running trial.

        Raises:
            UpdateFinishedTrialError: The trial is not running any more.
        """

    @abc.abstractmethod
    def states(self, study_id: int, trial_ids: Collection[int], after: int) -> dict[int, TrialState]:
        """Return the states of the trials with the ids `trial_ids`, and of all with an id greater than `after`."""

    def repeatedly(self, call: Callable[[], Any], on_repetition: Callable[[], Any] | None = None) -> Any:
        """Return what `call` returns, or, at repetitions, `on_repetition`.

        Raises:
            StorageLost: The storage has not been reached for `patience` seconds.
        """
        wait = _FIRST_WAIT
        while True:
            try:
                result = call()
            except Exception as error:
                if not self._is_trouble(error):
                    raise
                now = time.monotonic()
                if self._trouble_since is None:
                    self._trouble_since = now
                elif wait == 2 * _FIRST_WAIT:  # not of a single broken connection
                    logging.getLogger(__name__).warning(
                        "storage %s does not answer; trying again for %.0f s", self.shown_url, self.patience
                    )
                if now - self._trouble_since > self.patience:
                    raise StorageLost(
                        f"storage {self.shown_url}: expected an answer, found none for {self.patience:.0f} s; nothing that was "
                        "finished is lost: when it is back, the same command continues"
                    ) from error
            else:
                if self._trouble_since is not None:
                    self._trouble_since, self._well_since = None, time.monotonic()
                return result
            time.sleep(wait * random.uniform(0.5, 1))  # not all workers at once
            wait = min(2 * wait, LONGEST_WAIT)
            call = on_repetition or call

    def delete_study(self, study_id: int) -> None:
        delete = super().delete_study  # type: ignore[safe-super]

        def again() -> None:
            with contextlib.suppress(KeyError):
                delete(study_id)

        self.repeatedly(lambda: delete(study_id), again)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Change a trial's state, for exactly one of those who try.

        Returns:
            Whether a waiting trial is now running, and this process's; True for other states.

        Raises:
            UpdateFinishedTrialError: The trial that is to end is not running any more.
        """

        def change() -> bool:
            return self._change(trial_id, state, values)

        if not state.is_finished():
            return self.repeatedly(change)
        if not self.repeatedly(change, lambda: change() or self.get_trial(trial_id).state == state):
            raise optuna.exceptions.UpdateFinishedTrialError(f"trial {trial_id} is not running any more")
        return True

    def get_heartbeat_interval(self) -> int:
        return self.interval

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        stale = self.repeatedly(lambda: self._stale(study_id))
        # While the storage was away nobody could beat, and a process that has just come does not know whether it was.
        return stale if time.monotonic() - self._well_since > self.grace else []


def _repeated(name: str) -> Callable[..., Any]:
    def method(self: Patience, *arguments: Any, **options: Any) -> Any:
        plain = getattr(super(Patience, self), name)
        return self.repeatedly(lambda: plain(*arguments, **options))

    method.__name__ = name
    return method


for _name in (
    "create_new_study",
    "set_study_user_attr",
    "set_study_system_attr",
    "get_study_id_from_name",
    "get_study_name_from_id",
    "get_study_directions",
    "get_study_user_attrs",
    "get_study_system_attrs",
    "get_all_studies",
    "_create_new_trial",
    "_set_trial_param",
    "set_trial_intermediate_value",
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial_id_from_study_id_trial_number",
    "get_trial",
    "_get_trials",
    "_get_best_trial_id",
    "record_heartbeat",
):
    setattr(Patience, _name, _repeated(_name))
