"""The recipes of docs/extending.md, followed: each change in one place, and a training has it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import keras
import numpy as np
import pytest
from keras import layers

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from models.backbones.registry import BACKBONES, HEAD_ONLY, Backbone
from models.hyperparameters import Range
from models.metrics.objectives import OBJECTIVES, Objective
from models.optimization.class_weights import CLASS_WEIGHTS
from models.optimization.lr_policies import LR_POLICIES
from models.optimization.optimizers import OPTIMIZERS
from models.recipe import Recipe, hyperparameter_names
from models.serving import export
from models.serving.classifier import Classifier
from models.serving.export.exporter import Conversion, Exporter
from models.serving.export.proof import Evidence
from models.serving.runtimes.keras_archive import classifier_of
from models.training.callbacks import CALLBACKS, Context
from models.training.loop import Training, train
from models.training.settings import Settings
from tests.models.serving.test_export import ABOUT

if TYPE_CHECKING:
    from models.recipe import Recipe as OnlyChecked  # as in models/optimization/optimizers.py

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"


def tiny_body(x: Any) -> Any:
    x = layers.Conv2D(4, 3, strides=4, activation="relu", name="conv1")(x)
    return layers.GlobalAveragePooling2D(keepdims=True, name="avg_pool")(x)


@pytest.fixture(autouse=True)
def backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide's backbone, which is also the quickest to train."""
    entry = Backbone(
        name="tiny",
        body=tiny_body,
        default_image_size=48,
        min_image_size=16,
        freeze_choices=(0, HEAD_ONLY),
        channel_means=(127.5, 127.5, 127.5),
        channel_scale=127.5,
    )
    monkeypatch.setitem(BACKBONES, "tiny", entry)


def trained(
    dataset: Dataset, directory: Path, epochs: int = 2, objective: str = "accuracy", **values: Any
) -> Training:
    recipe = Recipe.from_hyperparameters(
        {"backbone": "tiny", "batch_size": 50, "augmentation": "none", "lr_policy": "constant", **values}
    )
    return train(recipe, dataset, directory=directory, epochs=epochs, settings=Settings(objective=objective))


def test_a_backbone(tiny: Dataset, tmp_path: Path) -> None:
    model = trained(tiny, tmp_path, freeze_before=HEAD_ONLY).model
    prepared = keras.Model(model.inputs, model.get_layer("subtract_mean").output)
    black = np.asarray(prepared(np.zeros((1, 48, 48, 1), np.uint8)))
    np.testing.assert_allclose(black, -1.0, rtol=1e-6)
    with pytest.raises(InputError, match="image size for tiny: expected at least 16"):
        Recipe.from_hyperparameters({"backbone": "tiny", "image_size": 8})


def test_a_policy(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def halving(
        initial_lr: float,
        *,
        epoch: float,
        epochs: int,
        val_losses: Sequence[float],
        half_life: Annotated[float, Range(0.01, 1, "time in which the rate halves")] = 0.2,
    ) -> float:
        return initial_lr * 0.5 ** (epoch / epochs / half_life)

    monkeypatch.setitem(LR_POLICIES, "halving", halving)
    training = trained(tiny, tmp_path, lr_policy="halving", half_life=0.25)
    # Two steps an epoch: the last begins after three quarters of the training.
    assert training.history[-1].learning_rate == pytest.approx(1e-3 * 0.5**3)
    assert "half_life" in hyperparameter_names()
    with pytest.raises(InputError, match="half_life: expected 0.01 to 1, found 2"):
        Recipe.from_hyperparameters({"lr_policy": "halving", "half_life": 2})


def test_an_optimizer(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []

    def lion(
        recipe: OnlyChecked, *, beta_2: Annotated[float, Range(0, 0.9999, "decay of Lion's momentum")] = 0.99
    ) -> keras.optimizers.Optimizer:
        made.append(beta_2)
        return keras.optimizers.Lion(recipe.learning_rate, beta_1=recipe.beta_1, beta_2=beta_2)

    monkeypatch.setitem(OPTIMIZERS, "lion", lion)
    assert len(trained(tiny, tmp_path, optimizer="lion", beta_2=0.9).history) == 2
    assert made == [0.9]
    with pytest.raises(InputError, match="beta_2: expected 0 to 0.9999, found 1"):
        Recipe.from_hyperparameters({"optimizer": "lion", "beta_2": 1})


def test_a_class_weighting(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_heavy(train_counts: np.ndarray, *, heaviness: float = 2.0) -> np.ndarray:
        return np.array([heaviness, *[0.0] * 7], np.float32)

    monkeypatch.setitem(CLASS_WEIGHTS, "one_heavy", one_heavy)
    light, heavy = (
        trained(
            tiny, tmp_path / str(heaviness), epochs=1, class_weights="one_heavy", heaviness=heaviness,
            learning_rate=1e-9, dropout=0.0, optimizer="sgd",
        ).history[0].loss
        for heaviness in (2.0, 4.0)
    )  # fmt: skip
    assert heavy == pytest.approx(2 * light, rel=1e-3)


def test_a_metric(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(probabilities: np.ndarray, split: Any) -> float:
        return float(probabilities[:, 2].mean())

    monkeypatch.setitem(OBJECTIVES, "surprise", Objective(surprise, "min", "mean surprise"))
    training = trained(tiny, tmp_path, epochs=3, objective="surprise", learning_rate=0.05)
    values = [epoch.metrics["surprise"] for epoch in training.history]
    assert training.best.epoch == 1 + int(np.argmin(values))
    assert "val_surprise" in (tmp_path / "history.csv").read_text().splitlines()[0]


def test_a_callback(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(keras.callbacks.Callback):
        seen: list[tuple[int, float]] = []

        def __init__(self, context: Context) -> None:
            super().__init__()
            self._recipe = context.recipe

        def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
            self.seen.append((epoch, self._recipe.dropout))

    monkeypatch.setitem(CALLBACKS, "counting", Counting)
    trained(tiny, tmp_path, dropout=0.25)
    assert Counting.seen == [(0, 0.25), (1, 0.25)]


def write_npz(model: keras.Model, folder: Path, conversion: Conversion) -> None:
    np.savez(folder / "model.npz", model.to_json(), *model.get_weights())


def open_npz(path: Path) -> Classifier:
    with np.load(path) as arrays:
        architecture, *weights = (arrays[name] for name in arrays.files)
    model = keras.models.model_from_json(str(architecture))
    model.set_weights(weights)
    return classifier_of(model)


def test_an_export_format(tiny: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = "import numpy\narrays = numpy.load('model.npz')\n"
    npz = Exporter(
        "npz", ("model.npz",), write_npz, open_npz, runtime="Keras", usage=usage, metadata="none in the file"
    )
    monkeypatch.setitem(export.EXPORTERS, "npz", npz)
    model, evidence = trained(tiny, tmp_path / "trial").model, Evidence.of(tiny)
    export.export_model(model, ["npz"], tmp_path / "export", evidence=evidence, about=ABOUT)
    assert json.loads((tmp_path / "export" / "parity.json").read_text())["npz"]["ok"]
    assert usage.strip() in (tmp_path / "export" / "README.md").read_text()
    faces = tiny.val.pixels()
    expected = model.predict(faces, verbose=0)
    np.testing.assert_allclose(open_npz(tmp_path / "export" / "model.npz")(faces), expected, atol=1e-5)


def test_the_guide_has_a_section_for_each() -> None:
    sections = re.findall(r"^## (.+)$", GUIDE.read_text(), flags=re.MULTILINE)
    expected = {
        "LR policy",
        "Optimizer",
        "Class weighting",
        "Backbone",
        "Metric",
        "Callback",
        "Export format",
    }
    assert expected <= set(sections)
