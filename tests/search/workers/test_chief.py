"""Keras Tuner's own chief and workers, by its environment variables, with our oracle."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from keras_tuner.engine.trial import TrialStatus

from search.workers.chief import ChiefOracle
from tests.search import processes as p

EPOCHS = 3


def test_a_chief_serves_three_workers(tmp_path: Path) -> None:
    """One of the workers is stopped by SIGTERM in mid-trial, another killed in its own; the third continues their trials. The
    chief alone retrains, and everyone ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [
        "search", "--study", "chief", "--runs-dir", str(tmp_path), "--subset", "0.05", "--pruner", "none",
        "--trials", "9", "--epochs", str(EPOCHS), "--grace", "4s",
    ]  # fmt: skip

    def start(name: str) -> Any:
        return p.start(
            p.SIMULATED,
            *command,
            SIMULATED_EPOCH="1.2",
            KERASTUNER_TUNER_ID=name,
            KERASTUNER_ORACLE_IP="127.0.0.1",
            KERASTUNER_ORACLE_PORT=port,
        )

    chief, stopped, killed, third = (start(name) for name in ("chief", "worker0", "worker1", "worker2"))
    run = tmp_path / "chief"
    url = f"sqlite:///{run}/study.db"

    def in_mid_trial(worker: Any) -> list[int]:
        return [
            number
            for number, done in p.executed(run).items()
            if done and done[-1][1] == worker.pid and len(done) < EPOCHS
        ]

    p.until(lambda: (run / "study.db").exists())
    p.until(lambda: in_mid_trial(stopped) and in_mid_trial(killed), every=0.05)
    (handed_back,), (found,) = in_mid_trial(stopped), in_mid_trial(killed)
    stopped.terminate()
    p.sigkill(killed.pid)
    assert "retrained" not in p.end(stopped, 0, seconds=60)
    assert "retrained" not in p.end(third)
    assert "retrained" in p.end(chief)
    workers_of = p.assert_nothing_lost_or_repeated(run, url, trials=9, epochs=EPOCHS)
    assert workers_of[handed_back] == {stopped.pid, third.pid}
    assert workers_of[found] == {killed.pid, third.pid}
    deaths = {
        number: trial.user_attrs.get("deaths", 0) for number, trial in p.trials_of(url, run.name).items()
    }
    assert [number for number, n in deaths.items() if n] == [found]


def test_a_worker_that_comes_back_finds_its_trial_in_other_hands(driver: Any) -> None:
    driver.storage.grace = 0.5
    chief = driver.oracle(trials=2, kind=ChiefOracle)
    suspended, other = chief.create_trial("suspended"), chief.create_trial("other")
    chief.update_trial(suspended.trial_id, {"val_accuracy": 0.6}, step=1)

    def only_the_other_runs() -> bool:
        assert chief.update_trial(other.trial_id, {}).status == TrialStatus.RUNNING  # a beat
        return len(chief.claims()) == 1

    p.until(only_the_other_runs, seconds=15, every=0.1)
    assert chief.tuner_ids == {"other"}
    continued = chief.create_trial("third")
    assert continued.hyperparameters.values == suspended.hyperparameters.values
    assert chief.number(continued.trial_id) == chief.number(suspended.trial_id) == 0
    assert chief.epochs(continued.trial_id) == 1
    late = chief.update_trial(suspended.trial_id, {"val_accuracy": 0.1}, step=2)
    assert late.status == TrialStatus.INVALID
    chief.end_trial(suspended)
    assert len(chief.claims()) == 2 and chief.epochs(continued.trial_id) == 1
