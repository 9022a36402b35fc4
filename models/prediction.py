"""Image files -> expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from PIL import Image, UnidentifiedImageError

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.evaluation import predict_probabilities


@dataclass(frozen=True)
class Prediction:
    """The expression of one image and the probability of each (emotion -> 0 to 1)."""

    path: Path
    expression: str
    probabilities: dict[str, float]


def read_face(path: Path) -> np.ndarray:
    """Return the image as uint8 [48, 48, 1]: grey, resized. It should be cropped to a face, as FER+ images are.

    Raises:
        InputError: No such file, or not an image that Pillow reads.
    """
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
            face = grey if grey.size == (48, 48) else grey.resize((48, 48), Image.Resampling.BILINEAR)
    except FileNotFoundError:
        raise InputError(f"image {path}: no such file") from None
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(
            f"image {path}: expected a PNG or JPEG picture, found one that does not open ({error})"
        ) from None
    return np.asarray(face, np.uint8)[..., None]


def read_faces(paths: Sequence[Path]) -> np.ndarray:
    """Return the images of `paths` as uint8 [N, 48, 48, 1]; see `read_face`."""
    return np.stack([read_face(path) for path in paths])


def predict(model: keras.Model, paths: Sequence[Path], faces: np.ndarray) -> list[Prediction]:
    """Return a prediction for each of `faces`, uint8 [N, 48, 48, 1], that were read from `paths`."""
    return [
        Prediction(path, EMOTIONS[int(row.argmax())], dict(zip(EMOTIONS, map(float, row), strict=True)))
        for path, row in zip(paths, predict_probabilities(model, faces), strict=True)
    ]
