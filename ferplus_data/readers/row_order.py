"""Whether two CSV files that belong together row for row still stand in the order they were published in.

Nothing in a row of fer2013.csv says which row of fer2013new.csv it belongs to, so a file whose rows were moved within
a Usage, as a spreadsheet sorted by one column does, would give every face another face's votes. What tells:

- the image names of fer2013new.csv ascend within a Usage, but for four images that stand in two rows each;
- the pixels, read as text, are never sorted;
- FER2013's first label and the votes name the same emotion far more often than by chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, lgamma
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..labels import EMOTIONS, majority_labels

USAGES = ("Training", "PublicTest", "PrivateTest")  # FER2013's words for train, val, test
VOTES_URL = "https://github.com/microsoft/FERPlus"
PIXELS_URL = (
    "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge"
)

FEW = 10  # rows of one Usage: of fewer, an order says too little to refuse a file for it
BY_CHANCE = 1e-6  # how likely an order may be among all orders of the same rows before it is taken for sorted

FER2013_CODES = {
    "anger": 0,
    "disgust": 1,
    "fear": 2,
    "happiness": 3,
    "sadness": 4,
    "surprise": 5,
    "neutral": 6,
}
"""The `emotion` column of fer2013.csv, by the names of FER+. It has no contempt."""

BLOCK = 512  # rows whose agreement is looked at together, besides that of all
ENOUGH = 30  # rows with both labels: fewer may agree or not by chance
LEAST_AGREEMENT = 0.2
"""Cohen's kappa of the two labels. Rows that do not belong together have 0, with 30 rows at most about 0.2; on FER+'s
own pair, about two of three first labels were kept by the ten taggers (Barsoum et al. 2016), a kappa near 0.6."""

_OFFICIAL_NAME = re.compile(r"fer\d{7}\.png")


def check_votes(names: Sequence[str], split: NDArray[np.uint8], lines: Sequence[int], path: Path) -> None:
    """Refuse a votes file whose image names are not in the official order.

    Args:
        names: N image names in file order, "" where a row has none. Names of another form than fer0000000.png are
            somebody's own and may stand in any order.
        split: uint8 [N], index into `USAGES`.
        lines: N line numbers, for the message.
        path: the file, for the message.

    Raises:
        InputError: rows were moved.
    """
    for usage, word in enumerate(USAGES):
        rows = np.flatnonzero(split == usage).tolist()
        named = [row for row in rows if names[row]]
        if len(named) < FEW or not all(_OFFICIAL_NAME.fullmatch(names[row]) for row in named):
            continue
        times = Counter(names[row] for row in named)
        once = [row for row in named if times[names[row]] == 1]
        moved = [(a, b) for a, b in zip(once, once[1:], strict=False) if names[b] < names[a]]
        together = [(a, b) for a, b in zip(named, named[1:], strict=False) if names[b] == names[a]]
        if moved or together:
            before, row = (moved or together)[0]
            _refuse(
                f"{path}, row {lines[row]}",
                f"image names that ascend within {word}, as in the official file",
                f"{names[row]} after {names[before]} of row {lines[before]}"
                + (f" ({len(moved):,} such places)" if len(moved) > 1 else ""),
                VOTES_URL,
            )
        if _is_sorted([int(bool(names[row])) for row in rows]):
            _refuse(
                f"{path}, row {lines[rows[0]]}",
                f"rows without an image name among the others of {word}, as in the official file",
                f"all {len(rows) - len(named)} of them at one end",
                VOTES_URL,
            )


def check_pixels(
    pixels: Sequence[str],
    emotions: Sequence[str],
    votes: NDArray[np.uint8],
    split: NDArray[np.uint8],
    lines: Sequence[int],
    path: Path,
) -> None:
    """Refuse a pixel file that was sorted by a column, or whose first labels do not fit the votes beside them.

    Args:
        pixels: of each of the N rows in file order, the first characters of its `pixels` cell.
        emotions: N cells of its `emotion` column; all alike, or of another form than 0 to 6, they say nothing.
        votes: uint8 [N, 10], of the same rows of the votes file.
        split: uint8 [N], index into `USAGES`.
        lines: N line numbers, for the message.
        path: the file, for the message.

    Raises:
        InputError: rows were moved.
    """
    codes = np.array([int(cell) if cell in set("0123456") else -1 for cell in emotions])
    known = np.array([FER2013_CODES.get(emotion, -1) for emotion in EMOTIONS] + [-1])
    labels = known[majority_labels(votes)]  # -1, the last, where the protocol drops the row
    for usage, word in enumerate(USAGES):
        rows = np.flatnonzero(split == usage).tolist()
        if _is_sorted([pixels[row] for row in rows]):
            _refuse(
                f"{path}, row {lines[rows[0]]}",
                f"the rows of {word} in the order of the official file",
                "rows sorted by pixels",
                PIXELS_URL,
            )
        both = np.flatnonzero((split == usage) & (codes >= 0) & (labels >= 0))
        for block in (both, *np.array_split(both, max(1, len(both) // BLOCK))):
            if not _agree(codes[block], labels[block]):
                _refuse(
                    f"{path}, rows {lines[block[0]]} to {lines[block[-1]]}",
                    f"in {word} mostly the emotion that the votes in the same row name",
                    "no more agreement than by chance",
                    PIXELS_URL,
                )


def _is_sorted(cells: Sequence[Any]) -> bool:
    """Whether the cells ascend or descend and would by chance do so hardly ever."""
    ascending = all(a <= b for a, b in zip(cells, cells[1:], strict=False))
    if not (ascending or all(a >= b for a, b in zip(cells, cells[1:], strict=False))):
        return False
    orders = lgamma(len(cells) + 1) - sum(lgamma(count + 1) for count in Counter(cells).values())
    return 2 * exp(-orders) < BY_CHANCE


def _agree(left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    """Whether two labels of the same rows agree above chance by Cohen's kappa (1960), where rows enough can tell."""
    if len(left) < ENOUGH:
        return True
    size = len(FER2013_CODES)
    chance = float(np.bincount(left, minlength=size) @ np.bincount(right, minlength=size)) / len(left) ** 2
    # One label nearly throughout, as in files written class by class or without first labels, tells nothing.
    if chance > 0.5 or len(np.unique(left)) == 1:
        return True
    return float((left == right).mean()) - chance >= LEAST_AGREEMENT * (1 - chance)


def _refuse(where: str, expected: str, found: str, url: str) -> None:
    raise InputError(
        f"{where}: expected {expected}, found {found}; the rows were moved (sorted in a spreadsheet?) and faces would "
        f"get other faces' labels, get the file again from {url}"
    )
