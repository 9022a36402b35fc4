"""A study as a notebook shows it: its report inline, its figures one by one."""

from __future__ import annotations

import html
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from reports.figures import FIGURES
from search.study.view import StudyView


@dataclass(frozen=True)
class Report:
    """A report that was written; a notebook shows the page."""

    path: Path

    def __fspath__(self) -> str:
        return os.fspath(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" title="Report" style="width:100%;height:80vh;border:0"></iframe>'


class Figures(Mapping[str, go.Figure | None]):
    """Figures of a study by their names in `reports.figures.FIGURES`; None for one that has nothing to show yet."""

    def __init__(self, view: StudyView) -> None:
        self._view = view

    def __getitem__(self, name: str) -> go.Figure | None:
        return FIGURES[name].draw(self._view)

    def __iter__(self) -> Iterator[str]:
        return iter(FIGURES)

    def __len__(self) -> int:
        return len(FIGURES)
