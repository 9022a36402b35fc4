"""Faces of one photograph get one number, whatever was done to the copy; other faces never do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ferplus_data.errors import InputError
from ferplus_data.photographs import grouping
from ferplus_data.photographs.cached import photographs_of
from ferplus_data.photographs.grouping import photograph_numbers
from ferplus_data.readers import demo, demo_faces

Images = np.ndarray
FACES = 120


def cut(large: Images, scale: float = 1.0, x: float = 0.0, y: float = 0.0) -> Images:
    """A 48x48 part of a 96x96 picture of which the middle 48x48 at scale 1 is the face."""
    way = np.array([[scale, 0, 47.5 - 23.5 * scale + x], [0, scale, 47.5 - 23.5 * scale + y]], np.float32)
    return cv2.warpAffine(large, way, (48, 48), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def watermarked(image: Images) -> Images:
    image = image.copy()
    cv2.putText(image, "photo", (14, 45), cv2.FONT_HERSHEY_SIMPLEX, 0.3, 230, 1)
    return image


def compressed(image: Images) -> Images:
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1], cv2.IMREAD_GRAYSCALE)


COPIES: dict[str, Callable[[Images], Images]] = {
    "the same": lambda large: cut(large),
    "shifted": lambda large: cut(large, x=5, y=-3),
    "shifted far": lambda large: cut(large, x=-8, y=4),
    "a smaller part": lambda large: cut(large, scale=0.83),
    "a larger part": lambda large: cut(large, scale=1.2, x=2),
    "mirrored": lambda large: cut(large)[:, ::-1].copy(),
    "mirrored and shifted": lambda large: cut(large, x=4, y=2)[:, ::-1].copy(),
    "brighter, with less contrast": lambda large: (0.6 * cut(large) + 80).astype(np.uint8),
    "darker": lambda large: (0.5 * cut(large)).astype(np.uint8),
    "with a watermark": lambda large: watermarked(cut(large)),
    "compressed": lambda large: compressed(cut(large, x=1.5, scale=0.93)),
}


@pytest.fixture(scope="module")
def large() -> Images:
    """Drawn faces that nobody repeats, with their surroundings: uint8 [FACES, 96, 96]."""
    random = np.random.default_rng(5)
    mixture, covered = demo.expressions(random, FACES)
    faces = demo_faces.draw(random, mixture, covered)
    # Photographs made small have hardly any noise from pixel to pixel, and more between each other than drawn faces have.
    light = [
        cv2.resize(random.uniform(-90, 90, (7, 7)), (48, 48), interpolation=cv2.INTER_CUBIC) for _ in faces
    ]
    lit = np.stack([cv2.GaussianBlur(face, (0, 0), 0.8) for face in faces]) + np.stack(light)
    around = cv2.BORDER_REFLECT_101
    return np.stack(
        [cv2.copyMakeBorder(face, 24, 24, 24, 24, around) for face in np.clip(lit, 0, 255).astype(np.uint8)]
    )


def test_copies_are_found_and_nothing_else(large: Images) -> None:
    copies = [make(picture) for make, picture in zip(COPIES.values(), large, strict=False)]
    steps: list[tuple[int, int]] = []
    numbers = photograph_numbers(
        np.stack([*(cut(picture) for picture in large), *copies]), lambda *step: steps.append(step)
    )
    assert numbers.dtype == np.int32
    np.testing.assert_array_equal(numbers[:FACES], np.arange(FACES))  # in order, and no two faces together
    found = {
        name: number == index
        for index, (name, number) in enumerate(zip(COPIES, numbers[FACES:], strict=True))
    }
    assert found == dict.fromkeys(COPIES, True)
    assert steps == sorted(steps) and steps[-1][0] == steps[-1][1]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_faces(count: int, large: Images) -> None:
    faces = np.stack([cut(picture) for picture in large])[:count]
    assert photograph_numbers(faces).tolist() == list(range(count))


def test_faces_without_contrast_are_alike_only_if_identical() -> None:
    faces = np.stack([np.full((48, 48), tone, np.uint8) for tone in (0, 90, 0, 255, 90)])
    assert photograph_numbers(faces).tolist() == [0, 1, 0, 2, 1]


@pytest.fixture
def groupings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by the number of faces with every grouping."""
    calls: list[int] = []

    def count(images: Images, progress: object) -> np.ndarray:
        calls.append(len(images))
        return np.arange(len(images), dtype=np.int32)

    monkeypatch.setattr(grouping, "photograph_numbers", count)
    return calls


def test_the_numbers_are_found_once_for_the_same_images(tmp_path: Path, groupings: list[int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    for _ in range(2):
        assert photographs_of(images, cache_dir=tmp_path).tolist() == [0, 1, 2, 3]
    assert groupings == [4]
    photographs_of(images[:3], cache_dir=tmp_path)
    assert groupings == [4, 3]


@pytest.mark.parametrize("name", ["numbers.npy", "meta.json"])
def test_a_damaged_file_is_made_again(name: str, tmp_path: Path, groupings: list[int]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)
    photographs_of(images, cache_dir=tmp_path)
    (file,) = tmp_path.glob(f"photographs-*/{name}")
    file.write_bytes(file.read_bytes()[:-3])
    photographs_of(images, cache_dir=tmp_path)
    assert groupings == [4, 4]


def test_an_interrupted_grouping_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 48, 48), dtype=np.uint8)

    def interrupted(images: Images, progress: object) -> np.ndarray:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(grouping, "photograph_numbers", interrupted)
        photographs_of(images, cache_dir=tmp_path)
    assert not list(tmp_path.glob("photographs-*/*"))
    assert photographs_of(images, cache_dir=tmp_path).tolist() == [0, 1, 2, 3]


def test_a_cache_that_cannot_be_written_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="FERPLUS_CACHE"):
        photographs_of(np.zeros((2, 48, 48), np.uint8), cache_dir=tmp_path / "file" / "cache")
