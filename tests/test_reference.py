"""docs/reference.md is what `make reference` would write, and names every file that a run leaves."""

from __future__ import annotations

import re
from pathlib import Path

import run_search
from search.commands.reference import FILES, reference

NOT_LEFT = {
    "trials/NNNN/epoch-NNNN.weights.h5",
    "trials/NNNN/error.txt",
    "workers/N.log",
    "keras_tuner/",
    "best/retraining.json",
    "ensemble/",
    "report.json, report.csv, report-png/",
    "export/",
}
"""Rows that name nothing of a search with one worker that has ended, none of its trials failed."""


def test_the_page_is_current() -> None:
    page = Path(run_search.__file__).parent / "docs" / "reference.md"
    assert page.read_text(encoding="utf-8") == reference(run_search.COMMANDS), "make reference"


def pattern(names: str) -> re.Pattern[str]:
    """What the paths match that a row of the table of files means."""
    known = {"NNNN": r"\d{4,}", "N": r"\d+", "S": r"\d+", "NAME": r"[\w-]+"}
    found = []
    for name in names.split(", "):
        path = re.sub(r"NNNN|NAME|\b[NS]\b", lambda word: known[word[0]], name.replace(".", r"\."))
        found.append(("(.+/)?" if name.startswith(".") else "") + path + (".+" if name.endswith("/") else ""))
    return re.compile("|".join(found))


def test_every_file_of_a_study_is_in_the_table(finished: Path) -> None:
    left = [path.relative_to(finished).as_posix() for path in finished.rglob("*") if path.is_file()]
    rows = {path: [names for names in FILES if pattern(names).fullmatch(path)] for path in left}
    assert {path: found for path, found in rows.items() if len(found) != 1} == {}
    assert set(FILES) - {names for found in rows.values() for names in found} == NOT_LEFT
