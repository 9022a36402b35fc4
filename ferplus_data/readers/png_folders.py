"""The layout the FER+ authors' script writes: one folder of PNG files per split, with a label.csv in each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from ..labels import VOTE_COLUMNS
from .decoded import SIDE, Decoded, Labels, Progress, in_order, parse_votes
from .text import csv_rows

FOLDERS = ("FER2013Train", "FER2013Valid", "FER2013Test")  # train, val, test
LABEL_FILE = "label.csv"
LAYOUT = f"a folder with {', '.join(FOLDERS)}, each with PNG files and {LABEL_FILE}"
_COLUMNS = 2 + len(VOTE_COLUMNS)  # image name, face box, votes; the file has no header
_REPORT_EVERY = 512


def find(data: Path, cache_dir: Path) -> PngFolders | None:
    """The folders under `data`, or None if there are none of this layout.

    Raises:
        InputError: some, but not all, of the three folders and their label files are there.
    """
    if not any((data / folder).is_dir() for folder in FOLDERS):
        return None
    for folder in FOLDERS:
        if not (data / folder / LABEL_FILE).is_file():
            raise InputError(
                f"{data}: expected {folder}/{LABEL_FILE} beside the other FER+ folders, found none; "
                "write all three with FER+'s generate_training_data.py"
            )
    return PngFolders(data)


@dataclass(frozen=True)
class PngFolders:
    """FER2013Train, FER2013Valid and FER2013Test under `root`."""

    root: Path

    @property
    def place(self) -> Path:
        return self.root

    def files(self) -> list[str]:
        return [
            entry.path
            for folder in FOLDERS
            for entry in sorted(os.scandir(self.root / folder), key=lambda entry: entry.name)
            if entry.name == LABEL_FILE or entry.name.endswith(".png")
        ]

    def labels(self) -> Labels:
        names: list[str] = []
        votes: list[list[int]] = []
        split: list[int] = []
        for index, folder in enumerate(FOLDERS):
            folder_names, folder_votes = _read_labels(self.root / folder)
            names += folder_names
            votes += folder_votes
            split += [index] * len(folder_names)
        return Labels(names, np.array(votes, dtype=np.uint8), np.array(split, dtype=np.uint8))

    def decode(self, progress: Progress) -> Decoded:
        names, votes, split = self.labels()
        images = np.empty((len(names), SIDE, SIDE), dtype=np.uint8)
        for row, name in enumerate(names):
            images[row] = _read_png(self.root / FOLDERS[split[row]] / name)
            if (row + 1) % _REPORT_EVERY == 0:
                progress(row + 1, len(names))
        progress(len(names), len(names))
        return in_order(images, votes, split, names)


def _read_labels(folder: Path) -> tuple[list[str], list[list[int]]]:
    """Image names and votes of one folder's label.csv, in file order, checked against its PNG files."""
    path = folder / LABEL_FILE
    images = {entry.name for entry in os.scandir(folder) if entry.name.endswith(".png")}
    names: list[str] = []
    votes: list[list[int]] = []
    for line, cells in csv_rows(path):
        where = f"{path}, row {line}"
        if len(cells) != _COLUMNS:
            raise InputError(
                f"{where}: expected {_COLUMNS} columns (image name, box, ten votes), found {len(cells)}; "
                "the file may be cut short, get it again"
            )
        name = cells[0].strip()
        if name not in images:
            raise InputError(
                f"{where}: expected the image {name[:60]!r} in {folder.name}, found none; "
                "add the image (FER+'s generate_training_data.py writes it) or remove the row"
            )
        names.append(name)
        votes.append(parse_votes(cells[2:], where))
    unlabelled = sorted(images.difference(names))
    if unlabelled:
        raise InputError(
            f"{path}: expected a row for every image in {folder.name}, found none for {unlabelled[0]} "
            f"({len(unlabelled)} such images); the file may be cut short, get it again or remove the images"
        )
    if not names:
        raise InputError(f"{path}: expected a row for each image, found an empty file; get it again")
    return names, votes


def _read_png(path: Path) -> NDArray[np.uint8]:
    """One image, uint8 [48, 48]. No conversion is guessed: FER+ is 8-bit grey at 48x48 throughout."""
    try:
        with Image.open(path) as image:
            if image.format != "PNG" or image.mode != "L" or image.size != (SIDE, SIDE):
                width, height = image.size
                raise InputError(
                    f"{path}: expected an 8-bit grey PNG (mode L) of {SIDE}x{SIDE}, found "
                    f"{image.format} mode {image.mode} of {width}x{height}; convert it or write it again"
                )
            return np.asarray(image)
    except InputError:
        raise
    # Pillow reports broken files through several types, SyntaxError for a damaged chunk among them.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(
            f"{path}: expected a PNG image, found a broken file ({error}); write it again"
        ) from error
