"""SIGTERM, as schedulers send it before they take a machine away: finish the step, hand the trial back, exit with 0 in time.

Python runs signal handlers between two of its own instructions, and a training step in C++ can take longer than there is. So a
thread learns of the signal from the interpreter's wake-up socket. The training asks `check` at every step; if that is not soon
enough, the thread itself does what `at_last` names, and ends the process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

from ferplus_data.console import say

SHUTDOWN_SECONDS = 6.0
"""How long the training has to end by itself. With what follows it stays under the 10 s that are promised."""
_LAST_SECONDS = 2.0
GONE_EARLY = 75
"""Exit code of a placed worker that was told to end before its work was done (sysexits.h: EX_TEMPFAIL)."""

_requested = threading.Event()
_last: list[Callable[[], object]] = []


class Preempted(SystemExit):
    """SIGTERM has come."""


def handle_sigterm(exit_code: int, notice: str) -> None:
    """Answer SIGTERM from now on. To be called from the main thread.

    Args:
        exit_code: Of the process, once it has released what it had.
        notice: Printed on standard error when the signal comes.
    """
    _requested.clear()  # what an earlier command of this process was sent
    # A socket can be made non-blocking on every system, as a pipe cannot.
    receiving, sending = socket.socketpair()
    sending.setblocking(False)
    # Detached, so that it stays open as long as the process.
    signal.set_wakeup_fd(sending.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    threading.Thread(
        target=_wait, args=(receiving, exit_code, notice), name="preemption", daemon=True
    ).start()


def end_with_parent() -> None:
    """Take the end of standard input, a pipe that a parent holds open, for SIGTERM: the parent is gone."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def check() -> None:
    """Raise Preempted if SIGTERM has come."""
    if _requested.is_set():
        raise Preempted(0)


def wait(seconds: float) -> None:
    """Sleep, but raise Preempted as soon as SIGTERM comes."""
    _requested.wait(seconds)
    check()


@contextlib.contextmanager
def at_last(action: Callable[[], object]) -> Iterator[None]:
    """While the block runs, have `action` done before a process is ended that was too busy to end by itself."""
    _last.append(action)
    try:
        yield
    finally:
        _last.remove(action)


def _wait(signals: socket.socket, exit_code: int, notice: str) -> None:
    while signal.SIGTERM not in signals.recv(64):
        pass
    _requested.set()
    say(notice, stream=sys.stderr)
    time.sleep(SHUTDOWN_SECONDS)
    final = threading.Thread(target=lambda: [action() for action in list(_last)], daemon=True)
    final.start()
    final.join(_LAST_SECONDS)
    os._exit(exit_code)
