"""What a user tells a search to be for and when to end, with trials that take no time."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from optuna.study import StudyDirection

import run_search
from ferplus_data.readers import demo
from models.metrics.objectives import OBJECTIVES
from models.networks import cost
from models.recipe import Recipe
from search.storages.trial_life import State
from search.study.run_directory import RunDirectory
from search.study.view import best_trial, read_study
from search.workers import preemption, time_budget, trial_runner
from tests.search import simulated


@pytest.fixture(autouse=True)
def without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated.without_training(monkeypatch)


def search(runs: Path, *options: str, code: int = 0) -> RunDirectory:
    words = [
        "search",
        "--study",
        "s",
        "--runs-dir",
        str(runs),
        "--pruner",
        "none",
        "--set",
        "backbone=small_vgg",
    ]
    if "--epochs" not in options:
        words += ["--epochs", "2"]
    assert run_search.main([*words, "--cache-gb", "0", *options]) == code
    return RunDirectory.of(runs, "s")


@pytest.mark.parametrize(("name", "oracle"), [("macro_f1", "random"), ("nll_votes", "kt-random")])
def test_the_objective_is_what_trials_are_judged_by(
    name: str, oracle: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = search(tmp_path, "--objective", name, "--oracle", oracle, "--trials", "4")
    view = read_study(run)
    minimised = OBJECTIVES[name].direction == "min"
    assert view.study.direction == (StudyDirection.MINIMIZE if minimised else StudyDirection.MAXIMIZE)
    assert view.study.metric_names == [f"val_{name}"]
    # As the simulation has it, at the better of its two epochs: accuracy 0.5 + 0.3 dropout + 0.01 epoch.
    reached = {t.number: 0.5 + 0.3 * t.hyperparameters["dropout"] for t in view.trials}
    expected = {
        n: 2 - (accuracy + 0.02) if name == "nll_votes" else 1 - (accuracy + 0.01)
        for n, accuracy in reached.items()
    }
    assert {t.number: t.score for t in view.trials} == pytest.approx(expected)
    assert {t.number: t.value for t in view.study.trials} == pytest.approx(expected)
    best = best_trial(view.trials)
    assert best is not None
    assert best.number == (min if minimised else max)(expected, key=lambda n: expected[n])
    said = capsys.readouterr().out
    assert f"val_{name} {expected[best.number]:.4f}" in said
    search(tmp_path, "--objective", "accuracy", "--oracle", oracle, "--trials", "5", code=2)
    assert f"was begun with objective='{name}', found 'accuracy'" in capsys.readouterr().err
    assert (
        len(read_study(search(tmp_path, "--objective", name, "--oracle", oracle, "--trials", "5")).trials)
        == 5
    )
    search(tmp_path, "--oracle", oracle, "--trials", "1", "--fresh")  # forgets one that minimises
    assert read_study(run).study.direction == StudyDirection.MAXIMIZE


def test_a_budget_ends_the_search_in_the_middle_of_a_trial_and_a_larger_one_goes_on_there(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run = search(tmp_path, "--epochs", "4", "--budget", "2.5", "--oracle", "random")
    assert "the search has ended: the budget of 2.5 full trainings is spent: 10 epochs in 3 trials" in (
        capsys.readouterr().out
    )
    assert [(t.state, len(t.values)) for t in read_study(run).trials] == [
        ("complete", 4),
        ("complete", 4),
        ("released", 2),
    ]
    assert replace(read_study(run), metrics={}).finished  # what waits is not waited for
    search(tmp_path, "--epochs", "4", "--budget", "3", "--oracle", "random")
    said = capsys.readouterr().out
    assert [n for n in range(1, 5) if f"trial 2 epoch {n}/4" in said] == [3, 4]  # none is told twice
    assert [(t.state, len(t.values)) for t in read_study(run).trials] == [("complete", 4)] * 3
    executed = (run.trial(2) / "executed.txt").read_text().split()[::2]
    assert executed == ["1", "2", "3", "4"]


def test_keras_tuners_oracles_have_a_budget_too(tmp_path: Path) -> None:
    run = search(tmp_path, "--epochs", "2", "--budget", "1.5", "--oracle", "kt-random")
    assert [len(t.values) for t in read_study(run).trials] == [2, 1]


def test_a_value_that_is_good_enough_ends_the_search(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = search(tmp_path, "--stop-at", "0.5", "--oracle", "random")
    (trial,) = read_study(run).trials
    assert f"trial 0 (val_accuracy {trial.score:.4f}) has reached 0.5" in capsys.readouterr().out


def test_a_trial_that_takes_too_long_ends_with_its_epoch_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("SIMULATED_EPOCH", "0.02")
    run = search(tmp_path, "--epochs", "4", "--trials", "1", "--trial-timeout", "0.03")
    (trial,) = read_study(run).trials
    assert (trial.state, sorted(trial.values)) == ("complete", [1, 2])
    assert trial.score == pytest.approx(trial.values[2])
    assert "ended early, 0 s after epoch 2 of 4, allowed were 0.03" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("timeout", "trials"),
    [("120", [("complete", 4)]), ("150", [("complete", 4), ("released", 1)])],
    ids=["between two trials", "in the middle of a trial"],
)
def test_a_search_ends_when_what_is_left_of_its_time_is_the_retrainings(
    timeout: str, trials: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """An epoch takes ten seconds by the clock, and the retraining of whole trainings two thirds of all there is."""
    now = [0.0]

    def ten_seconds_an_epoch(recipe: Any, dataset: Any, *, listener: Any, **more: Any) -> None:
        def on_epoch(epoch: Any) -> bool:
            now[0] += 10
            return listener.on_epoch(replace(epoch, seconds=10.0))

        simulated.train(recipe, dataset, listener=replace(listener, on_epoch=on_epoch), **more)

    monkeypatch.setattr(time_budget, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(trial_runner, "train", ten_seconds_an_epoch)
    run = search(tmp_path, "--epochs", "4", "--timeout", timeout, "--oracle", "random")
    assert [(t.state, len(t.values)) for t in read_study(run).trials] == trials
    assert "the search has ended: the time for it is over" in capsys.readouterr().out


def test_a_queued_configuration_is_the_next_trial(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = search(tmp_path, "--trials", "1", "--oracle", "random", "--set", "dropout=0.4")
    database = run.database.read_bytes()
    study = ["--study", "s", "--runs-dir", str(tmp_path)]
    for words, named in {
        ("dropuot=0.4",): "dropuot: expected a hyperparameter of the space",
        ("dropout=0.3",): "dropout: expected one of 0.4, found 0.3",
        ("batch_size=63",): "batch_size: expected one of",
        ("momentum=0.9", "optimizer=adamw"): "it needs optimizer",
        ("patience=3",): "patience: expected a hyperparameter of the space",
        ("dropout",): "expected NAME=VALUE",
    }.items():
        capsys.readouterr()
        assert run_search.main(["enqueue", *words, *study]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and named in line
    assert run.database.read_bytes() == database
    assert run_search.main(["enqueue", "batch_size=32", "dropout=0.4", *study]) == 0
    assert "trial 1 of study s is queued" in capsys.readouterr().out
    assert run_search.main(["enqueue", "batch_size=32", *study]) == 2
    assert "found that of trial 1, which is queued" in capsys.readouterr().err
    assert read_study(run).trials[1].state == "queued"
    search(tmp_path, "--trials", "3", "--oracle", "random", "--set", "dropout=0.4")
    trials = read_study(run).trials
    assert [trial.state for trial in trials] == ["complete"] * 3
    assert trials[1].hyperparameters["batch_size"] == 32
    assert run_search.main(["enqueue", "batch_size=32", "--study", "none", "--runs-dir", str(tmp_path)]) == 2
    assert not (tmp_path / "none").exists()


def test_a_configuration_queued_while_a_trial_trains_is_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    train, codes, seen = trial_runner.train, [], []

    def enqueue() -> None:
        seen.append([trial.state for trial in read_study(RunDirectory.of(tmp_path, "s")).trials])
        words = ["enqueue", "batch_size=32", "dropout=0.4", "--study", "s", "--runs-dir", str(tmp_path)]
        codes.append(run_search.main(words))

    def trained_meanwhile(recipe: Any, dataset: Any, *, listener: Any, **more: Any) -> None:
        def on_batch(*told: int) -> None:
            if not codes:
                other = threading.Thread(target=enqueue)
                other.start()
                other.join()
            listener.on_batch(*told)

        train(recipe, dataset, listener=replace(listener, on_batch=on_batch), **more)

    monkeypatch.setattr(trial_runner, "train", trained_meanwhile)
    run = search(tmp_path, "--trials", "3", "--oracle", "random")
    assert (seen, codes) == ([["running"]], [0])
    assert "trial 1 of study s is queued" in capsys.readouterr().out
    trials = read_study(run).trials
    assert [trial.state for trial in trials] == ["complete"] * 3
    assert {name: trials[1].hyperparameters[name] for name in ("batch_size", "dropout")} == {
        "batch_size": 32,
        "dropout": 0.4,
    }
    assert trials[0].started < trials[1].started < trials[2].started


@pytest.mark.parametrize(
    ("oracle", "pruner"), [("portfolio", "promotion"), ("portfolio", "halving"), ("tpe", "halving")]
)
def test_a_search_that_is_stopped_twice_has_the_same_trials(
    oracle: str, pruner: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--epochs", "3", "--trials", "14", "--seed", "3", "--oracle", oracle, "--pruner", pruner]
    whole = search(tmp_path / "whole", *options)
    assert (State.RESTING in {trial.state for trial in read_study(whole).trials}) == (pruner == "promotion")
    epochs, stops = 0, [8, 15]
    train = trial_runner.train

    def stopped_now_and_then(recipe: Any, dataset: Any, *, listener: Any, **more: Any) -> None:
        def on_batch(*told: int) -> None:
            nonlocal epochs
            epochs += told[1] == told[2]
            if stops and epochs == stops[0]:
                stops.pop(0)
                os.kill(os.getpid(), signal.SIGTERM)
                preemption.wait(20)
            listener.on_batch(*told)

        train(recipe, dataset, listener=replace(listener, on_batch=on_batch), **more)

    monkeypatch.setattr(trial_runner, "train", stopped_now_and_then)
    monkeypatch.setattr(preemption, "SHUTDOWN_SECONDS", 1e6)  # until this process would be ended
    pieces = []
    for _ in range(3):
        pieces.append(search(tmp_path / "pieces", *options))
    assert stops == []
    assert _trials(pieces[-1]) == _trials(whole)
    records = pieces[-1].read_config()["processes"]
    assert [record["because"] for record in records] == [
        "stopped by SIGTERM",
        "stopped by SIGTERM",
        "all 14 trials are done",
    ]
    assert all(record["ended"] > record["began"] and record["machine"]["cpus"] for record in records)


def _trials(run: RunDirectory) -> list[tuple[str, dict[str, Any], dict[int, float]]]:
    return [(trial.state, trial.hyperparameters, trial.values) for trial in read_study(run).trials]


@pytest.mark.parametrize(
    ("option", "measure", "costs", "limits", "said", "nearest"),
    [
        (
            "--max-params",
            "parameters",
            {"small": 3_000, "small_se": 4_000, "small_vgg": 5_000},
            ("3000", "2999"),
            "4,000 parameters, --max-params allows 3,000",
            "3,000 parameters, --max-params allows 2,999",
        ),
        (
            "--max-latency",
            "latency",
            {"small": 3.0, "small_se": 4.25, "small_vgg": 5.0},
            ("3", "2.9"),
            "4.25 ms for one face, --max-latency allows 3",
            "3 ms for one face, --max-latency allows 2.9",
        ),
    ],
)
def test_networks_over_a_limit_are_no_trials(
    option: str,
    measure: str,
    costs: dict[str, float],
    limits: tuple[str, str],
    said: str,
    nearest: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    measured: list[str] = []

    def cost_of(recipe: Recipe) -> float:
        measured.append(recipe.backbone)
        return costs[recipe.backbone]

    monkeypatch.setattr(cost, measure, cost_of)
    (tmp_path / "data").mkdir()
    demo.write(tmp_path / "data", (60, 30, 30))
    words = [
        "search",
        "--runs-dir",
        str(tmp_path / "runs"),
        "--data",
        str(tmp_path / "data"),
        "--space",
        "small",
    ]
    words += ["--epochs", "1", "--trials", "8", "--oracle", "random", "--cache-gb", "0", "--study"]
    allowed, too_low = limits
    assert run_search.main([*words, "s", option, allowed]) == 0
    assert f"known recipe small-soft is left out: {said}" in capsys.readouterr().out
    trials = read_study(RunDirectory.of(tmp_path / "runs", "s")).trials
    assert [(t.state, t.hyperparameters["backbone"]) for t in trials] == [("complete", "small")] * 8
    assert sorted(measured) == sorted(costs)
    assert run_search.main([*words, "none", option, too_low]) == 2
    assert f"the nearest has {nearest}" in capsys.readouterr().err
    assert run_search.main([*words, "none", option, "9", "--oracle", "kt-random"]) == 2
    assert not (tmp_path / "runs" / "none").exists()
