"""Trainings that compute in half precision."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.device.precision import PRECISIONS
from models.recipe import Recipe
from models.training.loop import train
from models.training.settings import Settings


@pytest.mark.parametrize(
    ("name", "freeze_before"), [*((name, 0) for name in PRECISIONS if name != "float32"), ("bfloat16", -3)]
)
def test_every_precision_trains_and_leaves_a_float32_model(
    name: str, freeze_before: int, tiny: Dataset, tmp_path: Path
) -> None:
    recipe = Recipe(
        backbone="small_vgg", image_size=16, freeze_before=freeze_before, augmentation="none", batch_size=50
    )
    training = train(recipe, tiny, directory=tmp_path, epochs=1, settings=Settings(precision=name))
    assert np.isfinite(training.history[0].loss)
    assert {layer.compute_dtype for layer in training.model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    accuracy = (training.model.predict(tiny.val.pixels(), verbose=0).argmax(1) == tiny.val.labels).mean()
    assert accuracy == pytest.approx(training.best.val_accuracy, abs=0.1)
