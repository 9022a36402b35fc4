"""Writes docs/reference.md: python docs/make_reference.py"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import run_search  # noqa: E402
from ferplus_data.files import write_text  # noqa: E402
from search.commands.reference import reference  # noqa: E402

if __name__ == "__main__":
    print(write_text(ROOT / "docs" / "reference.md", reference(run_search.COMMANDS)))
