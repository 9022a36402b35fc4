"""The demo: drawn faces with ten noisy votes each, written as a Kaggle CSV pair and read by that reader."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..cache import publish
from ..labels import EMOTIONS, VOTE_COLUMNS
from . import demo_faces
from .kaggle_csv import PIXEL_FILES, USAGES, VOTES_FILE, KagglePair

NAME = "demo"
LAYOUT = 'the word "demo" (drawn faces)'

ROWS = (2140, 430, 430)  # train, val, test; about 2,000, 400 and 400 are left after the label protocol
# Share of rows, per split, that repeat a training image: the leakage figures need something to find.
COPIES = (0.03, 0.05, 0.05)
VOTERS = 10
_SEED = 20130615
_FILES = (PIXEL_FILES[0], VOTES_FILE)
_SUMS = "SHA256SUMS"

# FER+'s own training counts, mixed with a uniform share: at 400 rows the rare classes would be empty.
_FERPLUS_COUNTS = np.array([9509, 7399, 3291, 3121, 2097, 111, 510, 115], dtype=float)
PRIOR = 0.8 * _FERPLUS_COUNTS / _FERPLUS_COUNTS.sum() + 0.2 / len(EMOTIONS)

# How ten people would vote on a plain expression: a row per emotion, a column per VOTE_COLUMNS, in percent.
# The confusions are the ones that FER+ shows: fear with surprise, disgust with anger, contempt and sadness
# with neutral.
CONFUSION = np.array(
    [
        [82, 4, 1, 6, 2, 0, 0, 3, 2, 0],
        [6, 88, 3, 0, 0, 0, 0, 2, 1, 0],
        [4, 4, 80, 0, 1, 0, 9, 0, 2, 0],
        [12, 0, 0, 76, 4, 2, 3, 1, 2, 0],
        [8, 0, 1, 3, 78, 6, 1, 2, 1, 0],
        [3, 0, 0, 4, 14, 74, 1, 2, 2, 0],
        [1, 0, 14, 5, 1, 1, 76, 0, 2, 0],
        [14, 4, 0, 1, 4, 3, 0, 72, 2, 0],
    ],
    dtype=float,
)
CONFUSION /= CONFUSION.sum(axis=1, keepdims=True)

BLENDED = 0.45  # share of faces that show two expressions at once
UNREADABLE = 0.035  # share of faces so covered that most voters say "unknown"
NOT_FACES = 0.015  # share of images without a face


def find(data: Path, cache_dir: Path) -> KagglePair | None:
    """The demo's CSV pair, written into the cache on first use; None unless `data` is the word "demo"."""
    if str(data) != NAME:
        return None
    # Named after the code that draws it, so a changed drawing never meets an older one's files.
    code = b"".join(Path(module).read_bytes() for module in (__file__, demo_faces.__file__))
    folder = cache_dir / f"demo-{hashlib.sha256(code).hexdigest()[:12]}"
    if not _whole(folder):
        publish(folder, _write_summed, names=(*_FILES, _SUMS), whole=_whole)
    return KagglePair(folder / PIXEL_FILES[0], folder / VOTES_FILE)


def _whole(folder: Path) -> bool:
    """Whether both files are there, in the length and with the content they were written with."""
    try:
        return (folder / _SUMS).read_text(encoding="ascii") == _sums(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _sums(folder: Path) -> str:
    """A line for each file: sha256 and name, as sha256sum writes and checks them."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in _FILES}
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def _write_summed(folder: Path) -> None:
    write(folder)
    (folder / _SUMS).write_text(_sums(folder), encoding="ascii")


def write(folder: Path, rows: tuple[int, int, int] = ROWS) -> None:
    """Write fer2013.csv and fer2013new.csv, `rows` images per split, into `folder`; always the same bytes."""
    images, votes, shown = draw(rows)
    # The original FER2013 label codes; it has no contempt, which FER+ took mostly from neutral.
    codes = dict(zip(EMOTIONS, (6, 3, 5, 4, 0, 1, 2, 6), strict=True))
    usages = np.repeat(USAGES, rows)
    words = [str(pixel) for pixel in range(256)]
    with (
        open(folder / PIXEL_FILES[0], "w", newline="", encoding="utf-8") as pixel_file,
        open(folder / VOTES_FILE, "w", newline="", encoding="utf-8") as vote_file,
    ):
        pixel_rows, vote_rows = csv.writer(pixel_file), csv.writer(vote_file)
        pixel_rows.writerow(["emotion", "pixels", "Usage"])
        vote_rows.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        for row, usage in enumerate(usages):
            pixel_rows.writerow(
                [
                    codes[EMOTIONS[shown[row]]],
                    " ".join([words[pixel] for pixel in images[row].ravel().tolist()]),
                    usage,
                ]
            )
            # As in FER+, an image that nobody takes for a face has no name.
            name = "" if votes[row, -1] == VOTERS else f"fer{row:07d}.png"
            vote_rows.writerow([usage, name, *votes[row]])


def draw(rows: tuple[int, int, int] = ROWS) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Images uint8 [N, 48, 48], votes [N, 10] and the main expression [N], train then val then test."""
    random = np.random.default_rng(_SEED)
    total = sum(rows)
    mixture, covered = expressions(random, total)
    not_faces = random.random(total) < NOT_FACES
    images = demo_faces.draw(random, mixture, covered)
    images[not_faces] = demo_faces.clutter(random, int(not_faces.sum()))
    opinions = vote_probabilities(mixture, covered, not_faces)
    # A repeated image is shown to other voters: same face, own votes.
    starts = np.cumsum((0, *rows))
    for start, count, share in zip(starts, rows, COPIES, strict=False):
        # Not the first rows of the training split: a repeat needs an image before it.
        first = max(start, rows[0] // 2)
        copies = random.choice(np.arange(first, start + count), size=int(share * count), replace=False)
        originals = random.integers(0, rows[0] // 2, size=len(copies))
        images[copies], opinions[copies], mixture[copies] = (
            images[originals],
            opinions[originals],
            mixture[originals],
        )
    return images, random.multinomial(VOTERS, opinions), mixture.argmax(axis=1)


def expressions(random: np.random.Generator, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """How much of each expression each face shows, float [count, 8] summing to 1; which faces are covered."""
    main = random.choice(len(EMOTIONS), size=count, p=PRIOR)
    second = random.choice(len(EMOTIONS), size=count, p=PRIOR)
    share = np.where(random.random(count) < BLENDED, random.uniform(0.2, 0.5, count), 0.0)
    faint = random.uniform(0.0, 0.4, count)  # nobody shows an expression in full: the rest is neutral
    mixture = np.zeros((count, len(EMOTIONS)))
    row = np.arange(count)
    np.add.at(mixture, (row, main), (1 - share) * (1 - faint))
    np.add.at(mixture, (row, second), share * (1 - faint))
    mixture[:, 0] += faint
    return mixture, random.random(count) < UNREADABLE


def vote_probabilities(
    mixture: NDArray[np.float64], covered: NDArray[np.bool_], not_faces: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The chance that one voter picks each column, float [N, 10]."""
    # People name the stronger of two expressions more often than its share of the face: squared weights.
    seen = mixture**2
    opinions = (seen / seen.sum(axis=1, keepdims=True)) @ CONFUSION
    unknown, not_face = np.eye(len(VOTE_COLUMNS))[-2:]
    opinions[covered] = 0.3 * opinions[covered] + 0.7 * unknown
    opinions[not_faces] = 0.05 * unknown + 0.95 * not_face
    return opinions
