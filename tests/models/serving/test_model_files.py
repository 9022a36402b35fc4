from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.networks.build import build_model
from models.recipe import Recipe
from models.serving.model_files import load_model, save_model


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    model = build_model(Recipe(backbone="small_vgg", image_size=32))
    return model, save_model(model, tmp_path_factory.mktemp("saved") / "model.keras")


def test_what_is_saved_computes_the_same(saved: tuple[keras.Model, Path]) -> None:
    model, path = saved
    faces = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1)).astype(np.uint8)
    np.testing.assert_allclose(
        load_model(path).predict(faces, verbose=0), model.predict(faces, verbose=0), atol=1e-6
    )
    assert not list(path.parent.glob("*writing-*"))


@pytest.mark.parametrize("tenth", [0, 1, 5, 9])
def test_a_truncated_checkpoint_is_refused(
    saved: tuple[keras.Model, Path], tenth: int, tmp_path: Path
) -> None:
    content = saved[1].read_bytes()
    broken = tmp_path / "broken.keras"
    broken.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(InputError, match="expected a whole .keras model") as raised:
        load_model(broken)
    assert "\n" not in str(raised.value)


def test_a_lambda_layer_is_refused_unrun(tmp_path: Path) -> None:
    x = keras.Input((48, 48, 1))
    y = keras.layers.Dense(8)(
        keras.layers.Flatten()(keras.layers.Lambda(lambda t: t * 2, output_shape=(48, 48, 1))(x))
    )
    keras.Model(x, y).save(tmp_path / "lambda.keras")
    with pytest.raises(InputError, match="Lambda layer"):
        load_model(tmp_path / "lambda.keras")


def test_a_model_of_something_else_is_refused(tmp_path: Path) -> None:
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Dense(2)(x)).save(tmp_path / "other.keras")
    with pytest.raises(InputError, match="8 probabilities out"):
        load_model(tmp_path / "other.keras")


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_model(tmp_path / "none.keras")
