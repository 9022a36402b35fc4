from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models import export
from models.build import build_model
from models.recipe import Recipe
from models.saved import save_model


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(build_model(Recipe(image_size=32)), tmp_path_factory.mktemp("best") / "model.keras")


@pytest.mark.parametrize("name", export.EXPORTERS)
def test_every_format_is_proven(name: str, checkpoint: Path, tmp_path: Path) -> None:
    written = export.export_model(checkpoint, [name], tmp_path)
    assert all(path.exists() for path in written)
    proof = json.loads((tmp_path / "parity.json").read_text())[name]
    assert proof["largest_difference"] <= export.TOLERANCE


def test_a_format_that_differs_is_not_left_behind(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(model: keras.Model, folder: Path) -> Path:
        other = keras.models.clone_model(model)
        other.set_weights([w + 0.1 * np.sign(w) for w in model.get_weights()])
        return save_model(other, folder / "model.keras")

    monkeypatch.setitem(export.EXPORTERS, "keras", (wrong, export.EXPORTERS["keras"][1]))
    with pytest.raises(export.ParityError, match="differs from"):
        export.export_model(checkpoint, ["keras"], tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_named(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="caffe"):
        export.export_model(checkpoint, ["caffe"], tmp_path)
