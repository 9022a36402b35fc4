"""Optuna's database storage, for a database that may go away for a while and processes that may die at any moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.trial import TrialState
from sqlalchemy.dialects import postgresql, sqlite

from search.storages.retrying import Parameter, Patience

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class PatientStorage(Patience, RDBStorage):
    """An `RDBStorage` with patience.

    A running trial that no worker has claimed gets its first heartbeat from whoever looks for stale ones.

    Args:
        url: As SQLAlchemy takes it.
        shown_url, grace, retries: Of `Patience`.
    """

    def __init__(self, url: str, *, shown_url: str, grace: float, retries: int) -> None:
        Patience.__init__(self, shown_url=shown_url, grace=grace, retries=retries)
        RDBStorage.__init__(
            self,
            url,
            # SQLite is asked to wait for other writers instead of failing at once.
            {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {},
            heartbeat_interval=self.interval,
            grace_period=self.grace,
        )

    def _is_trouble(self, error: Exception) -> bool:
        cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
        return isinstance(cause, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)) or (
            isinstance(cause, sqlalchemy.exc.DBAPIError) and cause.connection_invalidated
        )

    def _change(self, trial_id: int, state: TrialState, values: Sequence[float] | None) -> bool:
        """Optuna's own looks first and writes then, which on SQLite lets two have a trial."""
        old = TrialState.WAITING if state == TrialState.RUNNING else TrialState.RUNNING
        when = "datetime_complete" if state.is_finished() else "datetime_start"
        with _create_scoped_session(self.scoped_session) as session:
            changed = session.execute(
                sqlalchemy.update(models.TrialModel)
                .where(models.TrialModel.trial_id == trial_id, models.TrialModel.state == old)
                .values(state=state, **{when: datetime.now(UTC).replace(tzinfo=None)})
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
        return RDBStorage._get_stale_trial_ids(self, study_id)
