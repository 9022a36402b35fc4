"""Keras Tuner's own chief and workers, by its environment variables, with our oracle."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.search import processes as p

EPOCHS = 3

# Processes are started, killed and waited for, on a machine that may be busy: what fails twice is broken.
pytestmark = pytest.mark.flaky(reruns=1)


def test_a_chief_serves_two_workers(tmp_path: Path) -> None:
    """One of the workers is stopped by SIGTERM in mid-trial; the other continues its trial. The chief alone retrains."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [
        "search", "--study", "chief", "--runs-dir", str(tmp_path), "--subset", "0.05", "--pruner", "none",
        "--trials", "6", "--epochs", str(EPOCHS), "--grace", "5s",
    ]  # fmt: skip

    def start(name: str) -> object:
        return p.start(
            p.SIMULATED,
            *command,
            SIMULATED_EPOCH="0.7",
            KERASTUNER_TUNER_ID=name,
            KERASTUNER_ORACLE_IP="127.0.0.1",
            KERASTUNER_ORACLE_PORT=port,
        )

    chief, first, second = (start(name) for name in ("chief", "worker0", "worker1"))
    run = tmp_path / "chief"
    url = f"sqlite:///{run}/study.db"

    def in_mid_trial_of_first() -> bool:
        return any(
            done[-1][1] == first.pid and 0 < len(done) < EPOCHS for done in p.executed(run).values() if done
        )

    p.until(lambda: (run / "study.db").exists())
    p.until(in_mid_trial_of_first, every=0.05)
    first.terminate()
    assert "retrained" not in p.end(first, 0, seconds=15)
    assert "retrained" not in p.end(second)
    assert "retrained" in p.end(chief)
    workers_of = p.assert_nothing_lost_or_repeated(run, url, trials=6, epochs=EPOCHS)
    assert {first.pid, second.pid} in workers_of.values()
