"""Pairs of faces that may show the same photograph: all pairs under all views, by matrix products."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ferplus_data.cores import cores

from .descriptors import (
    VIEWS_OF_A_COPY,
    Floats,
    View,
    learn_projection,
    rows_together,
    tangents,
    windows,
)

ALIKE = 0.88
"""The least cosine of two descriptors. Three in a hundred copies have less under their best view; many of those are found by way
of a third copy."""

LIKE_TANGENT = 0.12
"""The most that two windows may differ (squared norm, of windows of norm 1) beyond a small change of view. One in a hundred
copies differs more; of other pairs that are alike, nine of ten."""

FACES_PER_CELL = 128
CELLS_LOOKED_AT = 12
"""Descriptors are sorted into cells around k-means centres, and each is compared with those in the cells nearest to it
alone (an inverted file, Jegou et al. 2011, Product Quantization for Nearest Neighbor Search): a tenth of the work."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs: rows of the two faces, int32 [n] each, and the view of `face` that is like `other`, as an index."""

    face: NDArray[np.int32]
    other: NDArray[np.int32]
    view: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.face)


def candidates(faces: Floats, progress: Callable[[int, int], None]) -> Pairs:
    """Every pair that is alike under some view, once, with the view that is most alike.

    Args:
        faces: float32 [N, SIDE, SIDE], 0..1.
        progress: called with (views done, views in all).
    """
    nothing = np.empty(0, np.int32)
    if len(faces) < 2:
        return Pairs(nothing, nothing, nothing)
    faces = rows_together(faces)
    found: list[tuple[NDArray[np.int64], Floats]] = []
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        projection = learn_projection(faces)
        cells = Cells(projection(windows(faces, View())))

        def alike(index: int) -> list[tuple[NDArray[np.int64], Floats]]:
            seen = projection(windows(faces, VIEWS_OF_A_COPY[index]))
            return [
                (np.stack([rows, others, np.full_like(rows, index)]), cosines)
                for rows, others, cosines in cells.alike(seen)
            ]

        for done, of_view in enumerate(pool.map(alike, range(len(VIEWS_OF_A_COPY)))):
            found += of_view
            progress(done + 1, len(VIEWS_OF_A_COPY))
    if not found:
        return Pairs(nothing, nothing, nothing)
    pairs, cosines = np.concatenate([p for p, _ in found], axis=1), np.concatenate([c for _, c in found])
    # The most alike first, then the first of each pair.
    pairs = pairs[:, np.argsort(-cosines, kind="stable")]
    _, first = np.unique(pairs[0] * len(faces) + pairs[1], return_index=True)
    face, other, view_index = pairs[:, np.sort(first)].astype(np.int32)
    return Pairs(face, other, view_index)


class Cells:
    """Descriptors of N faces, float32 [N, LENGTH], where those alike to another can be looked up."""

    def __init__(self, descriptors: Floats) -> None:
        from sklearn.cluster import KMeans

        count = max(1, len(descriptors) // FACES_PER_CELL)
        sample = descriptors[np.random.default_rng(0).permutation(len(descriptors))[: 32 * count]]
        fitted = KMeans(count, n_init=1, max_iter=10, random_state=0).fit(sample)
        self.centres = np.ascontiguousarray(fitted.cluster_centers_.T, np.float32)
        nearest = (descriptors @ self.centres).argmax(axis=1)
        self.members = [np.flatnonzero(nearest == cell) for cell in range(count)]
        self.descriptors = [np.ascontiguousarray(descriptors[members].T) for members in self.members]

    def alike(self, seen: Floats) -> list[tuple[NDArray[np.int64], NDArray[np.int64], Floats]]:
        """Rows of `seen`, later faces that are alike, and their cosines [n], for each cell.

        Args:
            seen: float32 [N, LENGTH], of the same faces under some view.
        """
        count = self.centres.shape[1]
        looks = min(CELLS_LOOKED_AT, count)
        near = np.argpartition(-(seen @ self.centres), looks - 1, axis=1)[:, :looks]
        order = np.argsort(near, axis=None, kind="stable")
        bounds = np.searchsorted(near.ravel()[order], np.arange(count + 1))
        found = []
        for cell in range(count):
            rows = order[bounds[cell] : bounds[cell + 1]] // looks
            cosines = seen[rows] @ self.descriptors[cell]
            at, other = np.nonzero(cosines > ALIKE)
            later = self.members[cell][other] > rows[at]
            at, other = at[later], other[later]
            found.append((rows[at], self.members[cell][other], cosines[at, other]))
        return found


def plausible(faces: Floats, pairs: Pairs) -> Pairs:
    """The pairs whose windows differ by little more than a small change of view makes (tangent distance)."""
    if not len(pairs):
        return pairs
    stays = np.zeros(len(pairs), dtype=bool)
    basis = tangents(faces)
    plain = windows(faces, View())
    for index in np.unique(pairs.view):
        chosen = np.flatnonzero(pairs.view == index)
        difference = windows(faces[pairs.face[chosen]], VIEWS_OF_A_COPY[index]) - plain[pairs.other[chosen]]
        explained = np.einsum("nkd,nd->nk", basis[pairs.other[chosen]], difference)
        stays[chosen] = (difference**2).sum(axis=1) - (explained**2).sum(axis=1) < LIKE_TANGENT
    return Pairs(pairs.face[stays], pairs.other[stays], pairs.view[stays])
