"""Workers as processes of this machine: one GPU (or several) for each, or a share of the CPU's cores."""

from __future__ import annotations

import os
import signal
import subprocess
from types import TracebackType

from ferplus_data.cores import cores
from models.device.gpus import visible_gpus
from search.workers.engines.team import RESTARTS, Team
from search.workers.preemption import GONE_EARLY, SHUTDOWN_SECONDS


def local(team: Team) -> LocalEngine:
    """Return the engine for `team`."""
    return LocalEngine(team, visible_gpus())


class LocalEngine:
    """Each worker is a process in a session of its own, so that Ctrl-C reaches this process alone, which then tells them.

    Args:
        team: The workers.
        gpus: What CUDA_VISIBLE_DEVICES calls the GPUs there are.
    """

    def __init__(self, team: Team, gpus: list[str]) -> None:
        self._team, self._gpus = team, gpus
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._restarts = [0] * team.workers

    def __enter__(self) -> LocalEngine:
        for index in range(self._team.workers):
            self._start(index)
        return self

    def poll(self) -> bool:
        for index, process in list(self._processes.items()):
            code = process.poll()
            if code is None:
                continue
            del self._processes[index]
            if code == 0:
                continue
            what = "was stopped" if code == GONE_EARLY else f"died ({_in_words(code)})"
            if self._restarts[index] == RESTARTS:
                self._team.say(
                    f"worker {index} {what} once more and is not replaced; see {self._team.log(index)}"
                )
                continue
            self._restarts[index] += 1
            self._team.say(f"worker {index} {what} and is replaced")
            self._start(index)
        return bool(self._processes)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(SHUTDOWN_SECONDS + 3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, index: int) -> None:
        team = self._team
        environment = {**os.environ, **team.environment(max(1, cores() // team.workers))}
        if self._gpus:
            first = index * team.gpus_per_trial
            mine = [self._gpus[(first + i) % len(self._gpus)] for i in range(team.gpus_per_trial)]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
        with team.log(index).open("ab") as log:
            self._processes[index] = subprocess.Popen(
                team.command(),
                env=environment,
                stdin=subprocess.PIPE,  # never written to: its end tells the worker that this process is gone
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _in_words(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
