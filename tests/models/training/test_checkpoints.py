"""Checkpoints of a network so small that nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.recipe import Recipe
from models.training.checkpoints import Checkpoints
from models.training.history import Epoch, read_history, readable_history

IDENTITY = {"recipe": "a"}


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 1.0, accuracy, 1.0, 0.1, 2.0, metrics={"accuracy": accuracy})


def save(checkpoints: Checkpoints, model: keras.Model, epoch: Epoch) -> None:
    split: Any = SimpleNamespace(labels=np.zeros(3, np.int64), rows=np.arange(3))
    checkpoints.save(model, epoch, split, np.full((3, 8), epoch.epoch / 8, np.float32))


def set_to(model: keras.Model, value: float) -> None:
    model.set_weights([np.full_like(weight, value) for weight in model.get_weights()])


def value_of(model: keras.Model) -> float:
    (value,) = {float(v) for weight in model.get_weights() for v in weight.ravel()}
    return value


def trained(directory: Path, model: keras.Model, *accuracies: float) -> None:
    """Epoch n leaves weights that are all n."""
    checkpoints = Checkpoints(directory, IDENTITY)
    for number, accuracy in enumerate(accuracies, 1):
        set_to(model, number)
        save(checkpoints, model, epoch(number, accuracy))


@pytest.mark.parametrize(
    ("accuracies", "best"), [((0.2, 0.9, 0.5), 2), ((0.9, 0.2), 1), ((0.1, 0.2), 2), ((0.5, 0.5), 1)]
)
def test_the_best_weights_are_those_of_the_best_epoch(
    accuracies: tuple[float, ...], best: int, model: keras.Model, tmp_path: Path
) -> None:
    trained(tmp_path, model, *accuracies)
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    assert checkpoints.best is not None and checkpoints.best.epoch == best
    checkpoints.load_best(model)
    assert value_of(model) == best
    assert checkpoints.restore(model) == len(accuracies) == value_of(model)
    checkpoints.finish()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.weights.h5",
        "history.csv",
        "training.json",
        "validation.npz",
    ]


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()  # it may be another name of the best weights
    path.write_bytes(content[: len(content) // 2])


def garbage(path: Path) -> None:
    path.unlink()
    path.write_bytes(bytes(range(256)) * 8)


def of_another_network(path: Path) -> None:
    path.unlink()
    keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)]).save_weights(path)


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [empty, truncated, garbage, of_another_network, gone])
@pytest.mark.parametrize("name", ["epoch-0003.weights.h5", "best.weights.h5", "history.csv"])
def test_a_training_whose_files_are_damaged_starts_over_from_its_own_beginning(
    name: str, damage: Callable[[Path], None], model: keras.Model, tmp_path: Path
) -> None:
    trained(tmp_path, model, 0.2, 0.9, 0.5)
    if name == "history.csv" and damage is of_another_network:
        damage = lambda path: path.write_text("a,b\n1,2\n")  # noqa: E731
    damage(tmp_path / name)
    set_to(model, 7)
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    assert checkpoints.restore(model) == 0 and checkpoints.history == [] and value_of(model) == 7
    save(checkpoints, model, epoch(1, 0.4))
    checkpoints.load_best(model)
    assert value_of(model) == 7 and [e.epoch for e in read_history(tmp_path / "history.csv")] == [1]


@pytest.mark.parametrize("record", ['{"recipe": "b"}', "", "{", "\udcff"])
def test_files_of_another_training_go_and_a_users_stay(
    record: str, model: keras.Model, tmp_path: Path
) -> None:
    trained(tmp_path, model, 0.2)
    (tmp_path / "training.json").write_bytes(record.encode(errors="surrogateescape"))
    (tmp_path / "notes.txt").write_text("mine")
    assert Checkpoints(tmp_path, IDENTITY).history == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "training.json"]


def test_a_training_that_an_earlier_version_recorded_by_an_alias_goes_on(
    model: keras.Model, tmp_path: Path
) -> None:
    identity = {"recipe": Recipe(class_weights="baseline", augmentation="baseline").key()}
    trained(tmp_path, model, 0.2)
    (tmp_path / "training.json").write_text(
        json.dumps(identity, sort_keys=True).replace('"baseline"', '"seed"')
    )
    assert [e.epoch for e in Checkpoints(tmp_path, identity).history] == [1]
    another = {"recipe": Recipe(class_weights="none", augmentation="baseline").key()}
    assert Checkpoints(tmp_path, another).history == []


def test_files_that_may_be_another_programs_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text("mine")
    with pytest.raises(InputError, match=r"expected training\.json beside history\.csv.*move them away"):
        Checkpoints(tmp_path, IDENTITY)
    assert (tmp_path / "history.csv").read_text() == "mine"


@pytest.mark.parametrize("content", ["", "epoch\n", "a,b\n1,2\n", "\x00", "epoch,loss\n2,0.5\n"])
def test_a_history_that_is_none_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=r"history\.csv: expected the epochs of a training"):
        read_history(path)
    assert readable_history(path) == []
    assert read_history(tmp_path / "none.csv") == []
