"""The two official files of FER+ labels, told apart by their content.

The labels were published twice, with other votes in 1,601 rows: `fer2013new.csv` at the top of microsoft/FERPlus, and a
`label.csv` for each split under its `data/`. A PNG layout may hold either: FER+'s own script writes the images only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .readers.decoded import SPLITS

CSV, MICROSOFT, OTHER = "fer2013new.csv", "microsoft/FERPlus label.csv", "no official file"


@dataclass(frozen=True)
class LabelFile:
    """One official file.

    Attributes:
        sums: per split the sha256 of its rows, as `sum_of_rows` makes it.
        kept: per key of `labels.PROTOCOLS` the rows that it keeps of each split.
    """

    sums: tuple[str, str, str]
    kept: dict[str, tuple[int, int, int]]


LABEL_FILES = {
    CSV: LabelFile(
        (
            "ebdfe16800fad2faf939ee199c0c49115b51a7e0e70d539470d146ff77a9aac8",
            "fd8a9c096ad2a7d799db2c7e142878dfd77a637087f09ccd00f29c9e1a4d8338",
            "5a1d2375378512e5a3a9bad6ea878bb7baf931e6d1e0191557e57af3b29d8f63",
        ),
        {
            "baseline": (26153, 3305, 3275),
            "microsoft": (25060, 3199, 3153),
            "cntk": (26196, 3318, 3294),
        },
    ),
    MICROSOFT: LabelFile(
        (
            "083da1252abeebd38fdd2a5689caa5c2f159023a0f3f60e74b96939affbfa0bf",
            "9b619525184ff352d908fc4159916fac1d09df2159a542496d27de59fb5a3962",
            "54e99de6880f385e4e8b88287ae76cc17650171cb65e37e04b670218aa21e668",
        ),
        {
            "baseline": (26129, 3301, 3278),
            "microsoft": (25045, 3191, 3137),
            "cntk": (26174, 3312, 3284),
        },
    ),
}
"""Name -> what it holds. Both name the same images in every split."""


def labels_source(names: Sequence[str], votes: NDArray[np.uint8], split: NDArray[np.uint8]) -> str:
    """Which official file the labels are from.

    Args:
        names: N image names, "" where a row has none; such rows are in one layout only and do not count.
        votes: uint8 [N, 10].
        split: uint8 [N], index into `SPLITS`.

    Returns:
        A key of `LABEL_FILES` if every split that is complete has that file's rows; both keys, each with its splits,
        where they were mixed; `OTHER` where no split is that of an official file.
    """
    found: dict[str, list[str]] = {}
    for index, name in enumerate(SPLITS):
        rows = np.flatnonzero(split == index).tolist()
        digest = sum_of_rows([names[row] for row in rows], votes[rows])
        for file, official in LABEL_FILES.items():
            if digest == official.sums[index]:
                found.setdefault(file, []).append(name)
    if len(found) > 1:
        return " and ".join(f"{file} ({', '.join(splits)})" for file, splits in found.items())
    return next(iter(found), OTHER)


def sum_of_rows(names: Sequence[str], votes: NDArray[np.uint8]) -> str:
    """sha256 of the different rows "name,votes" in order; rows that stand twice count once, as images do on a disk."""
    rows = {
        f"{name},{','.join(map(str, counts))}\n"
        for name, counts in zip(names, votes.tolist(), strict=True)
        if name
    }
    return hashlib.sha256("".join(sorted(rows)).encode(errors="surrogateescape")).hexdigest()
