"""The study's storage: one Optuna study, the single record of truth, that any number of processes can share.

What the project adds to each Optuna trial, as user attributes:
    hyperparameters   the values under the names that the user knows
    worker            host:pid:token of the process that runs it
    error             why it failed
    deaths            how often its worker died
    discarded         why it is no part of the study: it was over the budget or a repetition
A trial whose worker was interrupted or died is failed and queued again as a new Optuna trial, with the lineage in system
attributes under the name that Optuna's own retry gives it. Both are one trial to the user: the last of the line, under the
number and directory of the first.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
import warnings
from collections.abc import Callable, Iterator

import optuna
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from ferplus_data.errors import InputError
from search.run_directory import RunDirectory

HEARTBEAT_SECONDS = 10
GRACE_SECONDS = 120
RETRIES = 3

# The project pins Optuna's release, and what is experimental in it with it.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
# Said of ask-and-tell with a heartbeat, which `heartbeat` below takes care of.
warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used with")


def storage_url(run: RunDirectory, url: str | None) -> str:
    """Return `url`, or that of the SQLite file in the run directory."""
    return url or f"sqlite:///{run.database.resolve()}"


def open_storage(url: str, *, grace: int = GRACE_SECONDS) -> RDBStorage:
    """Connect to the database at the SQLAlchemy `url`.

    Args:
        url: sqlite:///FILE, postgresql+psycopg://..., as SQLAlchemy takes them.
        grace: Seconds without a heartbeat after which a running trial's worker is taken for dead.

    Raises:
        InputError: No such database; the message does not repeat the URL's password.
    """
    # SQLite is asked to wait for other writers instead of failing at once.
    connect = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        return RDBStorage(
            url,
            engine_kwargs=connect,
            heartbeat_interval=HEARTBEAT_SECONDS,
            grace_period=grace,
            heartbeat_stale_trial_callback=_requeue_after_death,
        )
    except Exception as error:
        # SQLAlchemy, the driver and alembic raise what they like; the user needs to know which database it was.
        reason = " ".join(str(error).split()).replace(url, "the URL")[:200]
        raise InputError(
            f"storage {without_password(url)}: expected a database to connect to, found: {reason}"
        ) from error


def without_password(url: str) -> str:
    """Return `url` fit for a screen or a file."""
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}{separator}{credentials.split(':')[0]}:***@{host}" if at else url


def open_study(
    storage: RDBStorage,
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


def lineages(study: optuna.Study) -> list[tuple[int, FrozenTrial]]:
    """Return (number, trial) of every trial that counts: the last Optuna trial of each line of retries, under the number of the
    first, in the order of the numbers."""
    latest: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if "discarded" not in trial.user_attrs:
            latest[number_of(trial)] = trial
    return sorted(latest.items())


def number_of(trial: FrozenTrial) -> int:
    """The trial's number to the user: that of the first of its line."""
    return int(trial.system_attrs.get("failed_trial", trial.number))


def is_continuation(trial: FrozenTrial) -> bool:
    """Whether the trial continues an earlier Optuna trial."""
    return "failed_trial" in trial.system_attrs


def hand_back(study: optuna.Study, optuna_number: int) -> None:
    """Queue a running trial again, to be continued from its checkpoint by whoever comes next."""
    _end_and(_requeue, study, optuna_number)


def hand_back_orphans(study: optuna.Study) -> None:
    """Queue again the trials of workers that are gone: at once those of dead processes of this machine, and after the
    grace period those whose heartbeat has stopped. A trial whose worker has died RETRIES times before stays failed."""
    fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial.user_attrs.get("worker")):
            _end_and(_requeue_after_death, study, trial.number)


def _end_and(
    requeue: Callable[[optuna.Study, FrozenTrial], None], study: optuna.Study, optuna_number: int
) -> None:
    # Of several processes that do so at once, the first has its way.
    try:
        study.tell(optuna_number, state=TrialState.FAIL)
    except (ValueError, optuna.exceptions.UpdateFinishedTrialError):  # finished meanwhile
        return
    requeue(study, study.get_trials(deepcopy=False)[optuna_number])


def _requeue(study: optuna.Study, trial: FrozenTrial, deaths: int = 0) -> None:
    attributes = {name: value for name, value in trial.user_attrs.items() if name != "worker"}
    if deaths:
        attributes["deaths"] = deaths
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs=attributes,
            system_attrs={**trial.system_attrs, "failed_trial": number_of(trial)},
            intermediate_values=trial.intermediate_values,
        )
    )


def _requeue_after_death(study: optuna.Study, trial: FrozenTrial) -> None:
    deaths = trial.user_attrs.get("deaths", 0) + 1
    if deaths <= RETRIES:
        _requeue(study, trial, deaths)


_TOKEN = secrets.token_hex(4)  # a container that starts again may have the same host name and process id


def worker_name() -> str:
    """What stands in a trial's `worker` attribute: host:pid:token."""
    return f"{socket.gethostname()}:{os.getpid()}:{_TOKEN}"


def claim(study: optuna.Study, asked: optuna.Trial) -> None:
    """Put this process's name and first heartbeat to a trial it has just been given."""
    asked.set_user_attr("worker", worker_name())
    _beat(study, asked._trial_id)


def _is_dead(worker: str | None) -> bool:
    """Whether the worker was a process of this machine and is no more."""
    if worker is None or worker == worker_name():
        return False
    host, pid, _ = worker.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    if int(pid) == os.getpid():  # with another token: an earlier life
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _beat(study: optuna.Study, trial_id: int) -> None:
    study._storage.record_heartbeat(trial_id)  # type: ignore[attr-defined]


@contextlib.contextmanager
def heartbeat(study: optuna.Study) -> Iterator[None]:
    """Record the heartbeat of the trials that this process runs from a thread while the block runs. Optuna itself beats only
    inside `study.optimize`."""
    stop = threading.Event()
    me = worker_name()

    def beat() -> None:
        while True:
            try:
                for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                    if trial.user_attrs.get("worker") == me:
                        _beat(study, trial._trial_id)
            except Exception as error:
                # The trial goes on: a missed beat matters only if the storage stays away, and then reporting will say so.
                logging.getLogger(__name__).warning("heartbeat not recorded: %s", error)
            if stop.wait(HEARTBEAT_SECONDS):
                return

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
