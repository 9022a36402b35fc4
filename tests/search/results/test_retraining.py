"""The retraining, with a training in its place that takes no time: what it is asked for, what is chosen, what is left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from ferplus_data.dataset import Dataset, load_dataset
from ferplus_data.errors import InputError
from ferplus_data.files.owned import sha256_of
from models.metrics.objectives import OBJECTIVES
from models.metrics.scores import predict_probabilities
from models.recipe import Recipe
from models.serving.model_files import load_model
from models.training.history import Epoch
from search import launch
from search.console.progress import Progress
from search.results import ensemble, retraining
from search.results.finalists import Contenders
from search.results.measuring import Look
from search.study.arguments import SearchArguments
from search.study.best import read_metrics
from search.study.predictions import read_predictions
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord
from search.workers import time_budget
from search.workers.time_budget import TimeBudget

HYPERPARAMETERS = {
    "backbone": "small",
    "learning_rate": 0.00123,
    "dropout": 0.4,
    "image_size": 16,
    "optimizer": "sgd",
}
FIRST = retraining.retraining_seeds(SearchArguments(data="demo", seed=0))[0]
VALIDATION = {0: 0.3, 1: 0.9, 2: 0.5}
"""Seed, from the first -> validation accuracy that its training tells."""
PREDICTED = {0: 1, 1: 7, 2: 0}
"""Seed -> the one class that its network predicts: seed 1's is the rarest, seed 2's the most frequent one."""


class Said(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def retraining_begins(self, name: str) -> None: ...

    def epoch_ends(self, epoch: Epoch, epochs: int) -> None: ...

    def training_ends(self, text: str) -> None: ...


class Trainings:
    """Stands for `models.training.loop.train` and keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.before: Callable[[], object] = lambda: None

    def __call__(self, recipe: Recipe, dataset: Dataset, **options: Any) -> Any:
        self.asked.append({"recipe": recipe, "dataset": dataset, **options})
        self.before()
        options["directory"].mkdir(parents=True, exist_ok=True)
        seed = self.asked[-1]["settings"].seed - FIRST
        faces = keras.Input((48, 48, 1), dtype="uint8")
        network = keras.Model(faces, keras.layers.Dense(8, "softmax")(keras.layers.Flatten()(faces)))
        kernel, bias = network.get_weights()
        bias[PREDICTED[seed]] = 5.0
        network.set_weights([np.zeros_like(kernel), bias])
        best = Epoch(
            1, 1.0, 0.5, 1.0, 0.001, 1.0, metrics=dict.fromkeys(("accuracy", "macro_f1"), VALIDATION[seed])
        )
        return SimpleNamespace(model=network, best=best, history=[best])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset("demo", subset=0.1)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    found = Trainings()
    monkeypatch.setattr(retraining, "train", found)
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.of(tmp_path, "s")


def arguments(**changes: Any) -> SearchArguments:
    given: dict[str, Any] = {
        "data": "demo",
        "space": "small",
        "retrain_epochs": 9,
        "retrain_seeds": 3,
        "search_fraction": 0.25,
    }
    return SearchArguments(**{**given, **changes})


def trial(
    number: int = 4, score: float = 0.6, state: str = "complete", **hyperparameters: Any
) -> TrialRecord:
    values = {**HYPERPARAMETERS, **hyperparameters}
    return TrialRecord(number, state, values, score, {1: score}, None, None, None, None, Path())


def retrain(
    run: RunDirectory, dataset: Dataset, said: Progress | None = None, **changes: Any
) -> dict[str, Any]:
    given = arguments(**changes)
    look = Look(run.test_readings, "search", "a test")
    order = retraining.Order(Contenders((trial(),)), given.retrain_epochs, look=look)
    return retraining.retrain(order, dataset, run, given, said or Said())


def test_it_trains_the_trials_recipe_on_the_whole_training_split(
    run: RunDirectory, dataset: Dataset, trainings: Trainings
) -> None:
    retrain(run, dataset)
    assert [asked["settings"].seed for asked in trainings.asked] == [FIRST, FIRST + 1, FIRST + 2]
    for asked in trainings.asked:
        assert asked["recipe"] == Recipe.from_hyperparameters(HYPERPARAMETERS)
        assert asked["dataset"] is dataset and asked["settings"].train_split is None
        assert (asked["epochs"], asked["settings"].weights, asked["settings"].precision) == (
            9,
            "none",
            "float32",
        )
        assert asked.get("caching") is None


def test_members_of_an_ensemble_are_trained_the_same_way(
    run: RunDirectory, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = [trial(0, 0.9, dropout=0.1), trial(1, 0.8, dropout=0.2), trial(2, 0.7, dropout=0.3)]
    monkeypatch.setattr(ensemble, "read_study", lambda *_: SimpleNamespace(trials=trials))
    _, metrics = ensemble.make_ensemble(
        run, 2, arguments(), dataset, storage=None, test=False, progress=Said()
    )
    assert [asked["recipe"].dropout for asked in trainings.asked] == [0.1, 0.2]
    for asked in trainings.asked:
        assert asked["dataset"] is dataset and asked["settings"].train_split is None
        assert (asked["settings"].seed, asked["epochs"]) == (FIRST, 9)
    assert metrics["model_sha256"] == sha256_of(run.path / "ensemble" / "model.keras")


def test_the_seed_is_chosen_by_validation_accuracy_whatever_the_test_split_says(
    run: RunDirectory, dataset: Dataset, trainings: Trainings
) -> None:
    metrics = retrain(run, dataset)
    by_seed = {seed["seed"] - FIRST: seed["test_accuracy"] for seed in metrics["seeds"]}
    assert by_seed[2] == max(by_seed.values()) > by_seed[1]
    assert metrics["best_seed"] == FIRST + 1 and metrics["test_accuracy"] == by_seed[1]
    said = predict_probabilities(load_model(run.best_model), dataset.test.pixels()).argmax(axis=1)
    assert set(said) == {PREDICTED[1]}


def test_the_figures_of_every_seed_are_of_every_objective(
    run: RunDirectory, dataset: Dataset, trainings: Trainings
) -> None:
    """Of networks that say the same of every face, the macro-F1 is the F1 of that class over the number of classes."""
    metrics = retrain(run, dataset, objective="macro_f1")
    labels = {"val": dataset.val.labels, "test": dataset.test.reveal_labels().labels}
    expected: dict[str, list[float]] = {"val": [], "test": []}
    for seed in metrics["seeds"]:
        for split, truth in labels.items():
            share = np.mean(truth == PREDICTED[seed["seed"] - FIRST])
            f1 = 2 * share / (share + 1) / len(np.unique(truth))
            expected[split].append(f1)
            assert seed["objectives"][split].keys() == OBJECTIVES.keys()
            assert seed["objectives"][split]["accuracy"] == pytest.approx(seed[f"{split}_accuracy"])
            assert seed["objectives"][split]["macro_f1"] == pytest.approx(f1)
    for split, values in expected.items():
        assert len(set(values)) > 1
        assert metrics["mean"][f"{split}_macro_f1"] == pytest.approx(np.mean(values))
        assert metrics["deviation"][f"{split}_macro_f1"] == pytest.approx(np.std(values, ddof=1))
    assert metrics == read_metrics(run.best_model.parent)


def test_model_predictions_and_figures_are_of_one_retraining(
    run: RunDirectory, dataset: Dataset, trainings: Trainings
) -> None:
    for seeds in (1, 2):
        metrics = retrain(run, dataset, retrain_seeds=seeds)
        assert metrics == read_metrics(run.best_model.parent)
        assert metrics["model_sha256"] == sha256_of(run.best_model)
        for split, said in read_predictions(run.predictions).items():
            assert said.accuracy == metrics[f"{split}_accuracy"]
            assert set(said.predicted) == {PREDICTED[metrics["best_seed"] - FIRST]}


def test_one_that_has_ended_is_not_done_again_and_another_one_is(
    run: RunDirectory, dataset: Dataset, trainings: Trainings
) -> None:
    first = retrain(run, dataset, retrain_seeds=1)
    assert retrain(run, dataset, retrain_seeds=1) == first and len(trainings.asked) == 1
    retrain(run, dataset, retrain_seeds=1, retrain_epochs=3)
    assert len(trainings.asked) == 2


def test_a_retraining_is_as_long_as_there_is_time(
    run: RunDirectory, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch has taken ten seconds, so it is given 11.5: in 90 seconds seven of nine, or three with two seeds."""
    monkeypatch.setattr(time_budget, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(launch, "read_study", lambda *_: SimpleNamespace(trials=[trial()]))
    for seeds, epochs in ((1, 7), (2, 3)):
        said, budget = Said(), TimeBudget(90, retrain_epochs=9, retrain_rows=100)
        budget.epoch_took(2, 10, rows=100)
        launched: Any = launch.Launch(arguments(retrain_seeds=seeds), run, None, budget, said)  # type: ignore[arg-type]
        metrics = launch.retrain_best(launched, dataset)
        assert trainings.asked[-1]["epochs"] == metrics["epochs"] == epochs
        assert f"the time there is allows {epochs} of 9 epochs of retraining" in said.lines


@pytest.mark.parametrize("name", ["model.keras", "metrics.json", "predictions.npz"])
def test_a_users_file_in_best_is_not_replaced(
    name: str, run: RunDirectory, dataset: Dataset, trainings: Trainings
) -> None:
    path = run.best_model.with_name(name)
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(InputError, match=name):
        retrain(run, dataset)
    assert path.read_text() == "mine" and trainings.asked == []


def at_once(
    run: RunDirectory,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    trainings: Trainings,
    first: Callable[[], object],
) -> tuple[list[Any], Said]:
    """Two commands that retrain at the same time; `first` is done in the midst of the first one's training."""
    monkeypatch.setattr(launch, "read_study", lambda *_: SimpleNamespace(trials=[trial()]))
    training, waiting = threading.Event(), threading.Event()
    said = Said()
    results: list[Any] = []

    def wait(seconds: float) -> None:
        waiting.set()
        training.wait(0.01)

    def before() -> None:
        if not training.is_set():
            training.set()
            assert waiting.wait(60)
            first()

    def command(progress: Said) -> None:
        budget = TimeBudget(None, retrain_epochs=0, retrain_rows=0)
        launched: Any = launch.Launch(arguments(retrain_seeds=1), run, None, budget, progress)  # type: ignore[arg-type]
        try:
            results.append(launch.retrain_best(launched, dataset, again=True))
        except RuntimeError as error:
            results.append(error)

    monkeypatch.setattr("search.workers.preemption.wait", wait)
    trainings.before = before
    one = threading.Thread(target=command, args=(Said(),))
    one.start()
    assert training.wait(60)
    two = threading.Thread(target=command, args=(said,))
    two.start()
    one.join(120)
    two.join(120)
    return results, said


def test_of_two_commands_one_retrains_and_the_other_waits_and_takes_its_result(
    run: RunDirectory, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, said = at_once(run, dataset, monkeypatch, trainings, lambda: None)
    assert len(trainings.asked) == 1 and results[0] == results[1] == read_metrics(run.best_model.parent)
    assert "another process retrains this study; waiting for its end" in said.lines
    assert "trial 4: retrained before" in said.lines


def test_when_the_first_of_two_dies_the_other_takes_over(
    run: RunDirectory, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise RuntimeError("out of memory")

    results, _ = at_once(run, dataset, monkeypatch, trainings, die)
    assert str(results[0]) == "out of memory" and results[1] == read_metrics(run.best_model.parent)
    assert len(trainings.asked) == 2
