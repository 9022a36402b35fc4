"""Image files -> expressions, a batch at a time."""

from __future__ import annotations

import importlib.util
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.runtimes.classifier import BATCH, Classifier

STDIN = Path("-")
SIDE = 48
Crop = Callable[[Image.Image], Image.Image]
"""A picture of any size and mode -> the part of it that is one face."""

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")
_PICTURE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, MemoryError)


@dataclass(frozen=True)
class Face:
    """One picture as the network sees it: uint8 [48, 48, 1], and what it was converted from ("RGB 100x80"), if it was."""

    path: Path
    pixels: NDArray[np.uint8]
    converted: str | None


@dataclass(frozen=True)
class Prediction:
    """The expression of an image, the probability of each (emotion -> 0 to 1), and what it was converted from, if it was."""

    path: Path
    expression: str
    probabilities: dict[str, float]
    converted: str | None


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield each of `paths`, and for a folder the pictures in it and below, by name.

    Raises:
        InputError: A folder holds no picture.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        suffixes = Image.registered_extensions()
        found = False
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in suffixes and file.is_file():
                found = True
                yield file
        if not found:
            raise InputError(f"folder {path}: expected pictures such as .png or .jpg in it, found none")


def read_face(path: Path, crop: Crop | None = None) -> Face:
    """Return the picture in the file `path`, or on standard input if it is "-", grey and resized to 48x48.

    Transparency is laid on white, 16 bits become 8, a camera's rotation is applied, of several frames the first is taken. The
    picture should be one face, cropped as FER+ images are, or `crop` should make it so.

    Raises:
        InputError: No such file, not an image that Pillow reads, or `crop` failed on it.
    """
    try:
        with Image.open(io.BytesIO(sys.stdin.buffer.read()) if path == STDIN else path) as image:
            image.load()
            given = f"{image.mode} {image.width}x{image.height}"
            picture = ImageOps.exif_transpose(image)
    except FileNotFoundError:
        raise InputError(f"image {path}: no such file") from None
    except _PICTURE_ERRORS as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"image {path}: expected a PNG or JPEG picture, found one that does not open ({reason})"
        ) from None
    if crop is not None:
        picture = _cropped(path, picture, crop)
    grey = _grey(picture)
    face = grey if grey.size == (SIDE, SIDE) else grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    untouched = crop is None and given == f"L {SIDE}x{SIDE}"
    return Face(path, np.asarray(face, np.uint8)[..., None], None if untouched else given)


def read_faces(
    paths: Iterable[Path], crop: Crop | None, skip: Callable[[InputError], None]
) -> Iterator[Face]:
    """Yield the pictures of `paths` one at a time; tell `skip` of each that cannot be read, and go on."""
    for path in paths:
        try:
            yield read_face(path, crop)
        except InputError as error:
            skip(error)


def predict(classify: Classifier, faces: Iterable[Face], batch: int = BATCH) -> Iterator[Prediction]:
    """Yield a prediction for each of `faces`, in order, holding no more than `batch` of them."""
    waiting: list[Face] = []
    for face in faces:
        waiting.append(face)
        if len(waiting) == batch:
            yield from _predict(classify, waiting)
            waiting = []
    if waiting:
        yield from _predict(classify, waiting)


def load_crop(name: str) -> Crop:
    """Return the function that FILE.py:FUNCTION names; it takes and gives a PIL.Image.Image.

    Raises:
        InputError: There is no such file or function, or the file does not run.
    """
    file, _, function = name.rpartition(":")
    path = Path(file)
    if not file.endswith(".py") or not path.is_file():
        raise InputError(f"--crop {name}: expected FILE.py:FUNCTION, found no such file as {file or name}")
    spec = importlib.util.spec_from_file_location(f"ferplus_crop_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code
        raise InputError(f"--crop {name}: {path} does not run: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"--crop {name}: expected a function {function} in {path}, found none")
    return found


def _predict(classify: Classifier, faces: list[Face]) -> Iterator[Prediction]:
    for face, row in zip(faces, classify(np.stack([face.pixels for face in faces])), strict=True):
        yield Prediction(
            face.path,
            EMOTIONS[int(row.argmax())],
            dict(zip(EMOTIONS, map(float, row), strict=True)),
            face.converted,
        )


def _cropped(path: Path, picture: Image.Image, crop: Crop) -> Image.Image:
    try:
        cropped = crop(picture)
    except Exception as error:  # the user's own code
        raise InputError(f"image {path}: --crop raised {type(error).__name__}: {error}") from error
    if not isinstance(cropped, Image.Image) or not all(cropped.size):
        raise InputError(f"image {path}: expected --crop to return a picture, found {type(cropped).__name__}")
    return cropped


def _grey(picture: Image.Image) -> Image.Image:
    if picture.mode in _SIXTEEN_BITS:
        # Pillow's own conversion cuts off what is above 255.
        return Image.fromarray((np.clip(np.asarray(picture, np.int64), 0, 65535) // 257).astype(np.uint8))
    if picture.mode == "F":
        return Image.fromarray(np.clip(np.nan_to_num(np.asarray(picture)), 0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return picture.convert("L")
