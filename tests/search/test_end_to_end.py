"""Whole searches through the command line, on generated faces; those that are interrupted, in processes of their own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

import run_search
from search.study.predictions import read_predictions

ROOT = Path(__file__).parents[2]
SMALL = [
    "--subset",
    "0.15",
    "--epochs",
    "2",
    "--trials",
    "3",
    "--set",
    "backbone=small_vgg",
    "--set",
    "optimizer=adamw",
    "--pruner",
    "none",
]


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "run_search.py", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "250"},
    )


def run(*arguments: str, code: int = 0) -> str:
    """Run the command line in this process; return what it says."""
    said = io.StringIO()
    with (
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
        mock.patch.dict(os.environ, COLUMNS="250"),
    ):
        assert run_search.main([*arguments]) == code, said.getvalue()
    return said.getvalue()


def read_until(process: subprocess.Popen[str], seen: Callable[[str], object]) -> str:
    """Read the process's lines up to the first that is `seen`; return all of them."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if seen(line):
            return "".join(lines)
    raise AssertionError(f"ended early: {''.join(lines)}")


def trial_lines(output: str) -> list[int]:
    return [int(n) for n in re.findall(r"^trial +(\d+) (?:done|pruned|failed)", output, re.MULTILINE)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def searched(runs: Path) -> tuple[Path, str]:
    """A finished study: interrupted by Ctrl-C in its second trial, then by a kill -9, then finished."""
    arguments = ["search", "--study", "whole", "--runs-dir", str(runs), *SMALL]
    process = start(*arguments)
    first = read_until(process, lambda line: "trial 1 epoch 1/2" in line)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 130, rest
    assert "To continue: python run_search.py search --study whole" in rest
    # The report was written after the first trial, and once more on the way out: nobody will write it again.
    assert '<meta http-equiv="refresh"' not in (runs / "whole" / "report.html").read_text()

    process = start(*arguments)
    second = read_until(process, lambda line: re.match(r"  trial [2-9] epoch 1/2", line))
    process.kill()
    process.communicate(timeout=60)

    third = run(*arguments)
    return runs / "whole", first + second + third


def test_no_finished_trial_is_lost_and_none_is_run_twice(searched: tuple[Path, str]) -> None:
    run_dir, output = searched
    numbers = trial_lines(output)
    assert numbers[:2] == [0, 1] and len(set(numbers)) == len(numbers) == 3
    directories = sorted((run_dir / "trials").iterdir())
    assert [int(directory.name) for directory in directories] == numbers
    for directory in directories:
        epochs = (directory / "history.csv").read_text().splitlines()[1:]
        assert [line.split(",")[0] for line in epochs] == ["1", "2"]


def test_the_run_directory_is_complete(searched: tuple[Path, str]) -> None:
    run_dir, output = searched
    config = json.loads((run_dir / "config.json").read_text())
    metrics = json.loads((run_dir / "best" / "metrics.json").read_text())
    predictions = read_predictions(run_dir / "best" / "predictions.npz")
    assert config["arguments"]["trials"] == 3 and len(config["data"]["fingerprint"]) == 64
    assert 0 <= metrics["val_accuracy"] <= 1 and 0 <= metrics["test_accuracy"] <= 1
    for split in ("val", "test"):
        assert (
            np.sum(metrics["confusion"][split])
            == metrics[f"n_{split}"]
            == sum(config["data"]["counts"][split])
        )
        right = np.trace(metrics["confusion"][split])
        assert right / metrics[f"n_{split}"] == pytest.approx(metrics[f"{split}_accuracy"])
        assert predictions[split].accuracy == pytest.approx(metrics[f"{split}_accuracy"])
        assert len(predictions[split].images) == metrics[f"n_{split}"]
    assert (run_dir / "trials" / f"{metrics['trial']:04d}").is_dir()
    assert metrics["seed_recipes"][0]["test_accuracy"] == 0.865
    assert (run_dir / "report.html").stat().st_size > 1_000_000
    assert str(run_dir / "report.html") in output and str(run_dir / "best" / "model.keras") in output
    assert not [p for p in run_dir.rglob("*") if "writing" in p.name]


def test_a_copied_run_directory_still_reports(searched: tuple[Path, str], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(searched[0], tmp_path / "elsewhere" / "whole")
    assert "3 of 3 trials" in run("status", "--study", "whole", "--runs-dir", str(tmp_path / "elsewhere"))


def test_a_finished_study_is_not_searched_again_and_other_arguments_are_refused(
    searched: tuple[Path, str], runs: Path
) -> None:
    before = time.time()
    output = run("search", "--study", "whole", "--runs-dir", str(runs), *SMALL)
    assert trial_lines(output) == [] and "all 3 trials are done" in output
    assert (searched[0] / "trials" / "0000" / "history.csv").stat().st_mtime < before
    refused = run("search", "--study", "whole", "--runs-dir", str(runs), *SMALL, "--seed", "5", code=2)
    assert "was begun with seed=0, found 5" in refused


FAILING = """
def fails(hp):
    hp.Choice("backbone", ["small"])
    hp.Choice("optimizer", ["sgd"])
    hp.Choice("lr_policy", ["constant"])
    hp.Float("learning_rate", 50.0, 90.0)
    hp.Choice("batch_size", [4])
"""


def test_a_search_whose_trials_all_fail_stops_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    output = run(
        "search", "--study", "failing", "--runs-dir", str(tmp_path), "--space", f"{tmp_path}/failing.py:fails",
        "--subset", "0.1", "--trials", "9", "--epochs", "3", code=3,
    )  # fmt: skip
    assert trial_lines(output) == [0, 1, 2]
    assert "3 trials in a row failed" in output and "DivergedError" in output
    assert "DivergedError" in (tmp_path / "failing" / "trials" / "0000" / "error.txt").read_text()
    assert "DivergedError" in run("status", "--study", "failing", "--runs-dir", str(tmp_path))


def test_both_published_backbones_run(tmp_path: Path) -> None:
    """ResNet50 and SENet50 at their smallest, their heads alone trained."""
    arguments = ["--runs-dir", str(tmp_path), "--study", "two"]
    output = run(
        "search", *arguments, "--space", "baseline", "--set", "image_size=32", "--set", "freeze_before=-3",
        "--trials", "2", "--epochs", "1", "--subset", "0.05", "--weights", "none", "--finalists", "0",
    )  # fmt: skip
    assert trial_lines(output) == [0, 1]
    metrics = json.loads((tmp_path / "two" / "best" / "metrics.json").read_text())
    assert metrics["hyperparameters"]["backbone"] in ("resnet50", "senet50")
