"""Standard streams that anything may be written to: there may be none, and a terminal may not know every letter."""

from __future__ import annotations

import io
import os
import sys


def repair_streams() -> None:
    """Open the null device in the place of each standard stream that is closed, and print what an encoding has no letter for as
    a question mark. With a closed one, the next file that any library opens would take its number, and what is meant for the
    screen would be written into it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(
                sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)
            )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def abandon_output() -> None:
    """Have what is still to be written to standard output go nowhere: its reader has gone, as `head` does."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
