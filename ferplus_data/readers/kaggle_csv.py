"""The Kaggle layout: fer2013.csv (or icml_face_data.csv) and, row for row, FER+'s fer2013new.csv."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..labels import VOTE_COLUMNS
from .decoded import SIDE, Decoded, Labels, Progress, in_order, parse_votes
from .row_order import USAGES, VOTES_URL, check_pixels, check_votes
from .text import column_indices, csv_rows

LAYOUT = "a folder with fer2013.csv (or icml_face_data.csv) and fer2013new.csv, or the path of that pixel CSV"
PIXEL_FILES = ("fer2013.csv", "icml_face_data.csv")
VOTES_FILE = "fer2013new.csv"
_REPORT_EVERY = 512
_BEGINNING = 64  # characters of a row's pixels, which tell rows apart


def find(data: Path, cache_dir: Path) -> KagglePair | None:
    """The pair that `data` (a folder or the pixel CSV) names, or None if `data` is not in this layout.

    Raises:
        InputError: `data` is a CSV file with no fer2013new.csv beside it.
    """
    if data.is_dir():
        pixels = next((data / name for name in PIXEL_FILES if (data / name).is_file()), None)
        if pixels is None or not (data / VOTES_FILE).is_file():
            return None
    elif data.is_file() and data.suffix.lower() == ".csv":
        pixels = data
    else:
        return None
    votes = pixels.with_name(VOTES_FILE)
    if not votes.is_file():
        raise InputError(
            f"{pixels}: expected {VOTES_FILE} in the same folder, found none; get it from {VOTES_URL}"
        )
    return KagglePair(pixels, votes)


@dataclass(frozen=True)
class KagglePair:
    """Two CSV files with the same rows in the same order: row counts, every row's Usage and what tells the order
    (`row_order`) are checked.
    """

    pixels: Path
    votes: Path

    @property
    def place(self) -> Path:
        return self.pixels

    def files(self) -> list[str]:
        return [str(self.pixels), str(self.votes)]

    def labels(self) -> Labels:
        return Labels(*_read_votes(self.votes)[:3])

    def decode(self, progress: Progress) -> Decoded:
        names, votes, split, lines = _read_votes(self.votes)
        check_votes(names, split, lines, self.votes)
        images = self._read_pixels(votes, split, lines, progress)
        progress(len(names), len(names))
        return in_order(images, votes, split, names)

    def _read_pixels(
        self, votes: NDArray[np.uint8], split: NDArray[np.uint8], vote_lines: list[int], progress: Progress
    ) -> NDArray[np.uint8]:
        """The images uint8 [N, 48, 48] of the pixel file, whose rows must be those of the votes."""
        images = np.empty((len(votes), SIDE, SIDE), dtype=np.uint8)
        rows = csv_rows(self.pixels)
        header = next(rows, (1, []))[1]
        pixels_at, usage_at = column_indices(header, ("pixels", "Usage"), self.pixels)
        emotion_at = next((at for at, name in enumerate(header) if name.strip() == "emotion"), None)
        beginnings: list[str] = []
        emotions: list[str] = []
        lines: list[int] = []
        for line, cells in rows:
            where = f"{self.pixels}, row {line}"
            _check_width(cells, header, where)
            if len(lines) < len(votes):
                expected, usage = USAGES[split[len(lines)]], cells[usage_at].strip()
                if usage != expected:
                    raise InputError(
                        f"{where}: expected Usage {expected} as in row {vote_lines[len(lines)]} of {self.votes}, "
                        f"found {usage[:20]!r}; the two files must hold the same rows in the same order"
                    )
                images[len(lines)] = _parse_pixels(cells[pixels_at], where)
            beginnings.append(cells[pixels_at].strip()[:_BEGINNING])
            emotions.append("" if emotion_at is None else cells[emotion_at].strip())
            lines.append(line)
            if len(lines) % _REPORT_EVERY == 0:
                progress(len(lines), len(votes))
        if len(lines) != len(votes):
            raise InputError(
                f"{self.pixels}: expected {len(votes)} rows as in {self.votes}, found {len(lines)}; "
                "the two files must hold the same rows in the same order, get the shorter one again"
            )
        check_pixels(beginnings, emotions, votes, split, lines, self.pixels)
        return images


def _read_votes(path: Path) -> tuple[list[str], NDArray[np.uint8], NDArray[np.uint8], list[int]]:
    """Image names, votes uint8 [N, 10], split uint8 [N] and line numbers of fer2013new.csv, in file order."""
    rows = csv_rows(path)
    header = next(rows, (1, []))[1]
    usage_at, name_at, *votes_at = column_indices(header, ("Usage", "Image name", *VOTE_COLUMNS), path)
    names: list[str] = []
    votes: list[list[int]] = []
    split: list[int] = []
    lines: list[int] = []
    for line, cells in rows:
        where = f"{path}, row {line}"
        _check_width(cells, header, where)
        usage = cells[usage_at].strip()
        if usage not in USAGES:
            raise InputError(
                f"{where}: expected Usage {', '.join(USAGES)}, found {usage[:20]!r}; mend the row"
            )
        names.append(cells[name_at].strip())
        votes.append(parse_votes([cells[index] for index in votes_at], where))
        split.append(USAGES.index(usage))
        lines.append(line)
    if not names:
        raise InputError(f"{path}: expected rows below the header, found none; get the file from {VOTES_URL}")
    return names, np.array(votes, dtype=np.uint8), np.array(split, dtype=np.uint8), lines


def _check_width(cells: list[str], header: list[str], where: str) -> None:
    if len(cells) != len(header):
        raise InputError(
            f"{where}: expected {len(header)} columns as in the header, found {len(cells)}; "
            "the file may be cut short, get it again"
        )


def _parse_pixels(text: str, where: str) -> NDArray[np.uint8]:
    """One row's 2,304 pixels, uint8 [48, 48]."""
    try:
        # int64, since the narrower types wrap silently and would let 99999999999 pass as a pixel.
        pixels = np.fromstring(text, dtype=np.int64, sep=" ")
    except ValueError:
        pixels = np.empty(0, dtype=np.int64)
    if pixels.size != SIDE * SIDE:
        words = text.split()
        odd = next((word for word in words if not word.isdigit()), None)
        found = f"{len(words)} values" if odd is None else f"{odd[:20]!r} among them"
        raise InputError(
            f"{where}: expected {SIDE * SIDE} pixel values (48x48) separated by spaces, found {found}; "
            "the file may be cut short or changed, get it again"
        )
    if pixels.min() < 0 or pixels.max() > 255:
        odd_value = pixels[(pixels < 0) | (pixels > 255)][0]
        raise InputError(f"{where}: expected pixel values 0..255, found {odd_value}; get the file again")
    return pixels.astype(np.uint8).reshape(SIDE, SIDE)
