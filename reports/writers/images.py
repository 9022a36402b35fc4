"""Every figure as a PNG, by Kaleido, which needs a Chrome or Chromium on the machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go

from ferplus_data.errors import InputError
from ferplus_data.files.owned import OwnFolder
from reports.figures import FIGURES
from reports.writers.redaction import without_passwords
from search.study.view import StudyView

WIDTH, HEIGHTS, SCALE = 1000, {"wide": 420, "tall": 560, "half": 480, "square": 760}, 2
"""Pixels of a figure before scaling, its height by shape unless it sets its own; SCALE is for print and dense screens."""


def write_png(view: StudyView, path: Path) -> Path:
    """Write NAME.png for every figure that has something to show into the folder `path`, on white, and return it.

    Pictures of an earlier call go; the new ones appear all or none.

    Raises:
        InputError: Kaleido or a browser for it is missing, or a picture is in the way that no earlier call wrote.
    """
    if importlib.util.find_spec("kaleido") is None:
        raise InputError(
            "--format png: expected the package kaleido, found none; install it with: pip install -r requirements-png.txt"
        )
    view = without_passwords(view)
    drawn = {name: figure for name, entry in FIGURES.items() if (figure := entry.draw(view)) is not None}
    pictures = [f"{name}.png" for name in drawn]
    folder = OwnFolder(path)
    folder.check(pictures, "--format png")
    for name, figure in drawn.items():
        height = figure.layout.height or HEIGHTS[FIGURES[name].shape]
        figure.update_layout(paper_bgcolor="white", plot_bgcolor="white", font={"color": "#1c2127"})
        figure.update_layout(height=height, margin={"l": 20, "r": 30, "t": 40, "b": 20})
    with folder.filling() as work:
        if drawn:
            _render({work / f"{name}.png": figure for name, figure in drawn.items()})
        folder.put(work, pictures, instead=folder.written())
    return path


def _render(figures: Mapping[Path, go.Figure]) -> None:
    import kaleido

    specs = [
        {
            "fig": figure.to_plotly_json(),
            "path": path,
            "opts": {"format": "png", "width": WIDTH, "height": figure.layout.height, "scale": SCALE},
        }
        for path, figure in figures.items()
    ]
    try:
        # Without MathJax, which Kaleido would load from a host.
        kaleido.write_fig_from_object_sync(specs, kopts={"mathjax": False}, cancel_on_error=True)
    except (RuntimeError, kaleido.errors.ChromeNotFoundError) as error:
        raise InputError(
            "--format png: expected Chrome or Chromium for Kaleido, found none that works "
            f"({type(error).__name__} {' '.join(str(error).split())[:160]}); install one, or write --format html"
        ) from error
