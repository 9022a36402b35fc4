"""Signs of life: which process runs a trial, and whether it is still there."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from types import TracebackType

import optuna
from optuna.trial import TrialState

from search.storages.attempts import hand_back_stale
from search.storages.cached import held

MANY = 32
"""Running trials for each of which Heartbeat lets one more of its beats pass before it looks for dead workers again."""
_TOKEN = secrets.token_hex(4)  # a container that starts again may have the same host name and process id


def worker_name() -> str:
    """What stands in a trial's `worker` attribute: host:pid:token."""
    return f"{socket.gethostname()}:{os.getpid()}:{_TOKEN}"


def claim(study: optuna.Study, asked: optuna.Trial) -> None:
    """Put this process's name and first heartbeat to a trial it has just been given."""
    study._storage.backend.write_trial(asked._trial_id, {"worker": worker_name()}, beat=True)  # type: ignore[attr-defined]


def hand_back_orphans(study: optuna.Study) -> int:
    """Queue again the trials of workers that are gone: at once those of dead processes of this machine, and after the
    grace period those whose heartbeat has stopped. Return how many run."""
    stale = study._storage._get_stale_trial_ids(study._study_id)  # type: ignore[attr-defined]
    with held(study):
        hand_back_stale(study, stale)
        return hand_back_dead(study)


def hand_back_dead(study: optuna.Study) -> int:
    """Queue again, in a study that is held, the trials of dead processes of this machine, and what a dying one left failed.
    Return how many of the others run."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    dead = [trial._trial_id for trial in running if _is_dead(trial.user_attrs.get("worker"))]
    hand_back_stale(study, dead)
    return len(running) - len(dead)


def _is_dead(worker: str | None) -> bool:
    """Whether the worker was a process of this machine and is no more."""
    if worker is None or worker == worker_name():
        return False
    host, pid, _ = worker.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    if int(pid) == os.getpid():  # with another token: an earlier life
        return True
    if os.name == "nt":  # where signal 0 is Ctrl-C; what has died there is found by its heartbeat
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


class Heartbeat:
    """A thread that beats for the trials of this process and looks for those of dead ones, while the `with` block runs. Optuna
    itself beats only inside `study.optimize`.

    Args:
        study: Its storage says how often.
        running: Returns Optuna's ids of the trials that this process runs.
        lost: Told the id of one that was taken away: the process had been held up for longer than the grace.
    """

    def __init__(
        self, study: optuna.Study, running: Callable[[], list[int]], lost: Callable[[int], None]
    ) -> None:
        self._study, self._running, self._lost = study, running, lost
        self._interval = study._storage.get_heartbeat_interval()  # type: ignore[attr-defined]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        # It may be waiting for a storage that is away; it is a daemon, so the process need not wait for it.
        self._thread.join(timeout=1)

    def _beat(self) -> None:
        storage = self._study._storage
        pass_over = 0
        while not self._stop.wait(self._interval):
            try:
                for trial_id in self._running():
                    storage.record_heartbeat(trial_id)  # type: ignore[attr-defined]
                    if storage.get_trial(trial_id).state == TrialState.FAIL and trial_id in self._running():
                        self._lost(trial_id)
                # Each looks at all: where there are many, the less often.
                if pass_over == 0:
                    pass_over = 1 + hand_back_orphans(self._study) // MANY
                pass_over -= 1
            except Exception as error:
                # The trial goes on: a missed beat matters only if the storage stays away, and then reporting will say so.
                logging.getLogger(__name__).warning("heartbeat not recorded: %s", error)
