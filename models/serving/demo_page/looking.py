"""A picture's bytes -> the faces in it and what a model says of each."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import UnidentifiedImageError

from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.classifier import Classifier
from models.serving.detection import Detector
from models.serving.pictures import face_of, open_picture
from models.serving.prediction import SIDE

SURE, CLOSE = 0.8, 0.2
"""Probability from which one emotion is called sure, and the distance to the next under which two are told."""


class Looker:
    """Looks at pictures, one at a time.

    Args:
        classify: The model.
        detect: Finds faces; None: every picture is a face.
    """

    def __init__(self, classify: Classifier, detect: Detector | None) -> None:
        self._classify, self._detect = classify, detect
        self._lock = threading.Lock()

    def look(self, content: bytes) -> dict[str, Any]:
        """Return width and height of the picture, whether faces were looked for and found, and for each face its box in pixels
        (left, top, right, bottom; None where the whole picture was taken), its probabilities and what the model is unsure of.

        Raises:
            InputError: The bytes are no picture.
        """
        try:
            picture, _ = open_picture(io.BytesIO(content))
        except UnidentifiedImageError:
            raise InputError(
                "expected a picture such as a PNG or JPEG, found no format that Pillow decodes"
            ) from None
        except Exception as error:  # decoders raise what they like
            raise InputError(f"expected a picture that can be read ({str(error)[:120]})") from error
        with self._lock:
            boxes = self._detect(picture) if self._detect else []
            cut = [box.cut(picture) for box in boxes] or [picture]
            said = self._classify(np.stack([face_of(face, SIDE)[..., None] for face in cut]))
        faces = []
        for index, row in enumerate(said):
            probabilities = dict(zip(EMOTIONS, map(float, row), strict=True))
            box = boxes[index] if boxes else None
            faces.append(
                {
                    "box": None if box is None else [box.left, box.top, box.right, box.bottom],
                    "probabilities": probabilities,
                    "unsure": unsure(probabilities),
                }
            )
        return {
            "width": picture.width,
            "height": picture.height,
            "looked_for_faces": self._detect is not None,
            "found": len(boxes),
            "faces": faces,
        }


def unsure(probabilities: Mapping[str, float]) -> str:
    """Return in words how sure probabilities are: the emotion, or the two that it may be."""
    (first, p), (second, q) = sorted(probabilities.items(), key=lambda item: -item[1])[:2]
    if p >= SURE:
        return f"sure: {first}"
    if p - q < CLOSE:
        return f"unsure between {first} and {second}"
    return f"probably {first}"
