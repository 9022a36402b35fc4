"""Rows that were moved within a Usage are refused in either file; files in the published order never are."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.errors import InputError
from ferplus_data.readers import demo, read
from ferplus_data.readers.row_order import USAGES, check_votes

Row = dict[str, str]
VOTES, PIXELS = "fer2013new.csv", "fer2013.csv"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo: its first labels say what its votes say, as FER2013's do."""
    folder = tmp_path_factory.mktemp("drawn")
    demo.write(folder, rows=(180, 60, 60))
    return folder


def read_rows(path: Path) -> list[Row]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def copied(drawn: Path, folder: Path, changes: dict[str, Callable[[list[Row]], list[Row]]]) -> Path:
    """The pair again, the rows of each Usage changed in the files named."""
    for name in (VOTES, PIXELS):
        rows = read_rows(drawn / name)
        change = changes.get(name, list)
        with open(folder / name, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            for usage in USAGES:
                writer.writerows(change([row for row in rows if row["Usage"] == usage]))
    return folder


def by(column: str, descending: bool = False) -> Callable[[list[Row]], list[Row]]:
    def sort(rows: list[Row]) -> list[Row]:
        numeric = column not in ("pixels", "Image name")
        return sorted(rows, key=lambda row: int(row[column]) if numeric else row[column], reverse=descending)

    return sort


def shuffled(rows: list[Row]) -> list[Row]:
    return [rows[index] for index in np.random.default_rng(1).permutation(len(rows))]


def one_moved(rows: list[Row]) -> list[Row]:
    return [*rows[1:20], rows[0], *rows[20:]]


def each(change: Callable[[list[Row]], list[Row]], usage: str) -> Callable[[list[Row]], list[Row]]:
    return lambda rows: change(rows) if rows[0]["Usage"] == usage else rows


def without_first_labels(rows: list[Row]) -> list[Row]:
    return [{**row, "emotion": "6"} for row in rows]


MOVED = {
    "votes sorted by happiness": {VOTES: by("happiness")},
    "votes sorted by neutral, most first": {VOTES: by("neutral", descending=True)},
    "votes sorted by name, most first": {VOTES: by("Image name", descending=True)},
    "only the test votes sorted": {VOTES: each(by("sadness"), "PrivateTest")},
    "votes with one row moved": {VOTES: one_moved},
    "votes shuffled": {VOTES: shuffled},
    "pixels sorted by emotion": {PIXELS: by("emotion")},
    "pixels sorted by pixels": {PIXELS: by("pixels")},
    "pixels sorted by pixels, no first labels": {
        PIXELS: lambda rows: by("pixels", True)(without_first_labels(rows))
    },
    "pixels shuffled": {PIXELS: shuffled},
    "only the validation pixels upside down": {PIXELS: each(lambda rows: rows[::-1], "PublicTest")},
}


@pytest.mark.parametrize("changes", MOVED.values(), ids=MOVED.keys())
def test_moved_rows_are_refused(changes, drawn: Path, tmp_path: Path) -> None:
    folder = copied(drawn, tmp_path, changes)
    with pytest.raises(InputError, match="the rows were moved") as error:
        read(folder)
    (name,) = changes
    assert str(error.value).startswith(f"{folder / name}, row") and "\n" not in str(error.value)


IN_ORDER = {
    "as drawn": {},
    "no first labels": {PIXELS: without_first_labels},
    "a tenth of the rows": {VOTES: lambda rows: rows[::10], PIXELS: lambda rows: rows[::10]},
    "somebody's own names, class by class": {
        VOTES: lambda rows: [
            {**row, "Image name": f"{row['happiness']}.png"} for row in by("happiness")(rows)
        ],
        PIXELS: without_first_labels,
    },
}


@pytest.mark.parametrize("changes", IN_ORDER.values(), ids=IN_ORDER.keys())
def test_rows_in_order_are_read(changes, drawn: Path, tmp_path: Path) -> None:
    assert read(copied(drawn, tmp_path, changes)).names


def official() -> list[Row]:
    path = os.environ.get("FERPLUS_VOTES")
    if not path:
        pytest.skip("FERPLUS_VOTES does not name the official fer2013new.csv")
    return read_rows(Path(path))


def checked(rows: list[Row]) -> None:
    split = np.array([USAGES.index(row["Usage"]) for row in rows], dtype=np.uint8)
    check_votes([row["Image name"] for row in rows], split, range(2, len(rows) + 2), Path(VOTES))


def test_the_official_votes_and_parts_of_them_are_in_order() -> None:
    rows = official()
    checked(rows)
    checked([row for row in rows if row["Image name"]])
    for share in (0.5, 0.05, 0.002):
        chosen = np.random.default_rng(0).random(len(rows)) < share
        checked([row for row, stays in zip(rows, chosen, strict=True) if stays])


@pytest.mark.parametrize("column", ["Image name", "neutral", "NF"])
def test_the_official_votes_sorted_by_a_column_are_refused(column: str) -> None:
    rows = official()
    for named in (rows, [row for row in rows if row["Image name"]]):
        with pytest.raises(InputError, match="the rows were moved"):
            checked(sorted(named, key=lambda row: (USAGES.index(row["Usage"]), row[column])))
