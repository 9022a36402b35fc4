"""Short descriptors of the middle of a face, and of what the middle of a copy of it might show."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

Floats = NDArray[np.floating]
"""float32 throughout; numpy's own signatures promise less."""

SIDE = 48
MIDDLE = (SIDE - 1) / 2
WINDOW = 38.0  # pixels: the middle of a face that its descriptor sees
CELLS = 12  # the window is sampled at CELLS x CELLS
LENGTH = 32  # numbers in a descriptor

STEP = 3  # pixels between shifts
REACH = 9  # pixels: the farthest shift
SCALES = (0.87, 1.0, 1.15)  # with what is left between them, those of a copy (alignment.LARGEST_SCALE)
# What the grid of shifts and scales leaves between two of its points.
SHIFT_LEFT, SCALE_LEFT = 0.55 * STEP, 0.08
STRETCH = 0.03  # some copies are a little wider or narrower
NOISE = 0.03  # of the range of pixels: what compression changes

FEW = 512  # faces: fewer do not show how faces differ, and every direction is then given some of it
RIDGE = 1e-3  # how much, of the mean variance
SAMPLE, VIEWS = 3000, 24  # faces, and changed views of each, that the projection is learnt from


@dataclass(frozen=True)
class View:
    """Where a copy's middle may lie in a face: mirrored or not, pixels from its middle, and size (1: the same)."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0
    mirror: bool = False


VIEWS_OF_A_COPY = [
    View(float(x), float(y), scale, mirror)
    for mirror, scale, x, y in product(
        (False, True), SCALES, range(-REACH, REACH + 1, STEP), range(-REACH, REACH + 1, STEP)
    )
    if x * x + y * y <= REACH * REACH
]


def sampler(middle: float, side: float) -> Floats:
    """A matrix [CELLS, SIDE] that samples a row of pixels at the cells of a window, each blurred to its cell's size."""
    cells = middle + side * ((np.arange(CELLS) + 0.5) / CELLS - 0.5)
    width = max(side / CELLS / 2, 1.0)
    weights = np.exp(-0.5 * ((np.arange(SIDE)[None] - cells[:, None]) / width) ** 2)
    weights[weights < 1e-6] = 0  # numbers too small for float32's normal range would slow every product down
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def windows(faces: Floats, view: View, stretch: float = 1.0) -> Floats:
    """What a view sees: float32 [n, CELLS * CELLS] of faces [n, SIDE, SIDE], mean 0 and norm 1 in each.

    Fastest with faces whose rows of pixels lie together in memory, as `rows_together` lays them.
    """
    side = WINDOW * view.scale
    down = sampler(MIDDLE + view.y, side * stretch)
    across = sampler(MIDDLE + view.x, side / stretch)
    if view.mirror:
        across = across[::-1]
    # Two large matrix products rather than two small ones for each face.
    narrow = faces.transpose(1, 0, 2).reshape(-1, SIDE) @ across.T
    cells = (down @ narrow.reshape(SIDE, -1)).reshape(CELLS, len(faces), CELLS)
    return normalised(cells.transpose(1, 0, 2).reshape(len(faces), -1))


def rows_together(faces: Floats) -> Floats:
    """The same faces [n, SIDE, SIDE], the first rows of all in memory before the second ones."""
    return np.ascontiguousarray(faces.transpose(1, 0, 2)).transpose(1, 0, 2)


def normalised(rows: Floats) -> Floats:
    """Each row less its mean, over its norm; a row without contrast becomes zeros."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norm > 1e-2, rows / np.maximum(norm, 1e-2), 0).astype(np.float32, copy=False)


@dataclass(frozen=True, eq=False)
class Projection:
    """From windows to descriptors: the directions in which faces differ most for what a small change of view moves.

    Fisher's linear discriminant with each face a class of its own: the generalised eigenvectors of the covariance over
    faces to the covariance over views of one face that lie between two points of the grid.
    """

    mean: Floats
    directions: Floats

    def __call__(self, rows: Floats) -> Floats:
        """float32 [n, LENGTH] of norm 1 from windows [n, CELLS * CELLS]; zeros for those without contrast."""
        flat = ~rows.any(axis=1)
        projected = (rows - self.mean) @ self.directions
        projected /= np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-6)
        projected[flat] = 0
        return projected


def learn_projection(faces: Floats) -> Projection:
    """The projection for these faces, float32 [n, SIDE, SIDE] in 0..1; always the same for the same faces."""
    random = np.random.default_rng(0)
    sample = faces[np.sort(random.permutation(len(faces))[:SAMPLE])]
    plain = windows(sample, View())
    total = np.cov(plain.T)
    within = np.zeros_like(total)
    for _ in range(VIEWS):
        changed = sample + random.normal(0, NOISE, sample.shape).astype(np.float32)
        x, y = random.uniform(-SHIFT_LEFT, SHIFT_LEFT, 2)
        view = View(x, y, exp(random.uniform(-SCALE_LEFT, SCALE_LEFT)))
        moved = windows(changed, view, stretch=exp(random.normal(0, STRETCH))) - plain
        within += moved.T @ moved / (len(sample) * VIEWS)
    ridge = RIDGE * np.trace(total) / len(total) if len(sample) < FEW else 0.0
    identity = np.eye(len(total))
    _, vectors = eigh(total + ridge * identity, within + (1e-6 + ridge) * identity)
    return Projection(
        plain.mean(axis=0, dtype=np.float32), np.ascontiguousarray(vectors[:, ::-1][:, :LENGTH], np.float32)
    )


def tangents(faces: Floats) -> Floats:
    """How each plain window changes under small changes of view: orthonormal rows float32 [n, 7, CELLS * CELLS].

    Shift in x and y, scale, stretch, rotation and the two slopes of light across the face (Simard et al. 1993, Efficient
    Pattern Recognition Using a New Transformation Distance).
    """
    grid = np.linspace(-1, 1, CELLS, dtype=np.float32)
    down, across = (np.repeat(grid, CELLS), np.tile(grid, CELLS))
    plain = windows(faces, View()).reshape(-1, CELLS, CELLS)
    by_row, by_column = (g.reshape(len(faces), -1) for g in np.gradient(plain, axis=(1, 2)))
    slopes = np.broadcast_to(np.stack([down, across])[None], (len(faces), 2, CELLS * CELLS))
    moves = np.stack(
        [
            by_row,
            by_column,
            by_row * down + by_column * across,
            by_row * down - by_column * across,
            by_row * across - by_column * down,
        ],
        axis=1,
    )
    moves = np.concatenate([moves, slopes], axis=1)
    moves -= moves.mean(axis=2, keepdims=True)
    basis, _ = np.linalg.qr(moves.transpose(0, 2, 1))
    return np.ascontiguousarray(basis.transpose(0, 2, 1), np.float32)
