"""From faces to the numbers of their photographs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ferplus_data.cores import cores

from .alignment import COPY, likeness
from .candidates import Pairs, candidates, plausible
from .descriptors import VIEWS_OF_A_COPY, Floats
from .identical import identical

CHUNK = 256  # pairs that a thread aligns at a time


def photograph_numbers(
    images: NDArray[np.uint8], progress: Callable[[int, int], None] = lambda done, total: None
) -> NDArray[np.int32]:
    """Number the photographs that the faces show.

    Args:
        images: uint8 [N, 48, 48].
        progress: called with (steps done, steps in all).

    Returns:
        int32 [N]: equal where faces show the same photograph; from 0, in the order in which photographs first appear.
    """
    first, same = identical(images)
    faces = images[first].astype(np.float32) / 255
    steps = len(VIEWS_OF_A_COPY) + len(VIEWS_OF_A_COPY) // 2  # aligning takes about half as long as comparing
    pairs = plausible(faces, candidates(faces, lambda done, total: progress(done, steps)))
    copies = aligned(faces, pairs, lambda share: progress(int(steps * (2 + share) / 3), steps)) >= COPY
    edges = coo_array(
        (np.ones(int(copies.sum()), bool), (pairs.face[copies], pairs.other[copies])),
        shape=(len(faces), len(faces)),
    )
    _, groups = connected_components(edges, directed=False)
    progress(steps, steps)
    return in_order_of_appearance(groups[same])


def aligned(faces: Floats, pairs: Pairs, progress: Callable[[float], None]) -> NDArray[np.float64]:
    """The likeness of each pair, float64 [n]; `progress` is told the share that is done."""

    def measure(start: int) -> list[float]:
        rows = range(start, min(start + CHUNK, len(pairs)))
        return [
            likeness(faces[pairs.face[row]], faces[pairs.other[row]], VIEWS_OF_A_COPY[pairs.view[row]])
            for row in rows
        ]

    measured: list[float] = []
    with ThreadPoolExecutor(cores()) as pool:
        for chunk in pool.map(measure, range(0, len(pairs), CHUNK)):
            measured += chunk
            progress(len(measured) / len(pairs))
    return np.array(measured)


def in_order_of_appearance(groups: NDArray[np.integer]) -> NDArray[np.int32]:
    """The same groups numbered from 0 by their first member."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return number[inverse.ravel()]
