"""Ctrl-C and SIGTERM, as they end a command."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import Any

from ferplus_data.console import program, say
from search.commands.command_line import DONE, INTERRUPTED
from search.storages.redaction import redact


class Interruptible:
    """Turns Ctrl-C into the exit code 130, and SIGTERM into 0 as soon as what was under way is released; both into the command
    that goes on. After the block, `code` is the exit code."""

    code = DONE

    def __enter__(self) -> Interruptible:
        from search.workers import preemption

        # A worker that another process has placed ends with it, and tells it whether it had to.
        placed = os.environ.get("FERPLUS_PLACED") is not None
        self._stopped = preemption.GONE_EARLY if placed else DONE
        # Explicitly: a shell that starts a job in the background has it ignore SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        preemption.handle_sigterm(self._stopped, f"stopped by SIGTERM; {_continuation()}")
        if placed:
            preemption.end_with_parent()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        if kind is KeyboardInterrupt:
            say(f"interrupted; {_continuation()}", stream=sys.stderr)
            self.code = INTERRUPTED
            return True
        if kind is not None and kind.__name__ == "Preempted":
            self.code = self._stopped
            return True
        return False


def _continuation() -> str:
    words = shlex.join(redact(word) for word in sys.argv[1:] if word != "--fresh")
    return f"nothing finished is lost. To continue: {program(path=True)} {words}"
