"""The study's storage: one Optuna study, the single record of truth, that any number of processes can share.

What the project adds to each Optuna trial, as user attributes:
    hyperparameters   the values under the names that the user knows
    worker            host:pid:token of the process that runs it
    error             why it failed
    deaths            how often its worker died
    handed_back       its worker gave it up
    discarded         why it is no part of the study: it was over the budget or a repetition
and to the study:
    config            config.json, for workers without the run directory
    deadline          when search and retraining are to be over, in seconds since 1970
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from typing import Any

import optuna
import sqlalchemy

from ferplus_data.errors import InputError
from search.storages.cached import ReadingStorage
from search.storages.rdb import PatientStorage
from search.storages.redaction import redact
from search.storages.retrying import Patience
from search.storages.urls import check_url
from search.study.config import GRACE_SECONDS, RETRIES
from search.study.run_directory import RunDirectory

# The project pins Optuna's release, and what is experimental in it with it.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
# Said of ask-and-tell with a heartbeat, which `search.workers.heartbeat` takes care of.
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with")


def storage_url(run: RunDirectory, url: str | None) -> str:
    """Return `url`, or that of the SQLite file in the run directory."""
    return url or f"sqlite:///{run.database.resolve()}"


def open_storage(
    url: str, *, grace: float = GRACE_SECONDS, retries: int = RETRIES, wait: float = 0, alone: bool = False
) -> ReadingStorage:
    """Connect to the database at `url`.

    Args:
        url: sqlite:///FILE, postgresql+psycopg://..., as SQLAlchemy takes them, or grpc://HOST:PORT of Optuna's proxy.
        grace: Seconds without a heartbeat after which a running trial's worker is taken for dead.
        retries: How many deaths of its workers a trial survives.
        alone: Whether one thread is all that uses it, which a database in memory suffices for.
        wait: Seconds to go on trying while nothing answers there.

    Raises:
        InputError: No such database; the message does not repeat the URL's password.
    """
    check_url(url, redact(url), alone=alone)
    make = _BY_SCHEME.get(url.partition("://")[0], PatientStorage)
    began = time.monotonic()
    while True:
        try:
            return ReadingStorage(make(url, shown_url=redact(url), grace=grace, retries=retries))
        except InputError:
            raise
        except Exception as error:
            patience = _BIRTH_SECONDS if _is_being_made(error) else wait
            not_yet = isinstance(error, (sqlalchemy.exc.DBAPIError, ConnectionError))
            if not_yet and time.monotonic() - began < patience:
                time.sleep(0.5)
                continue
            # SQLAlchemy, the driver and alembic raise what they like; the user needs to know which database it was.
            reason = redact(" ".join(str(error).replace(url, "the URL").split()))[:200]
            raise InputError(
                f"storage {redact(url)}: expected a database to connect to, found: {reason}"
            ) from error


def _proxy(url: str, **options: Any) -> Patience:
    try:
        from search.storages.grpc_proxy import ProxyStorage
    except (
        ImportError,
        RuntimeError,
    ) as error:  # the latter is said by Optuna's generated code of older ones
        raise InputError(
            f"storage {url}: expected the packages grpcio and protobuf, found: {' '.join(str(error).split())}; install them "
            "with: pip install -r requirements.txt"
        ) from error
    return ProxyStorage(url, **options)


_BY_SCHEME: dict[str, Callable[..., Patience]] = {"grpc": _proxy}
"""What is not a database itself, by its URL's scheme."""
_BIRTH_SECONDS = 20.0


def _is_being_made(error: Exception) -> bool:
    """Whether another process made the tables at the same moment; Optuna looks first and makes them then."""
    return any(sign in str(error) for sign in ("already exists", "UNIQUE constraint", "duplicate key"))


def open_study(
    storage: ReadingStorage,
    name: str,
    *,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> optuna.Study:
    """Return the study `name`, made now if there is none; validation accuracy is maximised."""
    quiet()
    return optuna.create_study(
        storage=storage,
        study_name=name,
        direction="maximize",
        sampler=sampler,
        pruner=pruner,
        load_if_exists=True,
    )


def quiet() -> None:
    """Keep Optuna's log of every call off the screen; warnings stay."""
    optuna.logging.set_verbosity(logging.WARNING)
