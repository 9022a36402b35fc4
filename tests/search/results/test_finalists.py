"""Retraining several configurations, with trainings that take no time: who goes on, what is kept, what is said of the search."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from ferplus_data.dataset import Dataset, load_dataset
from models.recipe import Recipe
from models.training.checkpoints import Checkpoints
from models.training.history import Epoch
from models.training.settings import Listener, Settings
from search.results import retraining
from search.results.finalists import Contenders, contenders, rank_correlation
from search.results.measuring import Look
from search.results.successive_halving import Retrained, SuccessiveHalving
from search.storages.trial_life import KNOWN_RECIPE
from search.study.arguments import SearchArguments
from search.study.readings import described, read_readings
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord
from search.workers.time_budget import epochs_in_all, halving_epochs
from tests.search.results.test_retraining import HYPERPARAMETERS, Said

EPOCHS = 8
RISE = {0.0: 0.30, 0.1: 0.40, 0.2: 0.90, 0.3: 0.50, 0.4: 0.60}
"""Dropout of a configuration -> share of the validation faces that its last epoch has right, and of it in proportion before."""


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return load_dataset("demo", subset=0.1)


class Trainings:
    """Stands for `models.training.loop.train`: its epochs follow RISE. Dies where `dies` says so."""

    def __init__(self) -> None:
        self.epochs: list[tuple[float, int, int]] = []
        self.dies: tuple[float, int] | None = None

    def __call__(self, recipe: Any, dataset: Dataset, **options: Any) -> Any:
        checkpoints = Checkpoints(options["directory"], {"recipe": str(recipe)})
        listener, seed = options["listener"], options["settings"].seed
        stopped = any([listener.on_epoch(epoch) for epoch in checkpoints.history])
        for number in range(len(checkpoints.history) + 1, options["epochs"] + 1):
            if stopped:
                break
            if self.dies == (recipe.dropout, number):
                raise KeyboardInterrupt
            share = RISE[recipe.dropout] * number / EPOCHS
            epoch = Epoch(number, 1.0, 0.5, 1.0, 0.001, 1.0, metrics={"accuracy": share})
            checkpoints.save(_Network(), epoch, dataset.val, _said(dataset, share))  # type: ignore[arg-type]
            self.epochs.append((recipe.dropout, seed % 1000, number))
            stopped = bool(listener.on_epoch(epoch))
        faces = keras.Input((48, 48, 1), dtype="uint8")
        network = keras.Model(faces, keras.layers.Dense(8, "softmax")(keras.layers.Flatten()(faces)))
        return SimpleNamespace(model=network, best=checkpoints.best, history=checkpoints.history)


class _Network:
    def save_weights(self, path: Path) -> None:
        path.write_text("weights")


def _said(dataset: Dataset, share: float) -> np.ndarray:
    labels, rows = dataset.val.labels, np.arange(len(dataset.val))
    found = np.zeros((len(rows), 8), np.float32)
    found[rows, np.where(rows < share * len(rows), labels, (labels + 1) % 8)] = 1.0
    return found


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    found = Trainings()
    monkeypatch.setattr(retraining, "train", found)
    return found


def trial(number: int, score: float, state: str = "complete", source: str | None = None) -> TrialRecord:
    """Trial `number`, with a tenth of that for a dropout."""
    values = {**HYPERPARAMETERS, "dropout": number / 10}
    return TrialRecord(
        number, state, values, score, {1: score}, None, None, None, None, Path(), source=source
    )


TRIALS = [
    trial(0, 0.55, source=KNOWN_RECIPE),
    trial(1, 0.50),
    trial(2, 0.52),
    trial(3, 0.60),
    trial(4, 0.70, "failed"),
]


@pytest.mark.parametrize(
    ("count", "finalists", "known"),
    [(0, [3], None), (1, [3], 0), (2, [3, 2], 0), (3, [3, 2, 1], 0), (9, [3, 2, 1], 0)],
)
def test_the_best_are_retrained_beside_the_known_recipe(
    count: int, finalists: list[int], known: int | None
) -> None:
    found = contenders(TRIALS, count)
    assert found is not None and [one.number for one in found.finalists] == finalists
    assert (found.known_recipe and found.known_recipe.number) == known


def test_without_a_known_recipe_or_without_another_configuration_nothing_is_compared() -> None:
    found = contenders(TRIALS[1:], 2)
    assert found is not None and [t.number for t in found.all] == [3, 2] and found.known_recipe is None
    alone = contenders(TRIALS[:1], 3)
    assert alone is not None and [t.number for t in alone.all] == [0] and alone.known_recipe is None
    assert contenders(TRIALS[4:], 3) is None


def test_one_finalist_that_is_the_known_recipe_is_compared_with_nothing() -> None:
    trials = [trial(0, 0.9, source=KNOWN_RECIPE), *TRIALS[1:]]
    found = contenders(trials, 1)
    assert found is not None and [t.number for t in found.all] == [0] and found.known_recipe is None
    found = contenders(trials, 2)
    assert (
        found is not None
        and [t.number for t in found.finalists] == [3, 2]
        and found.known_recipe == trials[0]
    )


def test_one_finalist_and_the_known_recipe_are_trained_whole_with_every_seed(
    tmp_path: Path, dataset: Dataset, trainings: Trainings
) -> None:
    metrics = retrain(found_by(1), RunDirectory.of(tmp_path, "s"), dataset)
    seeds = [1_000_000 % 1000, 1_000_000 % 1000 + 1]
    assert trainings.epochs == [(d, s, n) for d in (0.3, 0.0) for s in seeds for n in range(1, EPOCHS + 1)]
    assert len(trainings.epochs) == epochs_in_all(EPOCHS, 2, 1, compared=True)
    assert metrics["trial"] == 3 and [one["trial"] for one in metrics["finalists"]] == [3, 0]
    assert metrics["rank_correlation"]["kendall_tau"] is None
    assert (metrics["improvement"]["trial"], metrics["improvement"]["known_recipe"]) == (3, 0)
    assert metrics["improvement"]["shown"] and metrics["improvement_test"]["split"] == "test"


@pytest.mark.parametrize(
    ("epochs", "count", "found"),
    [(60, 3, [15, 30]), (60, 2, [30]), (60, 1, []), (10, 5, [2, 3, 5]), (1, 3, []), (2, 3, [1])],
)
def test_halves_end_after_halves_of_the_epochs(epochs: int, count: int, found: list[int]) -> None:
    assert halving_epochs(epochs, count) == found


@pytest.mark.parametrize(
    ("finalists", "seeds", "compared", "whole"),
    [(1, 1, False, 1), (1, 3, True, 6), (3, 1, True, 2.75), (3, 3, True, 6.75), (2, 1, False, 1.5)],
)
def test_the_time_of_a_retraining_counts_all_of_its_epochs(
    finalists: int, seeds: int, compared: bool, whole: float
) -> None:
    assert epochs_in_all(60, seeds, finalists, compared=compared) == 60 * whole


def retrain(
    chosen: Contenders, run: RunDirectory, dataset: Dataset, said: Said | None = None, **changes: Any
) -> dict[str, Any]:
    given: dict[str, Any] = {"retrain_epochs": EPOCHS, "retrain_seeds": 2, **changes}
    arguments = SearchArguments(data="demo", space="small", **given)
    look = Look(run.test_readings, "search", "a test")
    order = retraining.Order(chosen, arguments.retrain_epochs, look=look)
    return retraining.retrain(order, dataset, run, arguments, said or Said())


def found_by(count: int) -> Contenders:
    found = contenders(TRIALS, count)
    assert found is not None
    return found


def test_it_is_interrupted_anywhere_and_trains_no_epoch_twice(
    tmp_path: Path, dataset: Dataset, trainings: Trainings
) -> None:
    run = RunDirectory.of(tmp_path, "s")
    for place in [(0.3, 2), (0.2, 3), (0.0, 4)]:
        trainings.dies = place
        with pytest.raises(KeyboardInterrupt):
            retrain(found_by(3), run, dataset)
    trainings.dies = None
    metrics = retrain(found_by(3), run, dataset)
    first = 1_000_000 % 1000
    expected = [
        *((0.3, first, n) for n in (1, 2)),  # all three up to a quarter of the epochs
        *((0.2, first, n) for n in (1, 2)),
        *((0.1, first, n) for n in (1, 2)),
        *((0.2, first, n) for n in (3, 4)),  # two of them up to the half
        *((0.3, first, n) for n in (3, 4)),
        *((0.2, first, n) for n in range(5, 9)),
        *((0.2, first + 1, n) for n in range(1, 9)),
        *((0.0, seed, n) for seed in (first, first + 1) for n in range(1, 9)),
    ]
    assert trainings.epochs == expected and len(expected) == epochs_in_all(8, 2, 3, compared=True)
    assert metrics["trial"] == 2 and metrics["hyperparameters"]["dropout"] == 0.2
    assert [one["trial"] for one in metrics["finalists"]] == [3, 2, 1, 0]
    assert [one["epochs"] for one in metrics["finalists"]] == [4, 8, 2, 8]
    assert not run.retraining_plan.exists()
    said = Said()
    assert retrain(found_by(3), run, dataset, said) == metrics and len(trainings.epochs) == len(expected)
    assert said.lines == ["trials 3, 2, 1, 0: retrained before"]
    # What the search found beyond the known recipe.
    found = metrics["improvement"]
    share = [np.mean(np.arange(len(dataset.val)) < RISE[d] * len(dataset.val)) for d in (0.2, 0.0)]
    by = found["by"]["accuracy"]
    assert (by["value"], by["other"]) == pytest.approx(share)
    assert by["difference"] == pytest.approx(share[0] - share[1]) and found["shown"]
    assert set(found["by"]) == {"accuracy", "macro_f1"}
    points = f"{100 * by['difference']:.1f} points [{100 * by['low']:.1f}, {100 * by['high']:.1f}]"
    assert (
        f"the search improved on the known recipe by {points} of validation accuracy: shown"
        in (found["statement"])
    )
    assert f"{found['photographs']:,} photographs and 2 seeds" in found["statement"]
    # As trials 3 > 0 > 2 > 1; after a quarter of the epochs 2 > 3 > 1 > 0: three pairs alike, three not.
    assert metrics["rank_correlation"] == {"kendall_tau": pytest.approx(0.0), "n": 4, "epochs": 2}


def test_the_test_split_compares_them_in_one_look(
    tmp_path: Path, dataset: Dataset, trainings: Trainings
) -> None:
    """By the files that were kept, whose networks say anything: another way than what validation was judged by."""
    run = RunDirectory.of(tmp_path, "s")
    metrics = retrain(found_by(2), run, dataset)
    faces, labels = dataset.test.pixels(), dataset.test.reveal_labels().labels
    seeds = [one["seed"] for one in metrics["seeds"]]
    right = {
        number: [
            np.mean(
                keras.models.load_model(run.retraining(number, seed) / "model.keras")
                .predict(faces, verbose=0)
                .argmax(axis=1)
                == labels
            )
            for seed in seeds
        ]
        for number in (2, 0)
    }
    found = metrics["improvement_test"]
    by = found["by"]["accuracy"]
    assert metrics["trial"] == 2 and (found["trial"], found["known_recipe"]) == (2, 0)
    assert (by["value"], by["other"]) == pytest.approx((np.mean(right[2]), np.mean(right[0])))
    assert (found["split"], found["n"]) == ("test", len(dataset.test)) and "of test accuracy" in found[
        "statement"
    ]
    (reading,) = read_readings(run.test_readings)
    for listed, number in (("models", 2), ("compared_with", 0)):
        assert [(one["trial"], one["seed"]) for one in reading[listed]] == [(number, seed) for seed in seeds]
        assert [one["accuracy"] for one in reading[listed]] == pytest.approx(right[number])
    assert reading["accuracy"] == pytest.approx(np.mean(right[2]))
    assert described([reading])[0].endswith(", compared with trial 0")


def test_what_a_version_before_has_not_compared_on_the_test_split_is(
    tmp_path: Path, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory.of(tmp_path, "s")
    with monkeypatch.context() as before:
        before.setattr(retraining, "rivals_of", lambda *_: None)
        assert "improvement_test" not in retrain(found_by(2), run, dataset)
    epochs = len(trainings.epochs)
    assert retrain(found_by(2), run, dataset)["improvement_test"]["split"] == "test"
    assert len(trainings.epochs) == epochs and len(read_readings(run.test_readings)) == 2
    retrain(found_by(2), run, dataset)
    assert len(read_readings(run.test_readings)) == 2


def test_a_known_recipe_that_is_the_best_is_kept(
    tmp_path: Path, dataset: Dataset, trainings: Trainings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RISE, 0.0, 0.95)

    def train(trial: TrialRecord, seed: int, until: int | None) -> Retrained:
        training = trainings(
            Recipe.from_hyperparameters(trial.hyperparameters),
            dataset,
            directory=tmp_path / f"{trial.number}",
            epochs=EPOCHS,
            settings=Settings(seed=seed),
            listener=Listener(lambda epoch: epoch.epoch == until),
        )
        return Retrained(tmp_path / f"{trial.number}", training.history, training.best)

    halving = SuccessiveHalving(found_by(2), train, seeds=[7], epochs=EPOCHS, objective="accuracy")
    assert halving.run().number == 0
    found = halving.told(dataset.val)["improvement"]
    right = [np.sum(np.arange(len(dataset.val)) < share * len(dataset.val)) for share in (0.9, 0.95)]
    worse = 100 * (right[1] - right[0]) / len(dataset.val)
    assert found["trial"] == 2 and not found["shown"]
    assert f"by -{worse:.1f} points" in found["statement"]
    assert "of one seed, so that what another seed changes is not in it" in found["statement"]


@pytest.mark.parametrize(
    ("merits", "retrained", "tau"),
    [
        ([1, 2, 3], [4, 5, 6], 1.0),
        ([1, 2, 3], [6, 5, 4], -1.0),
        ([1, 2], [1, 2], None),
        ([1, 2, 3], [5, 5, 5], None),
    ],
)
def test_the_rank_correlation_is_kendalls(
    merits: list[float], retrained: list[float], tau: float | None
) -> None:
    assert rank_correlation(merits, retrained) == (None if tau is None else pytest.approx(tau))
