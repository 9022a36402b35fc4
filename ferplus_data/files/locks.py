"""Locks between processes, by files that a process which dies no longer holds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock


@contextlib.contextmanager
def locked(
    path: Path,
    *,
    on_wait: Callable[[], object] = lambda: None,
    every: float = 0.5,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[bool]:
    """Hold the lock file `path` for the block, which is told whether another process had it before.

    Args:
        path: Made if need be, and left there: who removes a lock file may remove another's lock.
        on_wait: Called once if another process holds it.
        every: Seconds between two tries.
        pause: Waits some seconds; may raise to give up.

    Example:
        with locked(folder / ".lock", on_wait=lambda: print("another process is at it")) as waited:
            ...
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path, thread_local=False)
    waited = False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except filelock.Timeout:
            if not waited:
                on_wait()
                waited = True
            pause(every)
    try:
        yield waited
    finally:
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock file `path`."""
    if not path.exists():
        return False
    lock = filelock.FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False
