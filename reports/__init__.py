"""A finished or running study -> figures -> one HTML file, plus its JSON and CSV.

WRITERS is the way in: format -> function (StudyView, path) -> the path it wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reports.page import write_report
from reports.tables import write_csv, write_json
from search.study import StudyView

WRITERS: dict[str, Callable[[StudyView, Path], Path]] = {
    "html": write_report,
    "json": write_json,
    "csv": write_csv,
}
