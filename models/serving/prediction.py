"""Image files -> expressions, a batch at a time."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.classifier import BATCH, Classifier
from models.serving.crops import Crop, cropped
from models.serving.detection import Detector
from models.serving.names import on_one_line
from models.serving.pictures import face_of, in_8_bits, open_picture, suffixes

STDIN = Path("-")
SIDE = 48
Skip = Callable[[InputError], None]
"""Is told of each picture or folder that is left out."""


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


def _raise(error: InputError) -> None:
    raise error


def find_images(paths: Iterable[Path], skip: Skip = _raise) -> Iterator[Path]:
    """Yield each of `paths`, and for a folder the pictures in it and below, by name.

    A picture is a file with the suffix of a format that Pillow decodes by itself. Hidden files and folders, whose names begin
    with a dot, are passed over, macOS's ._FACE.png among them. Of a folder that cannot be listed or holds no picture, `skip` is
    told.

    Raises:
        InputError: Such a folder, with the `skip` that is the default.
    """
    for path in paths:
        # Unlike the method of the path, this takes a path that may not be looked at for no folder.
        if not os.path.isdir(path):
            yield path
            continue
        refused: list[OSError] = []
        found = False
        for file in _files_below(path, refused):
            if file.suffix.lower() in suffixes():
                found = True
                yield file
        for error in refused:
            place = on_one_line(Path(error.filename or path))
            skip(InputError(f"folder {place}: cannot be listed ({error.strerror})"))
        if not found and not refused:
            skip(
                InputError(
                    f"folder {on_one_line(path)}: expected pictures such as .png or .jpg in it, found none"
                )
            )


def _files_below(folder: Path, refused: list[OSError]) -> Iterator[Path]:
    """Yield the files that are not hidden, by name; what cannot be listed is added to `refused`."""
    for place, folders, names in os.walk(folder, onerror=refused.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place, name)
            # What is not there, such as a link to nowhere, is told when it is opened; pipes and sockets are not.
            if not name.startswith(".") and (os.path.isfile(file) or not os.path.exists(file)):
                yield file


def find_faces(path: Path, detect: Detector) -> list[Face]:
    """Return the faces that `detect` finds in the picture in the file `path`, as `read_face` reads it; each says where it was.

    Raises:
        InputError: As `read_face`, or there is no face in it.
    """
    picture, given = _open(path)
    boxes = detect(picture)
    if not boxes:
        raise InputError(
            f"image {on_one_line(path)}: expected a face in it, found none; leave --detect out for one that is a face"
        )
    return [Face(path, face_of(box.cut(picture), SIDE)[..., None], f"{box} of {given}") for box in boxes]


def read_face(path: Path, crop: Crop | None = None) -> Face:
    """Return the picture in the file `path`, or on standard input if it is "-", grey and resized to 48x48.

    Transparency is laid on white, the range of deeper pictures found out by `models.serving.pictures.in_8_bits`, a camera's
    rotation applied, of several frames the first taken. The picture should be one face, cropped as FER+ images are, or `crop`
    should make it so; it is given a picture of 8 bits.

    Raises:
        InputError: No such file, not an image that Pillow reads, values of unknown range, or `crop` failed on it.
    """
    picture, given = _open(path)
    untouched = crop is None and given == f"L {SIDE}x{SIDE}"
    try:
        if crop is not None:
            picture, _ = in_8_bits(cropped(picture, crop))
        pixels = face_of(picture, SIDE)
    except Exception as error:  # a mode that Pillow does not convert, a picture that the crop has closed
        raise InputError(f"image {on_one_line(path)}: {_reason(error)}") from error
    return Face(path, pixels[..., None], None if untouched else given)


def _open(path: Path) -> tuple[Image.Image, str]:
    """`models.serving.pictures.open_picture`, whose errors become InputErrors."""
    name = on_one_line(path)
    try:
        return open_picture(_standard_input() if path == STDIN else path)
    except FileNotFoundError:
        raise InputError(f"image {name}: no such file") from None
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(
            f"image {name}: expected a picture such as a PNG or JPEG, found no format that Pillow decodes"
        ) from None
    except Exception as error:  # decoders raise what they like, and what one picture does is that picture's
        raise InputError(
            f"image {name}: expected a picture that can be read, found one that cannot ({_reason(error)})"
        ) from error


def _standard_input() -> io.BytesIO:
    content = sys.stdin.buffer.read()
    if not content:
        raise InputError(
            "image -: expected the bytes of a picture on standard input, found none; pipe them in"
        )
    return io.BytesIO(content)


def read_faces(
    paths: Iterable[Path], crop: Crop | None, skip: Skip, detect: Detector | None = None
) -> Iterator[Face]:
    """Yield the pictures of `paths` one at a time, or the faces that `detect` finds in each; tell `skip` of each picture that
    cannot be read, and go on."""
    for path in paths:
        try:
            faces = [read_face(path, crop)] if detect is None else find_faces(path, detect)
        except InputError as error:
            skip(error)
        else:
            yield from faces


def predict(classify: Classifier, faces: Iterable[Face], batch: int = BATCH) -> Iterator[Prediction]:
    """Yield a prediction for each of `faces`, in order, holding no more than `batch` of them.

    Args:
        classify: uint8 faces [N, 48, 48, 1] -> float32 probabilities [N, 8], as `models.serving.runtimes.open_classifier` gives.
        faces: Such as `read_faces` yields.
        batch: Faces that the network is given at once.

    Example:
        >>> Image.new("L", (48, 48)).save("face.png")
        >>> always_happy = lambda faces: np.eye(8, dtype=np.float32)[[1] * len(faces)]
        >>> [said] = predict(always_happy, [read_face(Path("face.png"))])
        >>> said.expression, said.probabilities["happiness"]
        ('happiness', 1.0)
    """
    waiting: list[Face] = []
    for face in faces:
        waiting.append(face)
        if len(waiting) == batch:
            yield from _predict(classify, waiting)
            waiting = []
    if waiting:
        yield from _predict(classify, waiting)


def _predict(classify: Classifier, faces: list[Face]) -> Iterator[Prediction]:
    for face, row in zip(faces, classify(np.stack([face.pixels for face in faces])), strict=True):
        yield Prediction(
            face.path,
            EMOTIONS[int(row.argmax())],
            dict(zip(EMOTIONS, map(float, row), strict=True)),
            face.converted,
        )


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
