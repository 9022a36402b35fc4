from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from models.device import precision
from models.device.precision import PRECISIONS, resolve_precision
from models.recipe import Recipe
from models.training.loop import train
from models.training.settings import Settings


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 5)], "float16"),
        ([(8, 0)], "bfloat16"),
        ([(9, 0), (7, 0)], "float16"),
    ],
)
def test_auto_takes_what_the_slowest_gpu_is_good_at(
    capabilities: list[tuple[int, int]], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_compute_capabilities", lambda: capabilities)
    assert resolve_precision("auto")[0] == expected


def test_a_format_that_the_device_is_not_good_at_is_taken_but_not_silently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "_compute_capabilities", lambda: [])
    name, why = resolve_precision("bfloat16")
    assert name == "bfloat16" and "not faster" in why


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="int4"):
        resolve_precision("int4")


@pytest.mark.parametrize(
    ("name", "freeze_before"), [*((name, 0) for name in PRECISIONS if name != "float32"), ("bfloat16", -3)]
)
def test_every_precision_trains_and_leaves_a_float32_model(
    name: str, freeze_before: int, tiny: Dataset, tmp_path: Path
) -> None:
    recipe = Recipe(
        backbone="small", image_size=16, freeze_before=freeze_before, augmentation="none", batch_size=50
    )
    training = train(recipe, tiny, directory=tmp_path, epochs=1, settings=Settings(precision=name))
    assert np.isfinite(training.history[0].loss)
    assert {layer.compute_dtype for layer in training.model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    accuracy = (training.model.predict(tiny.val.pixels(), verbose=0).argmax(1) == tiny.val.labels).mean()
    assert accuracy == pytest.approx(training.best.val_accuracy, abs=0.1)
