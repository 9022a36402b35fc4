from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.build import build_model
from models.prediction import predict, read_face, read_faces
from models.recipe import Recipe


@pytest.mark.parametrize(
    ("mode", "size", "suffix"),
    [("L", (48, 48), ".png"), ("RGB", (100, 80), ".jpg"), ("RGBA", (48, 48), ".png")],
)
def test_pictures_of_any_kind_become_faces(
    mode: str, size: tuple[int, int], suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"face{suffix}"
    Image.new(mode, size, 77 if mode == "L" else (77, 77, 77, 255)[: len(mode)]).save(path)
    face = read_face(path)
    assert face.shape == (48, 48, 1) and face.dtype == np.uint8
    assert abs(int(face.mean()) - 77) <= 1


def test_an_expression_for_each_picture_in_order(tmp_path: Path) -> None:
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (48, 48)).astype(np.uint8)).save(paths[-1])
    model = build_model(Recipe(image_size=32))
    faces = read_faces(paths)
    predictions = predict(model, paths, faces)
    assert [p.path for p in predictions] == paths
    expected = model.predict(faces, verbose=0)
    for prediction, row in zip(predictions, expected, strict=True):
        assert prediction.expression == EMOTIONS[row.argmax()]
        np.testing.assert_allclose([prediction.probabilities[e] for e in EMOTIONS], row, atol=1e-6)


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_bad_picture_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png"):
        read_face(path)
