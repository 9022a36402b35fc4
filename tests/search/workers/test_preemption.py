"""SIGTERM and kill -9 of a search with real trainings."""

from __future__ import annotations

import csv
import signal
import time
from pathlib import Path

from tests.search import processes as p


def test_sigterm_hands_back_and_a_killed_training_continues_from_its_checkpoint(tmp_path: Path) -> None:
    command = [
        "search", "--study", "real", "--runs-dir", str(tmp_path), "--subset", "0.15", "--epochs", "4", "--trials", "1",
        "--set", "backbone=small_vgg", "--pruner", "none", "--retrain-epochs", "1", "--finalists", "0",
    ]  # fmt: skip
    run = tmp_path / "real"
    url = f"sqlite:///{run}/study.db"
    history = run / "trials" / "0000" / "history.csv"

    first = p.start(p.REAL, *command)
    p.until(lambda: history.exists(), every=0.05)
    asked = time.monotonic()
    first.send_signal(signal.SIGTERM)
    output = p.end(first, 0, seconds=20)
    assert time.monotonic() - asked < 10
    assert "stopped by SIGTERM" in output and "To continue: python" in output
    (trial,) = (t for n, t in p.trials_of(url, "real").items() if n == 0)
    assert trial.state.name == "WAITING" and "deaths" not in trial.user_attrs
    epochs = len(history.read_text().splitlines()) - 1
    assert 1 <= epochs < 4
    before = history.read_text().splitlines()

    second = p.start(p.REAL, *command)
    p.until(lambda: len(history.read_text().splitlines()) > len(before), every=0.05)
    p.sigkill(second.pid)
    second.communicate()

    third = p.end(p.start(p.REAL, *command), 0)
    assert "trial   0 done" in third
    rows = list(csv.DictReader(history.open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    # Epochs that had ended were not trained again: their rows, seconds and all, are the first process's.
    assert history.read_text().splitlines()[: len(before)] == before
    assert p.trials_of(url, "real")[0].user_attrs["deaths"] == 1
