"""The trials of a study, read from Optuna's database with no more than may have changed.

Optuna's own cache reads every trial that has not ended each time anew, object by object, and most trials of a long search rest:
of 1,000 trials some 900, for half a second and more each time that anyone asks.
"""

from __future__ import annotations

import datetime
import functools
import json
import math
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.storages.trial_life import STATE, State

_AT_ONCE = 500
"""Trials that one statement names: SQLite before 3.32 takes 999 parameters."""
_NOT_FINITE = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}
"""What Optuna stores in place of a number's value."""


@dataclass
class _Known:
    """What is known of a study: its trials by their ids, and those of them that had not ended."""

    trials: dict[int, FrozenTrial] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    newest: int = -1


class TrialCache:
    """The trials in the database of `engine`, whose `tables` are Optuna's. Several threads may use one.

    A trial is read again until it has ended or rests. One that rests changes only when a worker takes it, which counts its
    attempts; an attribute that another program gives it meanwhile is seen when it goes on.
    """

    def __init__(self, engine: sqlalchemy.Engine, tables: Mapping[str, sqlalchemy.Table]) -> None:
        self._engine, self._tables = engine, tables
        self._studies: dict[int, _Known] = defaultdict(_Known)
        self._lock = threading.Lock()

    def read(self, study_id: int) -> list[FrozenTrial]:
        """Return the trials of the study as they are now, in the order of their numbers. They are not to be changed.

        Raises:
            KeyError: There is no such study.
        """
        with self._lock, self._engine.connect() as connection:
            known = self._studies[study_id]
            changed = self._changed(connection, study_id, known)
            for first in range(0, len(changed), _AT_ONCE):
                for trial_id, trial in self._trials(connection, changed[first : first + _AT_ONCE]):
                    known.trials[trial_id] = trial
                    known.newest = max(known.newest, trial_id)
                    (known.open.discard if trial.state.is_finished() else known.open.add)(trial_id)
            return sorted(known.trials.values(), key=lambda trial: trial.number)

    def forget(self, study_id: int) -> None:
        """Know nothing of the study any more: it is deleted, and its id may be given to another."""
        with self._lock:
            self._studies.pop(study_id, None)

    def _changed(self, connection: sqlalchemy.Connection, study_id: int, known: _Known) -> list[int]:
        """The ids of trials that are new or may be others than they were, ascending."""
        studies = self._tables["studies"].c
        found = connection.execute(sqlalchemy.select(studies.study_id).where(studies.study_id == study_id))
        if found.one_or_none() is None:
            self._studies.pop(study_id)
            raise KeyError(f"study {study_id}: expected one of the storage")
        trials, attributes = self._tables["trials"], self._tables["trial_user_attributes"]
        attempt = sqlalchemy.and_(attributes.c.trial_id == trials.c.trial_id, attributes.c.key == "attempt")
        # A study's trials get their ids in the order in which they come to be seen: Optuna locks the study meanwhile.
        open_or_new = sqlalchemy.or_(
            trials.c.state.in_(("RUNNING", "WAITING")), trials.c.trial_id > known.newest
        )
        rows = connection.execute(
            sqlalchemy.select(trials.c.trial_id, trials.c.state, attributes.c.value_json)
            .select_from(trials.outerjoin(attributes, attempt))
            .where(trials.c.study_id == study_id, open_or_new)
        ).all()
        same = {
            trial_id
            for trial_id, state, value in rows
            if state == "WAITING" and _rests(known.trials.get(trial_id), value)
        }
        return sorted(known.open.union(trial_id for trial_id, *_ in rows) - same)

    def _trials(
        self, connection: sqlalchemy.Connection, ids: Sequence[int]
    ) -> Iterator[tuple[int, FrozenTrial]]:
        trials = self._tables["trials"]
        heads = connection.execute(sqlalchemy.select(trials).where(trials.c.trial_id.in_(ids))).all()
        # The attributes come before what a trial has reported: who knows its attempt must not miss what came of it.
        user_attributes = self._rows(connection, "trial_user_attributes", ids)
        system_attributes = self._rows(connection, "trial_system_attributes", ids)
        params = self._rows(connection, "trial_params", ids)
        reported = self._rows(connection, "trial_intermediate_values", ids)
        values = self._rows(connection, "trial_values", ids)
        for head in heads:
            of_trial = head.trial_id
            distributions = {row.param_name: _distribution(row.distribution_json) for row in params[of_trial]}
            yield (
                of_trial,
                FrozenTrial(
                    number=head.number,
                    trial_id=of_trial,
                    state=TrialState[head.state],
                    value=None,
                    values=[
                        _number(row.value, row.value_type)
                        for row in sorted(values[of_trial], key=lambda row: row.objective)
                    ]
                    or None,
                    datetime_start=_local(head.datetime_start),
                    datetime_complete=_local(head.datetime_complete),
                    params={
                        row.param_name: distributions[row.param_name].to_external_repr(row.param_value)
                        for row in params[of_trial]
                    },
                    distributions=distributions,
                    user_attrs={row.key: json.loads(row.value_json) for row in user_attributes[of_trial]},
                    system_attrs={row.key: json.loads(row.value_json) for row in system_attributes[of_trial]},
                    intermediate_values={
                        row.step: _number(row.intermediate_value, row.intermediate_value_type)
                        for row in reported[of_trial]
                    },
                ),
            )

    def _rows(
        self, connection: sqlalchemy.Connection, table: str, ids: Sequence[int]
    ) -> dict[int, list[Any]]:
        """Trial's id -> its rows of the table, in the order in which they were written."""
        columns = self._tables[table].c
        key = next(iter(self._tables[table].primary_key))
        found: dict[int, list[Any]] = defaultdict(list)
        rows = sqlalchemy.select(*columns).where(columns.trial_id.in_(ids)).order_by(key)
        for row in connection.execute(rows):
            found[row.trial_id].append(row)
        return found


def _rests(trial: FrozenTrial | None, attempt: str | None) -> bool:
    """Whether a trial, known as `trial`, still rests as it did, now that it waits and its attempts are `attempt`, in JSON."""
    if trial is None or trial.state != TrialState.WAITING or attempt is None:
        return False
    attributes = trial.user_attrs
    return attributes.get(STATE) == State.RESTING and attributes.get("attempt") == _number_in(attempt)


@functools.lru_cache(maxsize=1000)
def _number_in(text: str) -> Any:
    return json.loads(text)


@functools.lru_cache(maxsize=1000)
def _distribution(text: str) -> BaseDistribution:
    return optuna.distributions.json_to_distribution(text)


def _number(value: float | None, kind: str) -> float:
    return _NOT_FINITE[kind] if value is None else value


def _local(moment: datetime.datetime | None) -> datetime.datetime | None:
    """Optuna stores UTC without a zone, and shows local time without one."""
    return None if moment is None else moment.replace(tzinfo=datetime.UTC).astimezone().replace(tzinfo=None)
