"""Searches as processes that can be killed, and what they leave behind."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from search.storages.registry import open_storage
from search.storages.trial_life import trials_of as trials_of_study

ROOT = Path(__file__).parents[2]
SIMULATED = Path(__file__).with_name("simulated.py")
REAL = ROOT / "run_search.py"
EPOCHS = 4


def search(run: Path, trials: int, *more: str) -> list[str]:
    """Arguments of a search of short simulated trials in `run`."""
    return [
        "search", "--study", run.name, "--runs-dir", str(run.parent), "--subset", "0.05", "--pruner", "none",
        "--trials", str(trials), "--epochs", str(EPOCHS), "--grace", "2s", *more,
    ]  # fmt: skip


def start(program: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    # Keras without TensorFlow starts in half the time, and simulated trials compute nothing.
    backend = {"KERAS_BACKEND": "jax"} if program == SIMULATED else {}
    return subprocess.Popen(
        [sys.executable, str(program), *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "250", **backend, **environment},
        start_new_session=True,
    )


def until(condition: Callable[[], Any], seconds: float = 240, every: float = 0.3) -> Any:
    """Return the first true value of `condition`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(every)
    return value


_storage = functools.cache(open_storage)  # to connect anew for every look takes twenty times the look


def trials_of(url: str, study: str) -> dict[int, FrozenTrial]:
    """The study's trials by number; none while there is no such study. It is the search that makes it."""
    try:
        found = optuna.load_study(study_name=study, storage=_storage(url))
    except KeyError:
        return {}
    return {trial.number: trial for trial in trials_of_study(found)}


def pid_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs["worker"].split(":")[-2])


def in_mid_trial(url: str, study: str, epochs: int, after: int = 0) -> Callable[[], FrozenTrial | None]:
    """Return a condition: a trial that runs, has finished some but not all of its `epochs`, when `after` trials are complete."""

    def condition() -> FrozenTrial | None:
        trials = trials_of(url, study).values()
        if sum(t.state == TrialState.COMPLETE for t in trials) < after:
            return None
        return next(
            (
                trial
                for trial in trials
                if trial.state == TrialState.RUNNING and 1 < len(trial.intermediate_values) < epochs
            ),
            None,
        )

    return condition


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def executed(run: Path) -> dict[int, list[tuple[int, int]]]:
    """The (epoch, process) of all epochs that were run, by trial."""
    return {
        int(path.parent.name): [
            (int(epoch), int(pid)) for epoch, pid in map(str.split, path.read_text().splitlines())
        ]
        for path in sorted(run.glob("trials/*/executed.txt"))
    }


def assert_nothing_lost_or_repeated(run: Path, url: str, trials: int, epochs: int) -> dict[int, set[int]]:
    """Assert that `trials` different trials ran each epoch once; return which processes worked on each."""
    stored = trials_of(url, run.name)
    assert [t.state for t in stored.values()] == [TrialState.COMPLETE] * trials
    assert len({str(t.params) for t in stored.values()}) == trials
    runs = executed(run)
    assert runs.keys() == stored.keys()
    for number, done in runs.items():
        assert [epoch for epoch, _ in done] == list(range(1, epochs + 1)), f"trial {number}: {done}"
        history = (run / "trials" / f"{number:04d}" / "history.csv").read_text().splitlines()[1:]
        assert [line.split(",")[0] for line in history] == [str(e) for e in range(1, epochs + 1)]
        assert sorted(stored[number].intermediate_values) == list(range(1, epochs + 1))
    return {number: {pid for _, pid in done} for number, done in runs.items()}


def end(process: subprocess.Popen[str], code: int = 0, seconds: float = 400) -> str:
    """Wait for the end of `process` with `code`; return what it said."""
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == code, output
    return output


def sigkill(*pids: Any) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
