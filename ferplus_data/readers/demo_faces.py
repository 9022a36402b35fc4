"""Drawing grey 48x48 faces whose brows, eyes and mouth follow a mixture of eight expressions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .decoded import SIDE

Array = NDArray[np.float64]

# One row per expression in the order of EMOTIONS: what the parts of the face do, after the action units of
# the Facial Action Coding System (Ekman & Friesen 1978) that mark it. Columns: brows raised, inner brow ends
# up, one brow up, eyes open, mouth corners up, mouth open, mouth wide, one corner up, nose and cheeks
# creased.
POSES = np.array(
    [
        [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0],  # neutral
        [0.1, 0.0, 0.0, 0.8, 1.0, 0.3, 0.3, 0.0, 0.4],  # happiness
        [1.0, 0.0, 0.0, 1.5, 0.0, 1.0, -0.4, 0.0, 0.0],  # surprise
        [0.1, 0.9, 0.0, 0.8, -0.9, 0.0, -0.1, 0.0, 0.0],  # sadness
        [-0.7, -1.0, 0.0, 0.8, -0.5, 0.1, -0.2, 0.0, 0.2],  # anger
        [-0.6, -0.4, 0.0, 0.5, -0.7, 0.3, 0.1, 0.2, 1.0],  # disgust
        [0.8, 0.9, 0.0, 1.5, -0.4, 0.5, 0.3, 0.0, 0.0],  # fear
        [0.0, -0.1, 0.8, 0.9, 0.1, 0.0, 0.0, 1.0, 0.1],  # contempt
    ]
)
_CHUNK = 32  # faces drawn at once: a layer of 590 KB in float64 stays in the processor's cache
_SOFT = 0.06  # width of a drawn edge in face units, about one pixel


def draw(random: np.random.Generator, mixture: Array, covered: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Faces that show `mixture` (float [N, 8], rows sum to 1); `covered` ones (bool [N]) are mostly hidden.

    Pose, proportions, skin, light, glasses, covering bars and noise differ from face to face and carry no
    information about the expression.

    Returns:
        uint8 [N, 48, 48].
    """
    images = np.empty((len(mixture), SIDE, SIDE), dtype=np.uint8)
    for start in range(0, len(mixture), _CHUNK):
        part = slice(start, start + _CHUNK)
        images[part] = _draw_chunk(random, mixture[part] @ POSES, covered[part])
    return images


def clutter(random: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Images without a face: waves of random direction under noise, uint8 [count, 48, 48]."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    angle, waves, phase = (
        random.uniform(low, high, (count, 1, 1)) for low, high in ((0, np.pi), (1, 6), (0, 6))
    )
    tone = 0.5 + 0.25 * np.sin(2 * np.pi * waves * (x * np.cos(angle) + y * np.sin(angle)) + phase)
    return _to_pixels(tone + random.normal(0, 0.1, tone.shape))


@dataclass
class _Canvas:
    """Tones [n, 48, 48] (0 black, 1 white) and the face coordinates (x right, y down) of every pixel."""

    tone: Array
    x: Array
    y: Array

    def paint(self, coverage: Array, tone: Array | float) -> None:
        """Lay `tone` over the picture where `coverage` (0..1) says."""
        self.tone += coverage * (tone - self.tone)

    def ellipse(
        self, x: Array | float, y: Array | float, width: Array | float, height: Array | float
    ) -> Array:
        """Coverage of an ellipse with the given centre and half axes."""
        distance = np.sqrt(((self.x - x) / width) ** 2 + ((self.y - y) / height) ** 2)
        return _edge((1 - distance) * np.minimum(width, height))

    def stroke(self, along: Array, across: Array, length: Array | float, thickness: Array | float) -> Array:
        """Coverage of a line: within `length` of 0 along it, within `thickness` of 0 across it."""
        return _edge(length - np.abs(along)) * _edge(thickness - np.abs(across))


def _edge(inside: Array) -> Array:
    """Coverage from the signed distance to an edge: 0 outside, 1 inside, a ramp of one pixel between."""
    return np.clip(inside / _SOFT + 0.5, 0, 1)


def _draw_chunk(random: np.random.Generator, pose: Array, covered: NDArray[np.bool_]) -> NDArray[np.uint8]:
    count = len(pose)
    vary, chance = _draws(random, count)
    pose = pose + random.normal(0, 0.1, pose.shape)  # no two people move alike
    raised, inner_up, one_brow, eyes, corners, opened, wide, one_corner, creased = pose.T[:, :, None, None]
    leading = np.where(vary(0, 1) < 0.5, -1.0, 1.0)  # which side the one brow and the one corner are on

    turn, zoom = vary(-0.15, 0.15), vary(19.5, 22.0)
    row, column = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    column, row = (column - vary(-1.5, 1.5)) / zoom, (row - vary(-1.5, 1.5)) / zoom
    canvas = _Canvas(
        tone=np.broadcast_to(vary(0.1, 0.9), (count, SIDE, SIDE)) + vary(-0.2, 0.2) * column,
        x=np.cos(turn) * column + np.sin(turn) * row,
        y=np.cos(turn) * row - np.sin(turn) * column,
    )
    skin, hair = vary(0.5, 0.8), vary(0.02, 0.5)
    dark = skin * vary(0.15, 0.45)
    canvas.paint(canvas.ellipse(0, -0.12, 0.86, vary(0.95, 1.1)), hair)
    canvas.paint(canvas.ellipse(0, vary(0.05, 0.2), vary(0.68, 0.8), vary(0.88, 1.0)), skin)

    canvas.x = canvas.x - vary(-0.12, 0.12)  # the head turned sideways moves the features, not the outline
    eye_y, apart, mouth_y = vary(-0.2, -0.1), vary(0.3, 0.37), vary(0.45, 0.53)
    glasses, gaze = chance(0.15), vary(-0.05, 0.05)
    for side in (-1.0, 1.0):
        outward = side * canvas.x - apart  # 0 at the eye's centre, growing away from the nose
        height = 0.1 * np.maximum(eyes, 0.15) * vary(0.9, 1.1)
        lids = canvas.ellipse(side * apart, eye_y, 0.17, height)
        canvas.paint(lids, np.minimum(skin + 0.2, 1.0))
        canvas.paint(lids * canvas.ellipse(side * apart + gaze, eye_y, 0.085, 0.085), dark * 0.5)
        rim = canvas.ellipse(side * apart, eye_y, 0.24, 0.2) - canvas.ellipse(side * apart, eye_y, 0.2, 0.16)
        canvas.paint(glasses * np.clip(rim, 0, 1), 0.1)
        lift = 0.12 * raised + 0.1 * one_brow * (side == leading)
        brow_y = eye_y - 0.24 - lift + 0.35 * inner_up * outward
        canvas.paint(canvas.stroke(outward, canvas.y - brow_y, 0.19, 0.035), dark)

    _paint_nose(canvas, np.clip(creased, 0, 1) * 0.7, eye_y, dark)
    half = 0.27 * (1 + wide) * vary(0.9, 1.1)
    across = np.clip(canvas.x / half, -1, 1)
    middle = (
        mouth_y
        - 0.15 * corners * (across**2 - 0.4)
        - 0.14 * one_corner * np.clip(leading * across, 0, 1) ** 2
    )
    lips = (0.035 + 0.16 * np.maximum(opened, 0)) * np.sqrt(1 - across**2)
    canvas.paint(canvas.stroke(canvas.x, canvas.y - middle, half, lips + 0.02), dark)
    teeth = chance(0.5) * np.clip(3 * opened, 0, 1) * 0.8
    canvas.paint(
        teeth * canvas.stroke(canvas.x, canvas.y - middle + 0.5 * lips, 0.8 * half, 0.3 * lips), 0.95
    )

    bar = canvas.stroke(
        canvas.x - vary(-0.6, 0.6),
        canvas.y - vary(-0.5, 0.8),
        np.where(covered[:, None, None], 1.2, vary(0.1, 0.35)),
        np.where(covered[:, None, None], 0.7, vary(0.05, 0.2)),
    )
    canvas.paint(bar * np.maximum(chance(0.2), covered[:, None, None]), vary(0.0, 1.0))
    light = 1 + vary(-0.35, 0.35) * canvas.x + vary(-0.25, 0.25) * canvas.y
    noise = random.normal(0, 1, canvas.tone.shape) * vary(0.02, 0.06)
    return _to_pixels((0.5 + (canvas.tone - 0.5) * vary(0.6, 1.0)) * light + noise)


def _draws(
    random: np.random.Generator, count: int
) -> tuple[Callable[[float, float], Array], Callable[[float], Array]]:
    """A uniform number between two, and 1 with a probability or else 0, anew for each of `count` faces at every call."""

    def vary(low: float, high: float) -> Array:
        return random.uniform(low, high, (count, 1, 1))

    def chance(probability: float) -> Array:
        return (random.random((count, 1, 1)) < probability).astype(float)

    return vary, chance


def _paint_nose(canvas: _Canvas, crease: Array, eye_y: Array, dark: Array) -> None:
    """The nose, its wrinkled root, and the folds beside it, both as deep as `crease` (0..1)."""
    canvas.paint(0.5 * canvas.stroke(canvas.y - 0.08, canvas.x - 0.03, 0.16, 0.02), dark)
    canvas.paint(crease * canvas.stroke(canvas.x, canvas.y - eye_y, 0.1, 0.02), dark)
    fold = np.abs(canvas.x) - 0.2 - 0.5 * (canvas.y - 0.15)
    canvas.paint(crease * canvas.stroke(canvas.y - 0.28, fold, 0.13, 0.025), dark)


def _to_pixels(tone: Array) -> NDArray[np.uint8]:
    return np.clip(np.rint(tone * 255), 0, 255).astype(np.uint8)
