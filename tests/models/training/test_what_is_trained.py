"""Each choice of a recipe where it acts: the rows, targets, weights, rates, masks and epochs that a training really uses."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from ferplus_data.dataset import Dataset, HeldOut, Split
from models.metrics.objectives import OBJECTIVES, Objective
from models.networks.build import build_model
from models.networks.compiled import Networks
from models.optimization.class_weights import CLASS_WEIGHTS
from models.recipe import Recipe
from models.training.callbacks import DropoutSeed
from models.training.checkpoints import Checkpoints
from models.training.feed import Feed, feed
from models.training.history import Epoch, read_history
from models.training.loop import train
from models.training.settings import Listener, Settings

QUIET = Recipe(
    backbone="small_vgg",
    optimizer="sgd",
    learning_rate=1e-9,
    batch_size=100,
    dropout=0.0,
    augmentation="none",
    lr_policy="constant",
)
"""Changes nothing, so that losses of different trainings can be compared."""
VOTES = np.array(
    [
        [6, 4, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 9, 0, 0, 0, 0, 0, 0, 0, 1],
        [0, 1, 5, 0, 0, 0, 3, 0, 0, 1],
        [8, 0, 0, 2, 0, 0, 0, 0, 0, 0],
    ],
    np.uint8,
)


def split_of(votes: np.ndarray, first_row: int) -> Split:
    rows = np.arange(first_row, first_row + len(votes))
    labels = votes[:, :8].argmax(axis=1)
    nowhere_else = np.zeros(len(rows), bool)
    images, photographs = np.zeros((40, 48, 48), np.uint8), rows.astype(np.int32)
    return Split(images, rows, labels, votes, photographs, nowhere_else, nowhere_else)


@pytest.fixture
def voted() -> Dataset:
    """Four training, four validation and four test rows with divided votes."""
    train, val, test = (split_of(VOTES, first) for first in (0, 10, 20))
    return Dataset(train, val, HeldOut(test), val, HeldOut(test), fingerprint="0" * 64, source="voted")


def fed(recipe: Recipe, dataset: Dataset, settings: Settings | None = None) -> Feed:
    network: Any = SimpleNamespace(prefix=None, model=None, scorer=None)
    return feed(
        recipe, dataset, settings or Settings(), network, None, range(1), lambda line: None, lambda a, b: None
    )


def test_a_trial_sees_the_training_rows_and_is_measured_on_the_validation_rows(voted: Dataset) -> None:
    assert fed(QUIET, voted).training.split is voted.train
    assert fed(QUIET, voted).validation.split is voted.val
    part = voted.train.take(np.array([1, 3]))
    assert fed(QUIET, voted, Settings(train_split=part)).training.split is part


@pytest.mark.parametrize(
    ("target", "smoothing", "expected"),
    [
        ("majority", 0.0, [[1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]]),
        ("soft", 0.0, [[0.6, 0.4, 0, 0, 0, 0, 0, 0], [0, 0, 0.625, 0, 0, 0, 0.375, 0]]),
        ("majority", 0.08, [[0.93] + [0.01] * 7, [0.01, 0.01, 0.93] + [0.01] * 5]),
        ("soft", 0.08, [[0.562, 0.378] + [0.01] * 6, [0.01, 0.01, 0.585, 0.01, 0.01, 0.01, 0.355, 0.01]]),
    ],
)
def test_the_targets(target: str, smoothing: float, expected: list, voted: Dataset) -> None:
    recipe = dataclasses.replace(QUIET, target=target, label_smoothing=smoothing)
    np.testing.assert_allclose(fed(recipe, voted).training.targets[[0, 2]], expected, atol=1e-6)


def test_the_weights_are_those_of_the_whole_training_split(voted: Dataset) -> None:
    """Two neutral rows of four, one happy, one surprised: N / (K n_c) is 4 / (3 * 2) and 4 / 3."""
    recipe = dataclasses.replace(QUIET, class_weights="balanced")
    part = voted.train.take(np.array([0, 1]))
    weights = fed(recipe, voted, Settings(train_split=part)).training.sample_weight
    np.testing.assert_allclose(weights, [2 / 3, 4 / 3], rtol=1e-6)
    soft = fed(dataclasses.replace(recipe, target="soft"), voted).training.sample_weight
    np.testing.assert_allclose(
        soft, [0.6 * 2 / 3 + 0.4 * 4 / 3, 4 / 3, 0.625 * 4 / 3, 0.8 * 2 / 3], rtol=1e-6
    )


def test_a_training_starts_from_the_weights_it_is_given_whatever_its_seed(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    """With the backbone frozen, its weights are at the end those of the file."""
    recipe = dataclasses.replace(QUIET, freeze_before=-3)
    keras.utils.set_random_seed(77)
    given = build_model(recipe)
    given.save(tmp_path / "given.keras")
    heads = []
    for seed in (0, 1):
        settings = Settings(weights=str(tmp_path / "given.keras"), seed=seed)
        directory = tmp_path / str(seed)
        trained = train(
            recipe, tiny, directory=directory, epochs=1, settings=settings, networks=networks
        ).model
        for name in ("conv1_1", "conv3_2"):
            expected = given.get_layer(name).get_weights()[0]
            np.testing.assert_array_equal(trained.get_layer(name).get_weights()[0], expected)
        heads.append(trained.get_layer("dense").get_weights()[0])
    assert not np.allclose(heads[0], heads[1], atol=1e-3)  # which is the seed's


def test_the_loss_is_weighted_and_on_the_targets(
    tiny: Dataset, tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice the weights, twice the loss. Smoothed targets add what the uniform distribution would cost."""
    monkeypatch.setitem(CLASS_WEIGHTS, "double", lambda counts: np.full(8, 2.0, np.float32))

    def loss(name: str, **change: Any) -> float:
        recipe = dataclasses.replace(QUIET, **change)
        return train(recipe, tiny, networks=networks, directory=tmp_path / name, epochs=1).history[0].loss

    plain = loss("plain")
    assert loss("double", class_weights="double") == pytest.approx(2 * plain, rel=1e-4)
    half, whole = loss("half", label_smoothing=0.4), loss("whole", label_smoothing=0.8)
    assert whole - plain == pytest.approx(2 * (half - plain), rel=1e-3) and abs(half - plain) > 1e-3


def test_the_learning_rate_moves_within_an_epoch(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    """Four steps an epoch: the last of epoch e begins at e + 3/4."""
    recipe = dataclasses.replace(
        QUIET,
        learning_rate=1e-3,
        batch_size=25,
        lr_policy="one_cycle",
        policy_parameters={"peak_fraction": 0.5},
    )
    rates = [
        epoch.learning_rate
        for epoch in train(recipe, tiny, networks=networks, directory=tmp_path, epochs=2).history
    ]
    assert rates == pytest.approx([1e-3 * (0.1 + 0.9 * 0.75), 1e-3 * (1 - 0.999 * 0.75)], rel=1e-5)


def test_dropout_drops_others_in_every_epoch_and_with_every_seed() -> None:
    layer = keras.layers.Dropout(0.5)
    ones = np.ones((4, 100), np.float32)

    def drawn(seed: int, epoch: int) -> bytes:
        DropoutSeed(layer, seed).on_epoch_begin(epoch)
        return np.asarray(layer(ones, training=True)).tobytes()

    masks = {(seed, epoch): drawn(seed, epoch) for seed, epoch in itertools.product((0, 1), range(3))}
    assert len(set(masks.values())) == len(masks)
    assert drawn(1, 2) == masks[1, 2]


def test_patience_is_counted_from_the_best_epoch(
    tiny: Dataset, tmp_path: Path, networks: Networks, falling: str
) -> None:
    for patience in (1, 2):
        recipe = dataclasses.replace(QUIET, patience=patience)
        training = train(
            recipe,
            tiny,
            networks=networks,
            directory=tmp_path / str(patience),
            epochs=6,
            settings=Settings(objective=falling),
        )
        assert len(training.history) == 1 + patience and training.best.epoch == 1 and not training.stopped


def test_the_best_epochs_weights_are_the_result(
    tiny: Dataset, tmp_path: Path, networks: Networks, falling: str
) -> None:
    recipe = dataclasses.replace(QUIET, learning_rate=3e-2, batch_size=25)
    training = train(
        recipe, tiny, networks=networks, directory=tmp_path, epochs=3, settings=Settings(objective=falling)
    )
    kept = np.load(tmp_path / "validation.npz")
    assert training.best.epoch == kept["epoch"] == 1 and len(training.history) == 3
    said = training.model.predict(tiny.val.pixels(), verbose=0)
    np.testing.assert_allclose(said, kept["probabilities"], atol=2e-3)
    np.testing.assert_array_equal(kept["rows"], tiny.val.rows)
    np.testing.assert_array_equal(kept["labels"], tiny.val.labels)
    assert kept["probabilities"].dtype == np.float16
    # The epochs differ by more than that.
    accuracies = [epoch.metrics["nll_majority"] for epoch in training.history]
    assert max(accuracies) - min(accuracies) > 0.01


class Weights(keras.callbacks.Callback):
    """Keeps the trainable weights after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[np.ndarray]] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()
        self.seen.append([keras.ops.convert_to_numpy(one).copy() for one in self.model.trainable_variables])


def test_the_averages_of_the_weights_are_measured_and_kept(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    """Three epochs of four steps, averaged over a quarter of the twelve: momentum 2/3."""
    recipe = dataclasses.replace(
        QUIET, learning_rate=0.01, batch_size=25, ema_fraction=0.25, freeze_before=-3, patience=9
    )
    weights = Weights()
    training = train(
        recipe,
        tiny,
        directory=tmp_path,
        epochs=3,
        networks=networks,
        listener=Listener(callbacks=[weights]),
    )
    assert len(weights.seen) == 12
    average = weights.seen[0]
    kept = [average]
    for step in weights.seen[1:]:
        average = [2 / 3 * old + 1 / 3 * new for old, new in zip(average, step, strict=True)]
        kept.append(average)
    best = training.best.epoch
    for found, expected, last in zip(
        training.model.trainable_variables, kept[4 * best - 1], weights.seen[4 * best - 1], strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert not np.allclose(found, last, atol=1e-6)
    said = training.model.predict(tiny.val.pixels(), verbose=0)
    assert (said.argmax(axis=1) == tiny.val.labels).mean() == pytest.approx(training.best.val_accuracy)
    right = said[np.arange(len(said)), tiny.val.labels]
    assert -np.log(right).mean() == pytest.approx(training.best.val_loss, rel=1e-4)


@pytest.fixture
def falling(monkeypatch: pytest.MonkeyPatch) -> str:
    """An objective that is best after the first epoch."""
    values = itertools.count(0, -1)
    one = Objective(lambda probabilities, split: float(next(values)), "max", "falls")
    monkeypatch.setitem(OBJECTIVES, "falling", one)
    return "falling"


@pytest.mark.parametrize(
    ("objective", "best"), [("accuracy", 2), ("macro_f1", 3), ("nll_majority", 1), ("nll_votes", 2)]
)
def test_the_objective_tells_the_best_epoch(
    objective: str, best: int, tmp_path: Path, voted: Dataset
) -> None:
    """Every column of history.csv is read again, and the earliest of equals is the best."""
    columns = {
        "accuracy": [0.5, 0.7, 0.7],
        "macro_f1": [0.4, 0.5, 0.6],
        "balanced_accuracy": [0.4, 0.5, 0.6],
        "nll_majority": [1.1, 1.3, 1.2],
        "nll_votes": [1.5, 1.4, 1.4],
    }
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    checkpoints = Checkpoints(tmp_path, {"what": "this"}, objective)
    for i in range(3):
        model.layers[0].bias.assign([float(i + 1)])
        metrics = {name: values[i] for name, values in columns.items()}
        epoch = Epoch(i + 1, 1.0, 0.5, metrics["nll_majority"], 1e-3, 2.0, metrics)
        checkpoints.save(model, epoch, voted.val, np.full((4, 8), (i + 1) / 100, np.float32))
    assert read_history(tmp_path / "history.csv") == checkpoints.history
    again = Checkpoints(tmp_path, {"what": "this"}, objective)
    assert again.best is not None and again.best.epoch == best
    again.load_best(model)
    assert float(np.asarray(model.layers[0].bias)[0]) == best
    kept = np.load(tmp_path / "validation.npz")
    assert kept["epoch"] == best and kept["probabilities"][0, 0] == np.float16(best / 100)


def test_files_of_another_training_are_not_continued(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    part = Settings(train_split=tiny.train.take(np.arange(50)))
    trainings = {
        "the first": (tiny, part),
        "objective": (tiny, dataclasses.replace(part, objective="macro_f1")),
        "rows": (tiny, dataclasses.replace(part, train_split=tiny.train.take(np.arange(50, 100)))),
        "seed": (tiny, dataclasses.replace(part, seed=1)),
        "data": (dataclasses.replace(tiny, fingerprint="1" * 64), part),
    }
    found = {}
    for change, (dataset, settings) in trainings.items():
        train(QUIET, dataset, networks=networks, directory=tmp_path, epochs=1, settings=settings)
        found[change] = (tmp_path / "history.csv").read_text()
    assert len(set(found.values())) == len(found)  # the seconds differ, if it was trained anew
    dataset, settings = trainings["data"]
    train(QUIET, dataset, networks=networks, directory=tmp_path, epochs=1, settings=settings)
    assert (tmp_path / "history.csv").read_text() == found["data"]


def test_what_a_trial_costs_is_recorded(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    from models.training.settings import Listener

    listener = Listener()
    training = train(QUIET, tiny, networks=networks, directory=tmp_path, epochs=2, listener=listener)
    record = listener.record
    assert record["network"]["parameters"] == training.model.count_params()
    path = tmp_path / "whole.keras"
    training.model.save(path)
    assert record["network"]["bytes"] == pytest.approx(path.stat().st_size, rel=0.35)
    assert record["seconds_per_epoch"] == pytest.approx(np.mean([e.seconds for e in training.history]))
