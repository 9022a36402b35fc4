"""docs/reference.md is what `make reference` would write."""

from __future__ import annotations

from pathlib import Path

import run_search
from search.commands.reference import reference


def test_the_page_is_current() -> None:
    page = Path(run_search.__file__).parent / "docs" / "reference.md"
    assert page.read_text(encoding="utf-8") == reference(run_search.COMMANDS), "make reference"
