"""Rows of Optuna's database that are written in fewer statements than Optuna's own storage takes.

A parameter, an attribute or a value takes Optuna's storage three to nine statements, and a trial of ten hyperparameters begins
with some fifty. Here each of the three calls that every trial makes (begin, report, leave) is one transaction of a few.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.dialects import postgresql, sqlite

_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_TABLES = (
    "studies",
    "trials",
    "trial_params",
    "trial_user_attributes",
    "trial_system_attributes",
    "trial_values",
    "trial_intermediate_values",
)


def read_tables(engine: sqlalchemy.Engine) -> dict[str, sqlalchemy.Table]:
    """Return Optuna's tables as they are in the database."""
    metadata = sqlalchemy.MetaData()
    return {
        name: sqlalchemy.Table(name, metadata, autoload_with=engine, resolve_fks=False) for name in _TABLES
    }


class Left(NamedTuple):
    """What a worker leaves a trial with: its state to Optuna, its value if it has one, and attributes beside those it has."""

    state: TrialState
    value: float | None
    user_attributes: Mapping[str, Any]
    system_attributes: Mapping[str, Any]


class TrialRows:
    """The rows of trials in the database of `engine`, SQLite or PostgreSQL, whose `tables` are Optuna's.

    Numbers are finite: Optuna stores the others by a type beside them, which is left to its own storage.
    """

    def __init__(self, engine: sqlalchemy.Engine, tables: Mapping[str, sqlalchemy.Table]) -> None:
        self._engine, self._tables = engine, tables
        self._distributions: dict[tuple[int, str], BaseDistribution] = {}
        self._reports: dict[tuple[str, ...], Any] = {}

    def begin(self, study_id: int, trial: FrozenTrial) -> tuple[int, int]:
        """Write a trial without values, its number the next of the study; return its id and its number.

        Raises:
            ValueError: A parameter has a distribution that goes with none of an earlier trial's.
        """
        trials = self._tables["trials"]
        with self._engine.begin() as connection:
            self._lock_study(connection, study_id)
            self._check_distributions(connection, study_id, trial.distributions)
            begun = trials.insert().values(
                study_id=study_id,
                state=trial.state.name,
                datetime_start=_utc(trial.datetime_start),
                datetime_complete=_utc(trial.datetime_complete),
            )
            key = connection.execute(begun).inserted_primary_key
            assert key is not None  # of an insertion of one row
            trial_id: int = key[0]
            earlier = sqlalchemy.select(sqlalchemy.func.count()).where(
                trials.c.study_id == study_id, trials.c.trial_id < trial_id
            )
            number: int = connection.execute(earlier).scalar_one()
            connection.execute(trials.update().where(trials.c.trial_id == trial_id).values(number=number))
            params = [
                {
                    "param_name": name,
                    "param_value": trial.distributions[name].to_internal_repr(value),
                    "distribution_json": optuna.distributions.distribution_to_json(trial.distributions[name]),
                }
                for name, value in trial.params.items()
            ]
            self._insert(connection, "trial_params", trial_id, params)
            self._insert(connection, "trial_user_attributes", trial_id, _attributes(trial.user_attrs))
            self._insert(connection, "trial_system_attributes", trial_id, _attributes(trial.system_attrs))
        return trial_id, number

    def report(self, trial_id: int, step: int, value: float, owner: Mapping[str, Any]) -> bool:
        """Write an intermediate value if the trial runs and its user attributes have what is in `owner`; return whether."""
        keys = tuple(owner)
        if keys not in self._reports:  # putting the statement together takes as long as running it
            self._reports[keys] = self._report(keys)
        row = {"reached": step, "reported": value, **_of(trial_id, owner)}
        with self._engine.begin() as connection:
            written = connection.execute(
                self._reports[keys], row, execution_options={"preserve_rowcount": True}
            )
            return written.rowcount == 1

    def _report(self, keys: Sequence[str]) -> Any:
        values = self._tables["trial_intermediate_values"]
        row = {
            "trial_id": sqlalchemy.bindparam("of_trial", type_=values.c.trial_id.type),
            "step": sqlalchemy.bindparam("reached", type_=values.c.step.type),
            "intermediate_value": sqlalchemy.bindparam("reported", type_=values.c.intermediate_value.type),
            "intermediate_value_type": sqlalchemy.literal("FINITE", values.c.intermediate_value_type.type),
        }
        selected = sqlalchemy.select(*row.values()).where(*self._runs(keys))
        insert = _INSERTS[self._engine.name](values).from_select([*row], selected)
        new = {name: insert.excluded[name] for name in ("intermediate_value", "intermediate_value_type")}
        return insert.on_conflict_do_update(index_elements=["trial_id", "step"], set_=new)

    def leave(self, trial_id: int, owner: Mapping[str, Any], left: Left) -> bool:
        """Write what a trial is `left` with, if it runs and its user attributes have what is in `owner`; return whether."""
        trials = self._tables["trials"]
        new: dict[str, Any] = {"state": left.state.name}
        if left.state.is_finished():
            new["datetime_complete"] = _utc(datetime.datetime.now())
        with self._engine.begin() as connection:
            changed = connection.execute(
                trials.update().where(trials.c.trial_id == trial_id, *self._runs(tuple(owner))).values(**new),
                _of(trial_id, owner),
            )
            if changed.rowcount != 1:
                return False
            if left.value is not None:
                row = {"objective": 0, "value": left.value, "value_type": "FINITE"}
                self._insert(connection, "trial_values", trial_id, [row], ["trial_id", "objective"])
            for name, attributes in (
                ("trial_user_attributes", left.user_attributes),
                ("trial_system_attributes", left.system_attributes),
            ):
                self._insert(connection, name, trial_id, _attributes(attributes), ["trial_id", "key"])
        return True

    def _runs(self, keys: Sequence[str]) -> list[sqlalchemy.ColumnElement[bool]]:
        """That the trial runs and has the user attributes `keys`, with the parameters that `_of` gives."""
        trials, attributes = self._tables["trials"].alias(), self._tables["trial_user_attributes"]
        of_trial = sqlalchemy.bindparam("of_trial", type_=trials.c.trial_id.type)
        return [
            sqlalchemy.exists().where(trials.c.trial_id == of_trial, trials.c.state == "RUNNING"),
            *(
                sqlalchemy.exists().where(
                    attributes.c.trial_id == of_trial,
                    attributes.c.key == key,
                    attributes.c.value_json == sqlalchemy.bindparam(f"of_{key}", type_=sqlalchemy.Text()),
                )
                for key in keys
            ),
        ]

    def _lock_study(self, connection: sqlalchemy.Connection, study_id: int) -> None:
        """Have others that begin a trial of the study wait, so that each gets a number of its own."""
        studies = self._tables["studies"]
        row = sqlalchemy.select(studies.c.study_id).where(studies.c.study_id == study_id).with_for_update()
        if connection.execute(row).one_or_none() is None:
            raise KeyError(f"study {study_id}: expected one of the storage")

    def _check_distributions(
        self, connection: sqlalchemy.Connection, study_id: int, distributions: Mapping[str, BaseDistribution]
    ) -> None:
        params, trials = self._tables["trial_params"], self._tables["trials"]
        for name, distribution in distributions.items():
            if (study_id, name) not in self._distributions:
                one = (
                    sqlalchemy.select(params.c.distribution_json)
                    .join(trials, trials.c.trial_id == params.c.trial_id)
                    .where(trials.c.study_id == study_id, params.c.param_name == name)
                    .limit(1)
                )
                found = connection.execute(one).scalar_one_or_none()
                if found is None:
                    continue
                self._distributions[study_id, name] = optuna.distributions.json_to_distribution(found)
            optuna.distributions.check_distribution_compatibility(
                self._distributions[study_id, name], distribution
            )

    def _insert(
        self,
        connection: sqlalchemy.Connection,
        table: str,
        trial_id: int,
        rows: list[dict[str, Any]],
        unique: list[str] | None = None,
    ) -> None:
        """Write rows of the trial; where one of the same `unique` columns is there, in its place."""
        if not rows:
            return
        insert = _INSERTS[self._engine.name](self._tables[table])
        if unique:
            replaced = {name: insert.excluded[name] for name in rows[0] if name not in unique}
            insert = insert.on_conflict_do_update(index_elements=unique, set_=replaced)
        connection.execute(insert, [{"trial_id": trial_id, **row} for row in rows])


def _of(trial_id: int, owner: Mapping[str, Any]) -> dict[str, Any]:
    return {"of_trial": trial_id, **{f"of_{key}": json.dumps(wanted) for key, wanted in owner.items()}}


def _attributes(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value_json": json.dumps(value)} for key, value in attributes.items()]


def _utc(moment: datetime.datetime | None) -> datetime.datetime | None:
    """Optuna stores UTC without a zone."""
    return None if moment is None else moment.astimezone(datetime.UTC).replace(tzinfo=None)
