"""SavedModels in folders whose names TensorFlow takes for patterns."""

from __future__ import annotations

import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.serving.export.saved_model import write_saved_model
from models.serving.runtimes import open_classifier

FACES = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    faces = keras.Input((48, 48, 1), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(faces))
    return keras.Model(faces, keras.layers.Dense(8, activation="softmax")(flat))


@pytest.mark.parametrize("name", ["plain", "exp[1]", "a*b", "what?", "{a,b}", "back\\slash", "[!x] y"])
def test_written_and_read_whatever_the_folder_is_called(
    name: str, model: keras.Model, tmp_path: Path
) -> None:
    folder = tmp_path / name / "saved_model"
    folder.parent.mkdir()
    write_saved_model(model, folder)
    assert [path.name for path in folder.parent.iterdir()] == ["saved_model"]
    np.testing.assert_allclose(open_classifier(folder)(FACES), model.predict(FACES, verbose=0), atol=1e-6)


def test_the_characters_are_named_where_there_is_no_way_around_them(
    model: keras.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_saved_model(model, tmp_path / "a[1]")
    (tmp_path / "tmp{2}").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp{2}"))
    with pytest.raises(InputError, match=r"a\[1\]: TensorFlow takes \[ \] in the path .* set TMPDIR"):
        open_classifier(tmp_path / "a[1]")
