"""Optuna's database storage, for a database that may go away for a while and processes that may die at any moment."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import TrialState
from sqlalchemy.dialects import postgresql, sqlite

from ferplus_data.errors import InputError

PATIENCE_SECONDS = 150.0
"""How long a storage that has gone away is tried again: a restart of a database server, with some to spare."""
Parameter = tuple[str, float, optuna.distributions.BaseDistribution]
"""Name, value as Optuna stores it, distribution."""
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
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
            url,
            heartbeat_interval=max(1, int(min(10, grace / 4))),
            grace_period=max(1, int(grace)),
            **options,
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
            wait = min(2 * wait, _LONGEST_WAIT)
            call = on_repetition or call

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        if state == TrialState.RUNNING:
            return self.repeatedly(lambda: self._change(trial_id, TrialState.WAITING, state))
        if not state.is_finished():
            return self.repeatedly(
                lambda: super(PatientStorage, self).set_trial_state_values(trial_id, state)
            )
        if not self.repeatedly(
            lambda: self._change(trial_id, TrialState.RUNNING, state, values),
            lambda: (
                self._change(trial_id, TrialState.RUNNING, state, values)
                or self.get_trial(trial_id).state == state
            ),
        ):
            raise optuna.exceptions.UpdateFinishedTrialError(f"trial {trial_id} is not running any more")
        return True

    def _change(
        self, trial_id: int, old: TrialState, new: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Change a trial's state, for exactly one of those who try: Optuna's own looks first and writes then, which on SQLite
        lets two have a trial."""
        when = (
            {"datetime_complete": datetime.now()} if new.is_finished() else {"datetime_start": datetime.now()}
        )
        with _create_scoped_session(self.scoped_session) as session:
            changed = session.execute(
                sqlalchemy.update(models.TrialModel)
                .where(models.TrialModel.trial_id == trial_id, models.TrialModel.state == old)
                .values(state=new, **when)
                .execution_options(synchronize_session=False)
            )
            if changed.rowcount != 1:  # type: ignore[attr-defined]
                return False
            for objective, value in enumerate(values or []):
                stored, kind = models.TrialValueModel.value_to_stored_repr(value)
                session.add(
                    models.TrialValueModel(
                        trial_id=trial_id, objective=objective, value=stored, value_type=kind
                    )
                )
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        """Report an epoch in one statement, where Optuna's own takes three: it is the call that is made most.

        Raises:
            UpdateFinishedTrialError: The trial is not running any more.
        """
        if not self.repeatedly(lambda: self._report(trial_id, step, intermediate_value)):
            raise optuna.exceptions.UpdateFinishedTrialError(f"trial {trial_id} is not running any more")

    def _report(self, trial_id: int, step: int, value: float) -> bool:
        table, trials = models.TrialIntermediateValueModel.__table__, models.TrialModel.__table__
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        new = {"intermediate_value": stored, "intermediate_value_type": kind}
        row = sqlalchemy.select(
            sqlalchemy.literal(trial_id),
            sqlalchemy.literal(step),
            *(sqlalchemy.literal(new[name], table.c[name].type) for name in new),
        ).where(
            sqlalchemy.exists().where(
                trials.c.trial_id == trial_id,
                trials.c.state == sqlalchemy.literal(TrialState.RUNNING, trials.c.state.type),
            )
        )
        insert = _INSERTS[self.engine.name](table).from_select(["trial_id", "step", *new], row)
        upsert = insert.on_conflict_do_update(index_elements=["trial_id", "step"], set_=new)
        with self.engine.begin() as connection:
            return connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount == 1

    def write_trial(
        self,
        trial_id: int,
        attributes: Mapping[str, Any],
        parameters: Sequence[Parameter] = (),
        beat: bool = False,
    ) -> None:
        """Write user `attributes`, parameters and a heartbeat of a running trial at once, in one transaction instead of many.

        Raises:
            UpdateFinishedTrialError: The trial is not running any more.
        """

        def write() -> None:
            # A second attempt after a first that took effect meets its own rows, and that is all right.
            with _create_scoped_session(self.scoped_session, True) as session:
                session.add_all(
                    models.TrialParamModel(
                        trial_id=trial_id,
                        param_name=name,
                        param_value=value,
                        distribution_json=optuna.distributions.distribution_to_json(distribution),
                    )
                    for name, value, distribution in parameters
                )
                session.flush()
                for key, value in attributes.items():
                    self._set_trial_attr_without_commit(
                        session, models.TrialUserAttributeModel, trial_id, key, value
                    )
                if beat and models.TrialHeartbeatModel.where_trial_id(trial_id, session) is None:
                    session.add(models.TrialHeartbeatModel(trial_id=trial_id))

        self.repeatedly(write)

    def states(self, study_id: int, trial_ids: Collection[int], after: int) -> dict[int, TrialState]:
        """Return the states of the trials with the ids `trial_ids`, and of all with an id greater than `after`."""
        table = models.TrialModel.__table__
        query = sqlalchemy.select(table.c.trial_id, table.c.state).where(
            table.c.study_id == study_id,
            sqlalchemy.or_(table.c.trial_id > after, table.c.trial_id.in_(trial_ids)),
        )

        def read() -> dict[int, TrialState]:
            with self.engine.connect() as connection:
                return {trial_id: state for trial_id, state in connection.execute(query)}

        return self.repeatedly(read)

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
    "create_new_study",
    "delete_study",
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
    "set_trial_user_attr",
    "set_trial_system_attr",
    "get_trial_id_from_study_id_trial_number",
    "get_trial",
    "_get_trials",
    "_get_best_trial_id",
    "record_heartbeat",
):
    setattr(PatientStorage, _name, _repeated(_name))
