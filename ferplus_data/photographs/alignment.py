"""Two faces laid over each other, and how alike they then are."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .descriptors import MIDDLE, SIDE, Floats, View

COPY = 0.97
"""The least normalised correlation of a copy over the overlap. On FER+ few pairs lie between 0.92 and 0.95, and of 60 looked at
between 0.97 and 0.98 all were one photograph; below 0.96 some are not."""

LARGEST_SCALE = 1.25
"""How much larger a copy may show the face. Beyond, there are further copies (68 more of 3,305 validation faces of FER+ up to
1.5), fewer pixels in common, and no natural end."""

LEAST_OVERLAP = 0.35  # of the frame
STEPS, ENOUGH = 40, 1e-4  # of the fit
BLUR = 5  # pixels, during the fit only


def likeness(face: Floats, other: Floats, view: View) -> float:
    """The normalised correlation, -1 to 1, of `other` and the part of `face` that it shows.

    Args:
        face, other: float32 [SIDE, SIDE].
        view: where in `face` the middle of `other` is thought to lie; the start of an affine fit (Evangelidis and
            Psarakis 2008, Parametric Image Alignment Using Enhanced Correlation Coefficient Maximization).

    Returns:
        0 where the fit does not converge, leaves too little overlap or scales too much.
    """
    x = view.x
    if view.mirror:
        face, x = np.ascontiguousarray(face[:, ::-1]), -view.x
    start = np.array(
        [
            [view.scale, 0, MIDDLE * (1 - view.scale) + x],
            [0, view.scale, MIDDLE * (1 - view.scale) + view.y],
        ],
        dtype=np.float32,
    )
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, ENOUGH)
    try:
        _, fit = cv2.findTransformECC(other, face, start, cv2.MOTION_AFFINE, stop, None, BLUR)
    except cv2.error:  # what OpenCV raises when the fit runs away: no copy, or not from this start
        return 0.0
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(face, fit, (SIDE, SIDE), flags=way)
    inside = cv2.warpAffine(np.ones_like(face), fit, (SIDE, SIDE), flags=way) > 0.999
    scale = float(np.sqrt(abs(np.linalg.det(fit[:, :2]))))
    if inside.mean() < LEAST_OVERLAP or not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE:
        return 0.0
    return correlation(moved[inside], other[inside])


def correlation(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Pearson's correlation of two vectors, 0 where one is constant."""
    left, right = left - left.mean(), right - right.mean()
    norm = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / norm if norm > 1e-6 else 0.0
