"""Signs of life: which process runs a trial, and whether it is still there."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from optuna.trial import TrialState

from search.storages.trial_store import HEARTBEAT, Claim, TrialStore
from search.workers.staleness import Staleness

MANY = 32
"""Running trials for each of which Heartbeat lets one more of its beats pass before it looks for dead workers again."""
_TOKEN = secrets.token_hex(4)  # a container that starts again may have the same host name and process id


class ThisProcess:
    """This process, as a worker that others can tell from theirs."""

    @property
    def name(self) -> str:
        """What stands in a trial's `worker` attribute: host:pid:token."""
        return f"{socket.gethostname()}:{os.getpid()}:{_TOKEN}"

    def is_dead(self, worker: str | None) -> bool:
        """Whether the worker of that name was a process of this machine and is no more."""
        if worker is None or worker == self.name or worker.count(":") < 2:
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


class Watchman:
    """Finds the running trials of workers that are gone: at once those of dead processes of this machine, and after the grace
    period those whose heartbeat does not change any more.

    Args:
        store: The trials.
    """

    def __init__(self, store: TrialStore) -> None:
        self._store, self._worker = store, ThisProcess()
        self._staleness = Staleness(store.storage.grace)
        self._recovered = store.storage.recovered

    def release_lost(self) -> int:
        """Release them; return how many other trials run."""
        running = [trial for trial in self._store.read() if trial.state == TrialState.RUNNING]
        if self._store.storage.recovered != self._recovered:  # while the storage was away nobody could beat
            self._recovered = self._store.storage.recovered
            self._staleness.forget()
        beats = {
            trial.number: (trial.user_attrs.get("attempt"), trial.system_attrs.get(HEARTBEAT))
            for trial in running
        }
        stale = self._staleness.look(beats)
        lost = [
            trial
            for trial in running
            if trial.number in stale or self._worker.is_dead(trial.user_attrs.get("worker"))
        ]
        for trial in lost:
            self._store.release_lost(trial)
        return len(running) - len(lost)


class Heartbeat:
    """A thread that beats for the trials of this process and looks for those of dead ones, while the `with` block runs.

    Args:
        store: The trials.
        claims: Returns those that this process runs.
        lose: Told of one that was taken away: the process had been suspended for longer than the grace.
    """

    def __init__(
        self, store: TrialStore, claims: Callable[[], list[Claim]], lose: Callable[[Claim], None]
    ) -> None:
        self._store, self._claims, self._lose = store, claims, lose
        self._watchman = Watchman(store)
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
        pass_over = 0
        while not self._stop.wait(interval(self._store.storage.grace)):
            try:
                for claim in self._claims():
                    if not self._store.beat(claim) and claim in self._claims():
                        self._lose(claim)
                # Each looks at all: where there are many, the less often.
                if pass_over == 0:
                    pass_over = 1 + self._watchman.release_lost() // MANY
                pass_over -= 1
            except Exception as error:
                # The trial goes on: a missed beat matters only if the storage stays away, and then reporting will say so.
                logging.getLogger(__name__).warning("heartbeat not recorded: %s", error)


def interval(grace: float) -> float:
    """Seconds between two heartbeats."""
    return min(10.0, grace / 4)
