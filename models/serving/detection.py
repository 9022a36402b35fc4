"""Faces found in a picture, cut out as FER+'s are: dlib's detector, histograms of oriented gradients (Dalal and Triggs 2005)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ferplus_data.errors import InputError

LONGEST = 1600
"""Pixels of the longer side beyond which a picture is made smaller before it is searched: the time grows with the area."""
# Of the box's width or height. 219 of 300 validation faces of FER+, at 192 pixels, have a box with these medians around it.
_BESIDE, _ABOVE, _BELOW = 0.10, 0.21, 0.07


@dataclass(frozen=True)
class Box:
    """A face in a picture, in its pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def cut(self, picture: Image.Image) -> Image.Image:
        """Return the face; what lies beyond the picture's edge is black."""
        return picture.crop((self.left, self.top, self.right, self.bottom))

    def __str__(self) -> str:
        return f"face at {self.left},{self.top} to {self.right},{self.bottom}"


Detector = Callable[[Image.Image], list[Box]]
"""An upright picture of 8 bits -> its faces, from left to right."""


def face_detector() -> Detector:
    """Return dlib's detector of frontal faces of about 40 pixels or more.

    Raises:
        InputError: dlib is not installed.
    """
    try:
        import dlib
    except ImportError as error:
        raise InputError(
            "--detect: expected dlib, which is not installed; pip install -r requirements-detect.txt"
        ) from error
    find = dlib.get_frontal_face_detector()

    def detect(picture: Image.Image) -> list[Box]:
        scale = min(1.0, LONGEST / max(picture.size))
        size = [max(1, round(side * scale)) for side in picture.size]
        pixels = np.asarray(picture.convert("RGB").resize((size[0], size[1])))
        once_larger = 1  # finds faces of half the size, which are 80 pixels else
        return sorted((_box(found, scale) for found in find(pixels, once_larger)), key=lambda box: box.left)

    return detect


def _box(found: Any, scale: float) -> Box:
    """The part of the picture that FER+ would show, from dlib's rectangle."""
    width, height = found.right() - found.left(), found.bottom() - found.top()
    edges = (
        found.left() - _BESIDE * width,
        found.top() - _ABOVE * height,
        found.right() + _BESIDE * width,
        found.bottom() + _BELOW * height,
    )
    return Box(*(round(edge / scale) for edge in edges))
