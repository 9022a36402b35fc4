from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.prediction import Face, find_images, predict, read_face, read_faces
from models.serving.prediction_formats import FORMATS
from search.user_functions import load_function


def classify(faces: np.ndarray) -> np.ndarray:
    """The brightness picks the expression."""
    rows = np.full((len(faces), 8), 0.05, np.float32)
    rows[np.arange(len(faces)), faces.reshape(len(faces), -1).mean(axis=1).astype(int) // 32] = 0.65
    return rows


def pictures(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{i:03d}.png" for i in range(count)]
    for i, path in enumerate(paths):
        Image.new("L", (48, 48), (i * 32) % 256).save(path)
    return paths


@pytest.mark.parametrize(
    ("mode", "size", "suffix", "colour"),
    [
        ("L", (48, 48), ".png", 77),
        ("RGB", (100, 80), ".jpg", (77, 77, 77)),
        ("RGBA", (48, 48), ".png", (77, 77, 77, 255)),
        ("P", (30, 30), ".gif", 77),
        ("1", (48, 48), ".png", 1),
        ("LA", (48, 48), ".png", (77, 255)),
        ("CMYK", (64, 64), ".jpg", (178, 178, 178, 0)),
        ("I;16", (48, 48), ".png", 77 * 257),
        ("F", (48, 48), ".tiff", 77.4),
    ],
)
def test_pictures_of_any_kind_become_faces_and_say_so(
    mode: str, size: tuple[int, int], suffix: str, colour: object, tmp_path: Path
) -> None:
    path = tmp_path / f"face{suffix}"
    image = Image.new(mode, size, colour)
    if mode == "P":
        image.putpalette([v for v in range(256) for _ in range(3)])
    image.save(path)
    face = read_face(path)
    assert face.pixels.shape == (48, 48, 1) and face.pixels.dtype == np.uint8
    assert abs(int(face.pixels.mean()) - (255 if mode == "1" else 77)) <= 1
    if mode == "L":
        assert face.converted is None
    else:
        assert face.converted is not None and f"{size[0]}x{size[1]}" in face.converted


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    Image.new("RGBA", (48, 48), (0, 0, 0, 0)).save(tmp_path / "face.png")
    assert read_face(tmp_path / "face.png").pixels.min() == 255


def test_a_turned_camera_is_turned_back(tmp_path: Path) -> None:
    image = Image.new("L", (48, 48))
    image.paste(255, (0, 0, 48, 10))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    image.save(tmp_path / "face.png", exif=exif)
    assert read_face(tmp_path / "face.png").pixels[-5].mean() == 255


def test_thousands_are_predicted_in_order_a_batch_at_a_time() -> None:
    held: list[int] = []
    drawn = 0

    def faces() -> Iterator[Face]:
        nonlocal drawn
        for i in range(3000):
            drawn += 1
            yield Face(Path(str(i)), np.full((48, 48, 1), i % 256, np.uint8), None)

    for count, prediction in enumerate(predict(classify, faces(), batch=64)):
        held.append(drawn - count)
        assert prediction.path == Path(str(count))
        assert prediction.expression == EMOTIONS[count % 256 // 32]
    assert count == 2999 and max(held) <= 64


def test_a_folder_is_searched_and_a_bad_picture_among_many_skipped(tmp_path: Path) -> None:
    pictures(tmp_path, 3)
    (tmp_path / "deeper").mkdir()
    pictures(tmp_path / "deeper", 1)
    (tmp_path / "001.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "notes.txt").write_text("no picture")
    skipped: list[str] = []
    faces = list(
        read_faces(find_images([tmp_path, tmp_path / "gone.png"]), None, lambda e: skipped.append(str(e)))
    )
    assert [face.path.relative_to(tmp_path).as_posix() for face in faces] == [
        "000.png",
        "002.png",
        "deeper/000.png",
    ]
    assert len(skipped) == 2 and "001.png" in skipped[0] and "gone.png: no such file" in skipped[1]


def test_a_folder_without_pictures_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found none"):
        list(find_images([tmp_path]))


@pytest.mark.parametrize("content", [None, b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken"])
def test_a_bad_picture_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "bad.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.png"):
        read_face(path)


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_truncated_picture_is_named(tenth: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    whole, path = tmp_path / "whole.png", tmp_path / "part.png"
    Image.fromarray(noise).save(whole)
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) * tenth // 10])
    with pytest.raises(InputError, match=r"part\.png"):
        read_face(path)


CROPS = """
def left(image):
    return image.crop((0, 0, image.width // 2, image.height))
def fails(image):
    raise RuntimeError("no face found")
def nothing(image):
    return None
"""


def test_a_crop_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "crops.py").write_text(CROPS)
    image = Image.new("L", (96, 48), 200)
    image.paste(10, (0, 0, 48, 48))
    image.save(tmp_path / "two.png")
    face = read_face(tmp_path / "two.png", load_function(f"{tmp_path}/crops.py:left", "--crop"))
    assert face.pixels.max() == 10 and face.converted == "L 96x48"
    for name, said in (("fails", "no face found"), ("nothing", "NoneType")):
        with pytest.raises(InputError, match=said):
            read_face(tmp_path / "two.png", load_function(f"{tmp_path}/crops.py:{name}", "--crop"))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_format_tells_the_same(count: int, tmp_path: Path) -> None:
    paths = pictures(tmp_path, count)
    predictions = list(predict(classify, (read_face(path) for path in paths)))
    written = {name: "\n".join(lines(iter(predictions))) for name, lines in FORMATS.items()}
    rows = list(csv.DictReader(io.StringIO(written["csv"])))
    entries = json.loads(written["json"])
    lines = written["text"].splitlines()
    assert len(rows) == len(entries) == len(lines) == count
    for path, row, entry, line in zip(paths, rows, entries, lines, strict=True):
        assert row["path"] == entry["path"] == str(path) and line.startswith(f"{path}: ")
        assert row["expression"] == entry["expression"] and f": {entry['expression']}  " in line
        assert sum(entry["probabilities"].values()) == pytest.approx(1)
        assert all(float(row[e]) == pytest.approx(entry["probabilities"][e], abs=1e-5) for e in EMOTIONS)
        assert entry["converted"] is None and row["converted"] == ""
