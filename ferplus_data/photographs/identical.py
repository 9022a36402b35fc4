"""Images that are the same to the pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def identical(images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Rows of the m different ones of N images, uint8 [N, 48, 48], int64 [m], and which of them each is, int32 [N], numbered from
    0 in the order in which they first appear."""
    number: dict[bytes, int] = {}
    same = np.array([number.setdefault(image.tobytes(), len(number)) for image in images], dtype=np.int32)
    return np.unique(same, return_index=True)[1], same
