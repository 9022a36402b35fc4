"""Images that are the same to the pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def numbers_of_identical(images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Number the images, uint8 [N, 48, 48], equal only where they are the same to the pixel: the photographs of drawn faces,
    which nobody has cropped or scaled.

    Returns:
        int32 [N], from 0, in the order in which images first appear.
    """
    return in_order_of_appearance(identical(images)[1])


def identical(images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the m different images, int64 [m], and which of them each of the N images is, int64 [N]."""
    number: dict[bytes, int] = {}
    same = np.array([number.setdefault(image.tobytes(), len(number)) for image in images], dtype=np.int64)
    return np.unique(same, return_index=True)[1], same


def in_order_of_appearance(groups: NDArray[np.integer]) -> NDArray[np.int32]:
    """The same groups numbered from 0 by their first member."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return number[inverse.ravel()]
