"""A finished or running study -> figures -> one HTML file, plus its JSON, CSV and pictures.

WRITERS is the way in: format -> function (StudyView, path) -> the path it wrote; reporting.py calls it as the commands ask.
    analysis/         numbers and sentences
    hyperparameters/  what the space declares, and how much each mattered
    figures/          one figure a file
    writers/          JSON, CSV, pictures
    html/             the page
    notebook.py       a study as a notebook shows it
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reports.html.page import write_report
from reports.writers.images import write_png
from reports.writers.tables import write_csv, write_json
from search.study.view import StudyView

WRITERS: dict[str, Callable[[StudyView, Path], Path]] = {
    "html": write_report,
    "json": write_json,
    "csv": write_csv,
    "png": write_png,
}
"""Format -> what writes a report in it, to a path that it returns."""


def output(run_report: Path, form: str) -> Path:
    """Where the report of a study goes in another format than HTML: beside report.html, PNG into a folder report-png."""
    return run_report.with_name("report-png") if form == "png" else run_report.with_suffix(f".{form}")
