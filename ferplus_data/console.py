"""What a person is told, on the screen and in the log file, what is seen of work that takes long, and what this program is
called."""

from __future__ import annotations

import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from .errors import InputError

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all) now and then."""

EVERY = 20.0  # seconds between two lines where there is no terminal
_LINES = logging.getLogger("ferplus-tuner")
_LINES.setLevel(logging.INFO)
_LINES.propagate = False  # on the screen they are already


def say(text: str, *, stream: TextIO | None = None) -> None:
    """Print `text`, on standard output or another `stream`, and add its lines to the log file, if there is one."""
    log(text)
    print(text, file=stream, flush=True)


def log(text: str) -> None:
    """Add the lines of `text`, which is shown otherwise or not at all, to the log file, if there is one."""
    for line in text.splitlines():
        _LINES.info("%s", line)


@contextmanager
def logged_to(path: Path | None) -> Iterator[None]:
    """Have every line that is said while the block runs, and the warnings of the libraries, added with their time to the log file
    at `path`; None: there is none.

    Raises:
        InputError: It cannot be written.
    """
    if path is None:
        yield
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise InputError(f"--log-file {path}: expected a file to write to: {error.strerror}") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root = logging.getLogger()
    # Python shows warnings by itself only as long as there is no handler.
    shown = [] if root.handlers or logging.lastResort is None else [logging.lastResort]
    added = [(_LINES, handler), (root, handler), *((root, one) for one in shown)]
    for logger, one in added:
        logger.addHandler(one)
    try:
        yield
    except BaseException as error:
        log(f"ended: {type(error).__name__}: {error}")
        raise
    finally:
        for logger, one in added:
            logger.removeHandler(one)
        handler.close()


def program(*, path: bool = False) -> str:
    """What a command line of this program begins with, as it was called: `ferplus-tuner`, or `python run_search.py`.

    Args:
        path: Say where run_search.py lies, for the user who has called it from elsewhere.
    """
    called = Path(sys.argv[0])
    if called.stem == "ferplus-tuner":
        return called.stem
    return shlex.join(["python", sys.argv[0] if path else "run_search.py"])


@contextmanager
def progress_line(text: str) -> Iterator[Progress]:
    """A progress bar on stderr, gone when the work is done; where stderr is no terminal, a line now and then."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    said = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal said
        bar.update(task, completed=done, total=total)
        if not console.is_terminal and time.monotonic() - said > EVERY:
            said = time.monotonic()
            say(f"{text}: {done / max(total, 1):.0%}", stream=sys.stderr)

    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(text), total=None)
        yield show
