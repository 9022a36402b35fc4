"""The processes that have worked on a study: where each ran, with how many threads, and why it ended.

Each has a user attribute of the study to itself, so none can overwrite another's; config.json has a copy of them all.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator
from typing import Any

import optuna

from ferplus_data.files import write_json
from models.device.machine import git_commit, machine, versions
from search.storages.retrying import StorageLost
from search.study.run_directory import RunDirectory

_PREFIX = "process "
_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


class Process:
    """What is recorded of a process, while it runs.

    Attributes:
        because: Why it ends, once that is known.
    """

    because: str | None = None


@contextlib.contextmanager
def recorded(study: optuna.Study, worker: str, command: str) -> Iterator[Process]:
    """Record with `study` that the process `worker` works on it for `command` while the block runs, and why that ends. One that
    is killed leaves a record without an end."""
    key, process = f"{_PREFIX}{worker} {_now()}", Process()
    record = {
        "worker": worker,
        "command": command,
        "began": _now(),
        "ended": None,
        "because": None,
        "machine": machine(),
        "threads": {name: os.environ[name] for name in _THREADS if name in os.environ},
        "versions": versions(),
        "git_commit": git_commit(),
    }
    study.set_user_attr(key, record)
    try:
        yield process
    except BaseException as error:
        process.because = _reason(error)
        raise
    finally:
        with contextlib.suppress(StorageLost):
            study.set_user_attr(key, {**record, "ended": _now(), "because": process.because})


def processes_of(study: optuna.Study) -> list[dict[str, Any]]:
    """Return what is recorded of the processes that worked on `study`, in the order in which they began."""
    found = [record for key, record in study.user_attrs.items() if key.startswith(_PREFIX)]
    return sorted(found, key=lambda record: record["began"])


def copy_to_config(run: RunDirectory, study: optuna.Study) -> None:
    """Write the records into config.json."""
    with contextlib.suppress(StorageLost):
        write_json(run.config, {**run.read_config(), "processes": processes_of(study)})


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat()


def _reason(error: BaseException) -> str:
    """Why a process ends with `error`, in words."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit):  # search.workers.preemption.Preempted is one
        return "stopped by SIGTERM"
    return f"{type(error).__name__}: {error}"[:300]
