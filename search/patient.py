"""Optuna's database storage, for a database that may go away for a while and processes that may die at any moment."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import TrialState

from ferplus_data.errors import InputError

PATIENCE_SECONDS = 150.0
"""How long a storage that has gone away is tried again: a restart of a database server, with some to spare."""
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 10.0


class StorageLost(InputError):
    """The storage stayed away for longer than there is patience. Nothing that was finished is lost."""


class PatientStorage(RDBStorage):
    """An `RDBStorage` whose every call is repeated, with growing pauses, while the connection is broken.

    A call may have taken effect although its connection broke, so each is made safe to repeat. Optuna's calls write with upserts,
    except two: ending a trial, which is taken for done if the trial is found ended that way, and asking for one, which can leave
    a running trial that no worker has claimed. Such a trial gets its first heartbeat from whoever looks for stale ones,
    and is found when its grace is over.

    Args:
        url: As SQLAlchemy takes it.
        shown_url: How messages name it.
        grace: Seconds without a heartbeat after which a running trial's worker is taken for dead.
        retries: How many deaths of its workers a trial survives.
        **options: Of RDBStorage.
    """

    def __init__(self, url: str, *, shown_url: str, grace: float, retries: int, **options: Any) -> None:
        self.shown_url, self.retries = shown_url, retries
        self.patience = PATIENCE_SECONDS
        self._trouble_since: float | None = None
        self._well_since = time.monotonic()
        # Optuna asks for whole seconds.
        super().__init__(
            url, heartbeat_interval=max(1, int(min(10, grace / 4))), grace_period=max(1, int(grace)), **options
        )

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
                if not _is_trouble(error):
                    raise
                now = time.monotonic()
                if self._trouble_since is None:
                    self._trouble_since = now
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
            wait = min(2 * wait, _LONGEST_WAIT)
            call = on_repetition or call

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if state == TrialState.RUNNING:
            return self.repeatedly(lambda: self._take(trial_id))

        def end() -> bool:
            return super(PatientStorage, self).set_trial_state_values(trial_id, state, values)

        def end_again() -> bool:
            try:
                return end()
            except optuna.exceptions.UpdateFinishedTrialError:
                if super(PatientStorage, self).get_trial(trial_id).state == state:
                    return True
                raise

        return self.repeatedly(end, end_again)

    def _take(self, trial_id: int) -> bool:
        """Turn a waiting trial into a running one, for exactly one of those who try: Optuna's own looks first and writes then,
        which on SQLite lets two have it."""
        with _create_scoped_session(self.scoped_session) as session:
            taken = session.execute(
                sqlalchemy.update(models.TrialModel)
                .where(models.TrialModel.trial_id == trial_id, models.TrialModel.state == TrialState.WAITING)
                .values(state=TrialState.RUNNING, datetime_start=datetime.now())
                .execution_options(synchronize_session=False)
            )
            return taken.rowcount == 1  # type: ignore[attr-defined]

    def _get_stale_trial_ids(self, study_id: int) -> list[int]:
        assert self.grace_period is not None
        stale = self.repeatedly(lambda: self._stale(study_id))
        # While the storage was away nobody could beat, and a process that has just come does not know whether it was.
        return stale if time.monotonic() - self._well_since > self.grace_period else []

    def _stale(self, study_id: int) -> list[int]:
        with _create_scoped_session(self.scoped_session, True) as session:
            without = session.execute(
                sqlalchemy.select(models.TrialModel.trial_id)
                .outerjoin(models.TrialHeartbeatModel)
                .where(
                    models.TrialModel.study_id == study_id,
                    models.TrialModel.state == TrialState.RUNNING,
                    models.TrialHeartbeatModel.trial_id.is_(None),
                )
            ).scalars()
            session.add_all(models.TrialHeartbeatModel(trial_id=trial_id) for trial_id in without)
        return super()._get_stale_trial_ids(study_id)


def _is_trouble(error: Exception) -> bool:
    """Whether `error` says that the database was not reached, or could not answer now."""
    cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
    return isinstance(cause, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)) or (
        isinstance(cause, sqlalchemy.exc.DBAPIError) and cause.connection_invalidated
    )


def _repeated(name: str) -> Callable[..., Any]:
    plain = getattr(RDBStorage, name)

    @functools.wraps(plain)
    def method(self: PatientStorage, *arguments: Any, **options: Any) -> Any:
        return self.repeatedly(lambda: plain(self, *arguments, **options))

    return method


for _name in (
    "create_new_study delete_study set_study_user_attr set_study_system_attr get_study_id_from_name get_study_name_from_id "
    "get_study_directions get_study_user_attrs get_study_system_attrs get_all_studies _create_new_trial _set_trial_param "
    "set_trial_intermediate_value set_trial_user_attr set_trial_system_attr get_trial_id_from_study_id_trial_number "
    "get_trial _get_trials _get_best_trial_id record_heartbeat"
).split():
    setattr(PatientStorage, _name, _repeated(_name))
