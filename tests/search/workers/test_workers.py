"""Workers on one machine, killed and stopped in every way there is. Their trials sleep; everything else is real."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.search import processes as p
from tests.search.processes import EPOCHS, search


def test_killed_worker_killed_parent_and_everything_killed(tmp_path: Path) -> None:
    run = tmp_path / "three"
    url = f"sqlite:///{run}/study.db"
    command = search(run, 12, "--workers", "3")
    first = p.start(p.SIMULATED, *command, SIMULATED_EPOCH="0.4")
    p.until(lambda: (run / "config.json").exists() and (run / "study.db").exists())

    # One worker.
    killed = p.until(p.in_mid_trial(url, run.name, EPOCHS))
    p.sigkill(p.pid_of(killed))
    p.until(lambda: p.trials_of(url, run.name)[killed.number].user_attrs.get("deaths") == 1)
    p.until(p.in_mid_trial(url, run.name, EPOCHS, after=3))

    # The parent: its workers hand their trials back and leave.
    workers = {pid for done in p.executed(run).values() for _, pid in done}
    p.sigkill(first.pid)
    p.until(lambda: not any(map(p.is_alive, workers)), seconds=60)

    # The same command again, then everything at once.
    second = p.start(p.SIMULATED, *command, SIMULATED_EPOCH="0.4")
    p.until(p.in_mid_trial(url, run.name, EPOCHS, after=6))
    running = [t for t in p.trials_of(url, run.name).values() if t.state.name == "RUNNING"]
    p.sigkill(second.pid, *map(p.pid_of, running))

    output = p.end(p.start(p.SIMULATED, *command, SIMULATED_EPOCH="0.4"))
    assert "12 of 12 trials are done" in output and "retrained" in output
    workers_of = p.assert_nothing_lost_or_repeated(run, url, trials=12, epochs=EPOCHS)
    assert len(workers_of[killed.number]) > 1, "the killed worker's trial was not continued by another"
    assert not any(p.is_alive(pid) for pids in workers_of.values() for pid in pids)
    assert "replaced" in first.stdout.read()


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_stopped_parent_stops_its_workers_which_release_their_trials(
    tmp_path: Path, stop: int, code: int
) -> None:
    run = tmp_path / "stopped"
    url = f"sqlite:///{run}/study.db"
    process = p.start(p.SIMULATED, *search(run, 9, "--workers", "2"), SIMULATED_EPOCH="1")
    p.until(lambda: (run / "study.db").exists())
    trial = p.until(p.in_mid_trial(url, run.name, EPOCHS))
    worker = p.pid_of(trial)
    os.kill(process.pid, stop)
    output = p.end(process, code, seconds=60)
    assert "nothing finished is lost" in output and not p.is_alive(worker)
    states = {t.state.name for t in p.trials_of(url, run.name).values()}
    assert "RUNNING" not in states and "WAITING" in states
    assert "deaths" not in p.trials_of(url, run.name)[trial.number].user_attrs


def test_a_worker_whose_trial_was_taken_while_it_was_suspended_leaves_it_alone(tmp_path: Path) -> None:
    """SIGSTOP for longer than the grace, as of a suspended virtual machine; another worker continues the trial meanwhile."""
    run = tmp_path / "suspended"
    url = f"sqlite:///{run}/study.db"
    first = p.start(p.SIMULATED, *search(run, 3), SIMULATED_EPOCH="1.5")
    p.until(lambda: (run / "study.db").exists())
    trial = p.until(p.in_mid_trial(url, run.name, EPOCHS))
    p.until(lambda: _suspended_without_a_lock(first.pid, run / "study.db"))
    other = p.start(
        p.SIMULATED, "worker", "--study", run.name, "--runs-dir", str(tmp_path), SIMULATED_EPOCH="0.5"
    )
    p.until(lambda: len(p.trials_of(url, run.name)[trial.number].intermediate_values) == EPOCHS)
    os.kill(first.pid, signal.SIGCONT)
    assert "has gone to another worker" in p.end(first)
    p.end(other)
    workers_of = p.assert_nothing_lost_or_repeated(run, url, trials=3, epochs=EPOCHS)
    assert workers_of[trial.number] == {first.pid, other.pid}


def _suspended_without_a_lock(pid: int, database: Path) -> bool:
    """Suspend `pid`; have it go on, and return False, if it was just writing: then nobody else could, which is SQLite's."""
    os.kill(pid, signal.SIGSTOP)
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        os.kill(pid, signal.SIGCONT)
        return False
    return True


def test_a_search_tells_of_the_trials_of_a_worker_that_has_joined(tmp_path: Path) -> None:
    run = tmp_path / "joined"
    url = f"sqlite:///{run}/study.db"
    first = p.start(p.SIMULATED, *search(run, 12), SIMULATED_EPOCH="0.5")
    p.until(lambda: (run / "study.db").exists())
    p.until(p.in_mid_trial(url, run.name, EPOCHS))
    other = p.start(
        p.SIMULATED, "worker", "--study", run.name, "--runs-dir", str(tmp_path), SIMULATED_EPOCH="0.3"
    )
    said, said_by_the_other = p.end(first).splitlines(), p.end(other)
    workers_of = p.assert_nothing_lost_or_repeated(run, url, trials=12, epochs=EPOCHS)
    theirs = [number for number, pids in workers_of.items() if pids == {other.pid}]
    assert theirs and len(theirs) < 12
    for number in workers_of:
        assert sum(line.startswith(f"trial {number:>3} done ") for line in said) == 1
        epochs = [line.split(":")[0] for line in said if line.startswith(f"  trial {number} epoch ")]
        assert epochs == [f"  trial {number} epoch {epoch}/{EPOCHS}" for epoch in range(1, EPOCHS + 1)]
        assert (f"trial {number:>3} done " in said_by_the_other) == (number in theirs)
