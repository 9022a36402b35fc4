"""CSV rows with the line numbers a text editor shows, and unreadable text as an InputError."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError


def csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (line number from 1, cells) for every row that is not blank; `InputError` names file and line."""
    line = 0
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark before the header.
        with open(path, newline="", encoding="utf-8-sig") as stream:
            rows = csv.reader(stream)
            for cells in rows:
                line = rows.line_num
                if cells:
                    yield line, cells
    except OSError as error:
        raise InputError(f"{path}: expected a readable CSV file, found: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}, after row {line}: expected CSV text in UTF-8, found something else ({error}); "
            "get the file again"
        ) from error


def column_indices(header: list[str], needed: tuple[str, ...], path: Path) -> list[int]:
    """Where each needed column stands. Spaces around names are ignored: icml_face_data.csv has them."""
    names = [name.strip() for name in header]
    missing = [name for name in needed if name not in names]
    if missing:
        found = ", ".join(names)
        raise InputError(
            f"{path}, row 1: expected a header with the columns {', '.join(needed)}, found "
            f"{found[:120]!r} without {', '.join(missing)}; check that this is the right file"
        )
    return [names.index(name) for name in needed]
