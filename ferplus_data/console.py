"""What a person sees of work that takes long, and by what name this program is called."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with (steps done, steps in all) now and then."""


EVERY = 20.0  # seconds between two lines where there is no terminal


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
            console.print(f"{escape(text)}: {done / max(total, 1):.0%}")

    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(escape(text), total=None)
        yield show
