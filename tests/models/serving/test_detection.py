"""Faces that are found in a picture and cut out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import run_search
from ferplus_data.dataset import load_dataset
from ferplus_data.errors import InputError
from models.serving import detection
from models.serving.detection import Box, face_detector
from models.serving.prediction import find_faces, read_faces

REAL = os.environ.get("FERPLUS_DATA")


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """100 pixels wide, black, with a grey square at 20,30 and a white one at 60,10."""
    pixels = np.zeros((80, 100), np.uint8)
    pixels[30:50, 20:40], pixels[10:20, 60:70] = 128, 255
    Image.fromarray(pixels).save(tmp_path / "photograph.png")
    return tmp_path / "photograph.png"


def two(picture: Image.Image) -> list[Box]:
    return [Box(20, 30, 40, 50), Box(60, 10, 70, 20)]


def test_each_face_is_cut_out_and_says_where_it_was(photograph: Path) -> None:
    grey, white = find_faces(photograph, two)
    assert (grey.pixels == 128).all() and (white.pixels == 255).all()
    assert grey.pixels.shape == (48, 48, 1)
    assert grey.converted == "face at 20,30 to 40,50 of L 100x80"


def test_a_picture_without_a_face_is_passed_over(photograph: Path) -> None:
    skipped: list[InputError] = []
    assert [*read_faces([photograph], None, skipped.append, lambda picture: [])] == []
    assert "expected a face in it, found none" in str(skipped[0])
    assert len([*read_faces([photograph], None, skipped.append, two)]) == 2 and len(skipped) == 1


def test_what_lies_beyond_the_edge_is_black() -> None:
    cut = Box(-5, -5, 5, 5).cut(Image.fromarray(np.full((10, 10), 200, np.uint8)))
    assert cut.size == (10, 10) and cut.getpixel((0, 0)) == 0 and cut.getpixel((9, 9)) == 200


def test_without_dlib_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    with pytest.raises(InputError, match="--detect: expected dlib.*requirements-detect.txt"):
        face_detector()


def test_the_face_is_found_once(capsys: pytest.CaptureFixture, photograph: Path) -> None:
    assert run_search.main(["predict", str(photograph), "--detect", "--crop", "x.py:f"]) == 2
    assert "--detect: expected without --crop" in capsys.readouterr().err


def test_dlib_finds_a_drawn_face_where_it_is() -> None:
    pytest.importorskip("dlib")
    place = (200, 120, 440, 360)
    drawn = Image.fromarray(load_dataset("demo").val.pixels()[0, ..., 0])
    photograph = Image.new("L", (640, 480), 60)
    photograph.paste(drawn.resize((240, 240)), place[:2])
    (box,) = face_detector()(photograph)
    assert np.abs(np.subtract((box.left, box.top, box.right, box.bottom), place)).max() < 0.2 * 240


@pytest.mark.skipif(REAL is None, reason="FERPLUS_DATA is not set")
def test_dlib_finds_real_faces_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two faces of FER+ that it finds one by one, on a canvas that is made smaller before it is searched."""
    detect, side = face_detector(), 200
    faces = []
    for path in sorted(Path(REAL or "", "FER2013Valid").glob("*.png"))[:30]:
        face = Image.open(path).convert("L").resize((side, side))
        canvas = Image.new("L", (2 * side, 2 * side), 100)
        canvas.paste(face, (side // 2, side // 2))
        if len(faces) < 2 and len(detect(canvas)) == 1:
            faces.append(face)
    canvas = Image.new("L", (1000, 500), 100)
    canvas.paste(faces[0], (100, 150))
    canvas.paste(faces[1], (600, 200))
    scale = 3
    large = canvas.resize((1000 * scale, 500 * scale))
    found = detect(large)
    assert len(found) == 2
    for box, (left, top) in zip(found, [(100, 150), (600, 200)], strict=True):
        edges = np.array([box.left, box.top, box.right, box.bottom]) / scale
        assert np.abs(edges - [left, top, left + side, top + side]).max() < 0.3 * side
    monkeypatch.setattr(detection, "LONGEST", 100)
    assert detect(large) == []  # too small by then
