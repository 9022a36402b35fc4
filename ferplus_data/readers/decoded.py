"""What every reader gives, whatever the layout of the files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..labels import VOTE_COLUMNS, majority_labels

SPLITS = ("train", "val", "test")
SIDE = 48  # FER2013's images are 48x48
MOST_VOTES = 255  # votes are kept as uint8; FER+ has ten taggers

Progress = Callable[[int, int], None]
"""Called with (rows done, rows in all) now and then while a reader works."""


@dataclass(frozen=True, eq=False)
class Decoded:
    """Faces in memory, ordered by split, then image name, then row in the file.

    Attributes:
        images: uint8 [N, 48, 48], 0..255.
        votes: uint8 [N, 10], columns as `labels.VOTE_COLUMNS`.
        split: uint8 [N], index into `SPLITS`.
        names: N image names.
    """

    images: NDArray[np.uint8]
    votes: NDArray[np.uint8]
    split: NDArray[np.uint8]
    names: list[str]


class Labels(NamedTuple):
    """Rows without their pixels, in file order: N image names, votes uint8 [N, 10], split uint8 [N]."""

    names: list[str]
    votes: NDArray[np.uint8]
    split: NDArray[np.uint8]


class Source(Protocol):
    """Data that was found in one of the layouts and can be decoded."""

    @property
    def place(self) -> Path:
        """The one path that tells this data from other data in the same layout."""

    def files(self) -> list[str]:
        """Every file whose change must make the decoded data stale. Not Paths: there may be 35,000."""

    def labels(self) -> Labels:
        """Read the label files alone; errors as `decode`."""

    def decode(self, progress: Progress) -> Decoded:
        """Read and check all of it; `InputError` names the file and the row (header = 1) that is wrong."""


def in_order(
    images: NDArray[np.uint8], votes: NDArray[np.uint8], split: NDArray[np.uint8], names: Sequence[str]
) -> Decoded:
    """Bring rows, in file order, into the order and the selection that all layouts share.

    173 rows of the official file have no image name; they are not faces, and the PNG layout does not have
    them. Rows without a name are left out unless their votes would keep them.
    """
    named = np.array([bool(name) for name in names], dtype=bool)
    stays = np.flatnonzero(named | (majority_labels(votes) >= 0))
    order = stays[np.lexsort((np.asarray(names, dtype=np.str_)[stays], split[stays]))]
    # Files already in order (the official CSV nearly is) must not cost a second copy of every image.
    if not np.array_equal(order, np.arange(len(images))):
        images = images[order]
    return Decoded(images, votes[order], split[order], [names[row] for row in order])


def parse_votes(cells: Sequence[str], where: str) -> list[int]:
    """Ten vote cells as integers 0..255; `where` names file and row in the `InputError` for anything else."""
    votes = []
    for column, cell in zip(VOTE_COLUMNS, cells, strict=True):
        text = cell.strip()
        # Leading zeros aside, the length first: Python refuses to read a number of thousands of digits.
        digits = text.lstrip("0") or text[-1:]
        if not (text.isascii() and text.isdigit() and len(digits) <= 3 and int(digits) <= MOST_VOTES):
            raise InputError(
                f"{where}: expected a number of votes (0..{MOST_VOTES}) for {column}, "
                f"found {cell[:20]!r}; mend the row"
            )
        votes.append(int(digits))
    return votes
