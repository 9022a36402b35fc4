"""A database as the study's storage: Optuna's own, with a lock for those who hand out trials."""

from __future__ import annotations

import contextlib
import functools
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import filelock
import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from sqlalchemy.dialects import postgresql, sqlite

from search.storages.retrying import RetryingStorage

LOCK_SECONDS = 60.0
"""How long the lock is waited for. Whoever has it for longer is suspended; then it is done without."""
_BUSY_SECONDS = 60
"""How long SQLite waits for another writer instead of failing at once."""
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class DatabaseStorage(RetryingStorage):
    """Optuna's `RDBStorage`, with its cache of ended trials.

    Args:
        url: As SQLAlchemy takes it.
        shown_url, grace, retries: Of `RetryingStorage`.
    """

    def __init__(self, url: str, *, shown_url: str, grace: float, retries: int) -> None:
        options = {"connect_args": {"timeout": _BUSY_SECONDS}} if url.startswith("sqlite") else {}
        self.database = RDBStorage(url, options)
        super().__init__(
            optuna.storages.get_storage(self.database),
            shown_url=shown_url,
            is_outage=is_outage,
            grace=grace,
            retries=retries,
        )

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Let one process at a time into the block for the study `name`. The value is False where the lock was not to be had."""
        url = self.database.engine.url
        with contextlib.ExitStack() as locks:
            try:
                if url.get_backend_name() == "sqlite":
                    locks.enter_context(filelock.FileLock(_lock_file(url), timeout=LOCK_SECONDS))
                elif url.get_backend_name() == "postgresql":
                    connection = self.call(lambda: self._advisory_lock(name))
                    # Closing gives the lock back; a connection that has broken has given it back.
                    locks.callback(lambda: _close(connection))
                else:
                    yield False
                    return
            except (filelock.Timeout, _LockNotGiven):
                yield False
                return
            yield True

    def _advisory_lock(self, name: str) -> sqlalchemy.Connection:
        connection = self.database.engine.connect()
        try:
            connection.execute(sqlalchemy.text(f"SET LOCAL lock_timeout = {int(1000 * LOCK_SECONDS)}"))
            key = zlib.crc32(f"ferplus-tuner {name}".encode())
            connection.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
        except sqlalchemy.exc.OperationalError as error:
            _close(connection)
            if "lock timeout" in str(error):
                raise _LockNotGiven from error
            raise
        except BaseException:
            _close(connection)
            raise
        return connection

    def report(self, trial_id: int, step: int, value: float, owner: Mapping[str, Any]) -> bool:
        """As in `RetryingStorage`, in one statement where Optuna's own takes nine: it is the call that is made most, and whether
        the trial is still its worker's is looked at in the same moment."""
        if self.database.engine.name not in _INSERTS or not math.isfinite(value):
            return super().report(trial_id, step, value, owner)
        return self.call(lambda: self._insert(trial_id, step, value, owner))

    def _insert(self, trial_id: int, step: int, value: float, owner: Mapping[str, Any]) -> bool:
        values, trials, attributes = self._tables
        new = {"intermediate_value": value, "intermediate_value_type": "FINITE"}
        row = {"trial_id": trial_id, "step": step, **new}
        conditions = [
            sqlalchemy.exists().where(trials.c.trial_id == trial_id, trials.c.state == "RUNNING"),
            *(
                sqlalchemy.exists().where(
                    attributes.c.trial_id == trial_id,
                    attributes.c.key == key,
                    attributes.c.value_json == json.dumps(wanted),
                )
                for key, wanted in owner.items()
            ),
        ]
        selected = sqlalchemy.select(
            *(sqlalchemy.literal(v, values.c[name].type) for name, v in row.items())
        ).where(*conditions)
        insert = _INSERTS[self.database.engine.name](values).from_select([*row], selected)
        upsert = insert.on_conflict_do_update(index_elements=["trial_id", "step"], set_=new)
        with self.database.engine.begin() as connection:
            return connection.execute(upsert, execution_options={"preserve_rowcount": True}).rowcount == 1

    @functools.cached_property
    def _tables(self) -> list[sqlalchemy.Table]:
        names = ("trial_intermediate_values", "trials", "trial_user_attributes")
        metadata = sqlalchemy.MetaData()
        return [sqlalchemy.Table(name, metadata, autoload_with=self.database.engine) for name in names]


class _LockNotGiven(Exception):
    """Another process has had the lock for all the time that it was waited for."""


def _lock_file(url: sqlalchemy.URL) -> str:
    """The file beside the SQLite database by which processes take turns."""
    name = url.database or ""
    return f"{unquote(urlsplit(name).path) if name.startswith('file:') else name}.lock"


def _close(connection: sqlalchemy.Connection) -> None:
    with contextlib.suppress(sqlalchemy.exc.SQLAlchemyError):
        connection.close()


def is_outage(error: Exception) -> bool:
    """Whether `error` says that the database was not reached, or could not answer now."""
    cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
    return isinstance(cause, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)) or (
        isinstance(cause, sqlalchemy.exc.DBAPIError) and cause.connection_invalidated
    )
