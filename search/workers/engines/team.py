"""What an engine is given and what it has to offer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from search.study.run_directory import RunDirectory

PROGRAM = Path(__file__).parents[3] / "run_search.py"
"""What a worker runs."""
RESTARTS = 3
"""How often a worker that dies is replaced."""


@dataclass(frozen=True)
class Team:
    """The workers of a search.

    Args:
        run: The study's directory.
        storage: Its database's URL, None for the SQLite file in the directory. It may hold a password, so it is passed on in
            the environment only.
        workers: How many.
        gpus_per_trial: GPUs that each of them sees, where there are any.
        address: Of the cluster, for engines that join one.
        say: Prints a line.
    """

    run: RunDirectory
    storage: str | None
    workers: int
    gpus_per_trial: int
    address: str | None
    say: Callable[[str], None]

    def command(self) -> list[str]:
        """The command line of a worker."""
        runs_dir = str(self.run.path.parent.resolve())
        return [sys.executable, str(PROGRAM), "worker", "--study", self.run.study, "--runs-dir", runs_dir]

    def environment(self, threads: int) -> dict[str, str]:
        """What a worker's environment has beyond this process's: the storage, `threads` for its computations, and that its
        standard input ends with its parent."""
        count = str(threads)
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        storage = {"FERPLUS_STORAGE": self.storage} if self.storage else {}
        return {**dict.fromkeys(names, count), **storage, "FERPLUS_PLACED": "1", "PYTHONUNBUFFERED": "1"}

    def log(self, index: int) -> Path:
        """Where worker number `index` writes what it says."""
        path = self.run.path / "workers" / f"{index}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class Engine(Protocol):
    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def poll(self) -> bool:
        """Replace workers that died; return whether any is at work."""
        ...
