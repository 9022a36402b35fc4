"""The study's storage: one Optuna study, the single record of truth, that any number of processes can share.

What the project adds to each Optuna trial, as user attributes; words in capitals stand for what differs:
    state               what Optuna's own state does not tell (search.storages.trial_life)
    worker              host:pid:token of the process that runs it
    attempt             how many workers have had it
    attempt N           which of them was the N-th, and from when to when it had it
    error               why it failed
    failures            how often it failed and was tried again, where max_retries_per_trial allows that
    deaths              how often its worker died
    ended_early         how much more time it took than --trial-timeout allows
    times               seconds of each part of it
    seconds_per_epoch   mean over its epochs
    network             how many parameters its network has, and the bytes of them
    prefix_cache        what the prefix cache did for it
    source              which source of the portfolio suggested it, or that it is a known recipe
    kernel              the parameters of the portfolio's Gaussian process, where they were fitted for it
    keras_tuner_trial   the id that one of Keras Tuner's own oracles has for it
as system attributes of the trial, beside what Optuna's samplers note there:
    heartbeat           the last sign of life of its worker
and to the study, as user attributes:
    made_by             that it is a study of this program, and the version of this list
    config              config.json, for workers without the run directory
    deadline            when search and retraining are to be over, in seconds since 1970
    process WHICH       what is known of a process that worked on it (search.study.processes)
    evidence: SOURCE    results from elsewhere that samplers are shown (search.storages.evidence)
    hyperparameters     what the models that were built have declared, where no space was given before
"""

from __future__ import annotations

import logging
import time
import warnings

import optuna
import sqlalchemy
from optuna.study import StudyDirection

from ferplus_data.errors import InputError
from search.storages import GRACE_SECONDS, MAX_DEATHS
from search.storages.redaction import redact
from search.storages.retrying import RetryingStorage
from search.storages.trial_store import TrialStore
from search.storages.urls import SCHEMES, check_url, scheme_of

OBJECTIVE = "val_accuracy"
"""What a study maximises; its metric's name in the database."""
MADE_BY = {"program": "ferplus-tuner", "version": 2}
"""The study attribute `made_by`. Version 1 had none, and a trial of it could be several rows."""

# The project pins Optuna's release, and what is experimental in it with it.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def open_storage(
    url: str, *, grace: float = GRACE_SECONDS, max_deaths: int = MAX_DEATHS, wait: float = 0
) -> RetryingStorage:
    """Connect to the database at `url`.

    Args:
        url: sqlite:///FILE, postgresql+psycopg://..., as SQLAlchemy takes them, or grpc://HOST:PORT of Optuna's proxy.
        grace: Seconds without a heartbeat after which a running trial's worker is taken for dead.
        max_deaths: How many deaths of its workers a trial survives.
        wait: Seconds to go on trying while nothing answers there.

    Raises:
        InputError: No such database; the message does not repeat the URL's password.
    """
    check_url(url, redact(url))
    make = SCHEMES[scheme_of(url)].open
    began = time.monotonic()
    while True:
        try:
            return make(url, shown_url=redact(url), grace=grace, max_deaths=max_deaths)
        except InputError:
            raise
        except Exception as error:
            longest = _BIRTH_SECONDS if _is_being_made(error) else wait
            not_yet = isinstance(error, (sqlalchemy.exc.DBAPIError, ConnectionError))
            if not_yet and time.monotonic() - began < longest:
                time.sleep(0.5)
                continue
            # SQLAlchemy, the driver and alembic raise what they like; the user needs to know which database it was.
            reason = redact(" ".join(str(error).replace(url, "the URL").split()))[:200]
            raise InputError(
                f"storage {redact(url)}: expected a database to connect to, found: {reason}"
            ) from error


_BIRTH_SECONDS = 20.0


def _is_being_made(error: Exception) -> bool:
    """Whether another process made the tables at the same moment; Optuna looks first and makes them then."""
    return any(sign in str(error) for sign in ("already exists", "UNIQUE constraint", "duplicate key"))


def open_study(
    storage: RetryingStorage, name: str, *, direction: str = "maximize", metric: str = OBJECTIVE
) -> TrialStore:
    """Return the trials of the study `name`, made now if there is none.

    Args:
        storage: Of `open_storage` or `memory`.
        name: The study's.
        direction: maximize or minimize.
        metric: Name of what is.

    Raises:
        InputError: There is one, and it is not of this program, of a version before, or of another direction.
    """
    quiet()
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, direction=StudyDirection[direction.upper()]
        )
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(study_name=name, storage=storage)
        if _is_ours(study, storage, direction):
            return TrialStore(storage, name)
    study.set_metric_names([metric])
    study.set_user_attr("made_by", MADE_BY)
    return TrialStore(storage, name)


def memory() -> RetryingStorage:
    """Return a storage in this process's memory, for an oracle that nobody continues."""
    return RetryingStorage(
        optuna.storages.InMemoryStorage(),
        shown_url="in memory",
        is_outage=_never,
        grace=GRACE_SECONDS,
        max_deaths=MAX_DEATHS,
    )


def _never(error: Exception) -> bool:
    return False


def _is_ours(study: optuna.Study, storage: RetryingStorage, direction: str) -> bool:
    """Whether `study` has been made by this program; False if another process is at it just now.

    Raises:
        InputError: It has been made by another program, or by an earlier version.
    """
    trials, place = len(study.get_trials(deepcopy=False)), f"study {study.study_name} in {storage.shown_url}"
    same = study.directions == [StudyDirection[direction.upper()]]
    attributes = study.user_attrs
    if attributes.get("made_by") == MADE_BY and same:
        return True
    config = attributes.get("config")
    if "made_by" not in attributes and isinstance(config, dict) and config.get("version") == 1:
        raise InputError(
            f"{place}: was begun by an earlier version of this program, whose trials are kept otherwise; it can be reported, "
            "and a new one started with another --study"
        )
    if trials or attributes or not same:
        directions = ", ".join(one.name.lower() for one in study.directions)
        raise InputError(
            f"{place}: expected a study of this program that is to {direction}, found one that another has made ({directions}, "
            f"{trials} trials); give another --study"
        )
    return False


def quiet() -> None:
    """Keep Optuna's log of every call off the screen; warnings stay."""
    optuna.logging.set_verbosity(logging.WARNING)
