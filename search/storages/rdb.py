"""A database as the study's storage: Optuna's own, with a lock for those who hand out trials."""

from __future__ import annotations

import contextlib
import functools
import math
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import filelock
import optuna
import sqlalchemy
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial

from search.storages.retrying import RetryingStorage
from search.storages.trial_cache import TrialCache
from search.storages.trial_rows import Left, TrialRows, read_tables

LOCK_SECONDS = 60.0
"""How long the lock is waited for. Whoever has it for longer is suspended; then it is done without."""
_BUSY_SECONDS = 60
"""How long SQLite waits for another writer instead of failing at once."""


class DatabaseStorage(RetryingStorage):
    """Optuna's `RDBStorage`, with a cache of what does not change.

    Args:
        url: As SQLAlchemy takes it.
        shown_url, grace, max_deaths: Of `RetryingStorage`.
    """

    def __init__(self, url: str, *, shown_url: str, grace: float, max_deaths: int) -> None:
        options = {"connect_args": {"timeout": _BUSY_SECONDS}} if url.startswith("sqlite") else {}
        self.database = RDBStorage(url, options)
        super().__init__(
            self.database,
            shown_url=shown_url,
            is_outage=is_outage,
            grace=grace,
            max_deaths=max_deaths,
        )
        self._numbers: dict[int, int] = {}  # of trials begun here, by their ids

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

    # What every trial does, in few statements ------------------------------------------------------------------------

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        if template_trial is None or _has_values(template_trial):
            return super().create_new_trial(study_id, template_trial)

        def again() -> tuple[int, int]:
            known = self.find_made_of(study_id, template_trial)
            if known is None:
                return self._rows.begin(study_id, template_trial)
            return known, self.storage.get_trial_number_from_id(known)

        trial_id, number = self.call(lambda: self._rows.begin(study_id, template_trial), again)
        self._numbers[trial_id] = number
        return trial_id

    def get_trial_number_from_id(self, trial_id: int) -> int:
        if trial_id in self._numbers:
            return self._numbers[trial_id]
        return super().get_trial_number_from_id(trial_id)

    def read_trials(self, study_id: int) -> list[FrozenTrial]:
        """As in `RetryingStorage`; what has ended or rests is known from before."""
        return self._trials.read(study_id)

    def delete_study(self, study_id: int) -> None:
        super().delete_study(study_id)
        self._trials.forget(study_id)

    def report(self, trial_id: int, step: int, value: float, owner: Mapping[str, Any]) -> bool:
        """As in `RetryingStorage`; whether the trial is still its worker's is looked at in the same moment."""
        if not math.isfinite(value):
            return super().report(trial_id, step, value, owner)
        return self.call(lambda: self._rows.report(trial_id, step, value, owner))

    def leave(self, trial_id: int, owner: Mapping[str, Any], left: Left) -> bool:
        """As in `RetryingStorage`; whether the trial is still its worker's is looked at in the same moment."""
        if not math.isfinite(left.value or 0.0):
            return super().leave(trial_id, owner, left)

        def leave() -> bool:
            return self._rows.leave(trial_id, owner, left)

        def again() -> bool:
            if leave():
                return True
            trial = self.storage.get_trial(trial_id)  # left by the call before?
            return trial.state == left.state and left.user_attributes.items() <= trial.user_attrs.items()

        return self.call(leave, again)

    def __getstate__(self) -> dict[str, Any]:
        own = ("_tables", "_rows", "_trials")  # of this process's connections
        return {name: value for name, value in self.__dict__.items() if name not in own}

    @functools.cached_property
    def _tables(self) -> dict[str, sqlalchemy.Table]:
        return read_tables(self.database.engine)

    @functools.cached_property
    def _rows(self) -> TrialRows:
        return TrialRows(self.database.engine, self._tables)

    @functools.cached_property
    def _trials(self) -> TrialCache:
        return TrialCache(self.database.engine, self._tables)


class _LockNotGiven(Exception):
    """Another process has had the lock for all the time that it was waited for."""


def _has_values(trial: FrozenTrial) -> bool:
    return trial.values is not None or bool(trial.intermediate_values)


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
