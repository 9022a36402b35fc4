"""The processes that have worked on a study: where each ran, with how many threads, and why it ended.

Each has a user attribute of the study to itself, so none can overwrite another's; config.json has a copy of them all.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator
from typing import Any

import optuna

from models.device.machine import git_commit, machine, threads, versions
from search.storages.retrying import StorageLost
from search.study.run_directory import RunDirectory

_PREFIX = "process "


class Process:
    """What is recorded of a process, while it runs.

    Attributes:
        because: Why it ends, once that is known.
    """

    because: str | None = None


@contextlib.contextmanager
def recorded(study: optuna.Study, run: RunDirectory, worker: str, command: str) -> Iterator[Process]:
    """Record with `study`, and in the config.json of `run`, that the process `worker` works on it for `command` while the block
    runs, and why that ends. One that is killed leaves a record without an end."""
    key, process = f"{_PREFIX}{worker} {_now()}", Process()
    record = {
        "worker": worker,
        "command": command,
        "began": _now(),
        "ended": None,
        "because": None,
        "machine": machine(),
        "threads": threads(),
        "versions": versions(),
        "git_commit": git_commit(),
    }
    _keep(study, run, key, record)
    try:
        yield process
    except BaseException as error:
        process.because = _reason(error)
        raise
    finally:
        with contextlib.suppress(StorageLost):
            _keep(study, run, key, {**record, "ended": _now(), "because": process.because})


def processes_of(study: optuna.Study) -> list[dict[str, Any]]:
    """Return what is recorded of the processes that worked on `study`, in the order in which they began."""
    found = [record for key, record in study.user_attrs.items() if key.startswith(_PREFIX)]
    return sorted(found, key=lambda record: record["began"])


def _keep(study: optuna.Study, run: RunDirectory, key: str, record: dict[str, Any]) -> None:
    study.set_user_attr(key, record)
    run.update_config(processes=processes_of(study))


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


def _reason(error: BaseException) -> str:
    """Why a process ends with `error`, in words."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit):  # search.workers.preemption.Preempted is one
        return "stopped by SIGTERM"
    return f"{type(error).__name__}: {error}"[:300]
