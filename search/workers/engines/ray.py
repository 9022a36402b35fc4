"""Workers as actors of a Ray cluster, which places them on its nodes and starts them again elsewhere when a node is lost."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from ferplus_data.errors import InputError
from search.workers.engines.team import PROGRAM, RESTARTS, Team


def ray(team: Team) -> RayEngine:
    """Return the engine for `team`.

    Raises:
        InputError: Ray is not installed, or there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(
            "--engine ray: expected Ray, which is not installed; pip install -r requirements-ray.txt"
        ) from error
    return RayEngine(team, ray)


class RayEngine:
    """Each actor runs a worker as a process of its own, which ends with it. The nodes share the run directory, or the study has a
    server for its storage and an artifact store.

    Args:
        team: The workers.
        ray: The module.
    """

    def __init__(self, team: Team, ray: Any) -> None:
        self._team, self._ray = team, ray

    def __enter__(self) -> RayEngine:
        team, ray = self._team, self._ray
        if not ray.is_initialized():
            try:
                ray.init(
                    address=team.address,
                    runtime_env={"env_vars": {"PYTHONPATH": str(PROGRAM.parent)}},
                    log_to_driver=False,
                    logging_level="ERROR",
                )
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise InputError(
                    f"--ray-address {team.address}: expected a Ray cluster, found: {error}"
                ) from error
        gpus = team.gpus_per_trial if ray.cluster_resources().get("GPU") else 0
        actor = ray.remote(num_gpus=gpus, num_cpus=1, max_restarts=-1, max_task_retries=-1)(_Worker)
        self._actors = [actor.remote() for _ in range(team.workers)]
        self._restarts = [0] * team.workers
        self._running: dict[Any, int] = {}
        for index in range(team.workers):
            self._start(index)
        return self

    def poll(self) -> bool:
        ended, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        for reference in ended:
            index = self._running.pop(reference)
            try:
                code = self._ray.get(reference)
            except self._ray.exceptions.RayError as error:
                self._team.say(f"worker {index} is lost: {str(error).splitlines()[0][:160]}")
                code = None
            if code == 0:
                continue
            # Ray starts actors again by itself; this is for workers that die while their actor lives.
            if self._restarts[index] < RESTARTS:
                self._restarts[index] += 1
                self._team.say(f"worker {index} ended with exit code {code} and is replaced")
                self._start(index)
        return bool(self._running)

    def __exit__(self, *_: object) -> None:
        for actor in self._actors:
            self._ray.kill(actor)

    def _start(self, index: int) -> None:
        team = self._team
        reference = self._actors[index].work.remote(team.command(), team.environment(1), str(team.log(index)))
        self._running[reference] = index


class _Worker:
    def work(self, command: list[str], environment: dict[str, str], log: str) -> int:
        """Run a worker to its end on the GPUs that Ray has given this actor; return its exit code."""
        with open(log, "ab") as file:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,  # its end tells the worker that this actor is gone
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            return process.wait()
