"""Which face shows which photograph, as a CSV file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ..dataset import Dataset
from ..files.owned import check_owned, write_owned
from ..store import SPLITS

HEADER = ("split", "image name", "photograph")


def photograph_table(dataset: Dataset, names: list[str]) -> str:
    """A line for each kept row of each split: split, image name and photograph number.

    Args:
        dataset: whose rows are listed, ascending.
        names: of all N images (`store.Faces.names`).
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEADER)
    for name in SPLITS:
        split = getattr(dataset, name)
        for row, photograph in zip(split.rows.tolist(), split.photographs.tolist(), strict=True):
            rows.writerow((name, names[row], photograph))
    return text.getvalue()


def check_place(path: Path) -> None:
    """Raise InputError if a table cannot be written to `path` without replacing a file that is none."""
    check_owned(path, _is_a_table)


def write_table(path: Path, dataset: Dataset, names: list[str]) -> None:
    """Write `photograph_table` to `path`, whole or not at all. Raises InputError as `check_place`."""
    write_owned(path, photograph_table(dataset, names), _is_a_table)


def _is_a_table(content: bytes) -> bool:
    return content.startswith(",".join(HEADER).encode())
