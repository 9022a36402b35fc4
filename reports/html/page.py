"""The report: one self-contained HTML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ferplus_data.files.owned import check_owned, write_owned
from ferplus_data.labels import EMOTIONS
from reports.analysis.annotators import agreements
from reports.analysis.answer import SPLITS, answer
from reports.analysis.commands import commands
from reports.analysis.hyperparameters import shown
from reports.analysis.savings import caching, pruning
from reports.analysis.trials import count_states, duration, first_line
from reports.analysis.workers import workers
from reports.figures import FIGURES, FigureEntry
from reports.html.details import details
from reports.html.gallery import confident_errors, of_each_emotion
from reports.writers.redaction import without_passwords
from search.study.view import StudyView, best_trial

TEMPLATES = Path(__file__).parent / "templates"
_TITLE = b": FER+ hyperparameter search</title>"  # as in report.html.j2
SECTIONS = {
    "answer": "The answer",
    "search": "The search",
    "mattered": "What mattered",
    "model": "The model",
    "run": "The data and the run",
}
"""Section id -> heading, in the page's order; each has its template in templates/sections/."""


@dataclass(frozen=True)
class PlacedFigure:
    """A figure on the page: `plot` is JSON safe inside a script element, None when there is nothing.

    `style` sizes its container: the least width the entry asks for, the height the figure itself sets.
    """

    name: str
    entry: FigureEntry
    plot: Markup | None
    style: str


def render(view: StudyView, refresh: int | None = None) -> str:
    """The whole report of a study in any state, as HTML that opens offline and asks no host for anything.

    Args:
        view: The study.
        refresh: Seconds after which the page loads itself anew, for a study whose report will be written again; None: never.
    """
    view = without_passwords(view)
    val = view.predictions.get("val")
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, shown=shown, duration=_duration, moment=_moment, plain=_text)
    environment.globals.update(duration_of=duration, first_line=first_line)
    return environment.get_template("report.html.j2").render(
        view=view,
        config=view.config,
        sections=SECTIONS,
        emotions=EMOTIONS,
        answer=answer(view),
        best=best_trial(view.trials),
        counts=count_states(view.trials),
        trials=sorted(view.trials, key=lambda trial: trial.number),
        figures=_placed(view),
        details=Markup(_inside_script(json.dumps(details(view), allow_nan=False, separators=(",", ":")))),
        workers=workers(view.trials),
        pruning=pruning(view),
        caching=caching(view),
        agreements=agreements(view),
        errors={
            name: confident_errors(view.predictions[split])
            for split, name in SPLITS.items()
            if split in view.predictions
        },
        each=of_each_emotion(val) if val is not None else {},
        in_training=partial(_in_training, view),
        refresh=refresh,
        commands=commands(view),
        written=datetime.now(UTC),
        plotly_js=Markup(get_plotlyjs()),
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        script=Markup((TEMPLATES / "report.js").read_text(encoding="utf-8")),
    )


def write_report(view: StudyView, path: Path, *, refresh: int | None = None) -> Path:
    """Write `render(view, refresh)` to `path`, whole or not at all, and return the path.

    Raises:
        InputError: There is a file that no earlier call wrote.
    """
    return write_owned(path, render(view, refresh), _is_a_report)


def check_place(path: Path) -> None:
    """Raise InputError if `write_report` could not write to `path` because of a file that no earlier call wrote."""
    check_owned(path, _is_a_report)


def _is_a_report(content: bytes) -> bool:
    return _TITLE in content[:4096]


def _placed(view: StudyView) -> dict[str, list[PlacedFigure]]:
    placed: dict[str, list[PlacedFigure]] = {section: [] for section in SECTIONS}
    for name, entry in FIGURES.items():
        drawn = entry.draw(view)
        plot = None if drawn is None else Markup(_inside_script(drawn.to_json()))
        sizes = {"min-width": entry.min_width, "height": None if drawn is None else drawn.layout.height}
        style = "; ".join(f"{key}: {pixels}px" for key, pixels in sizes.items() if pixels)
        placed[entry.section].append(PlacedFigure(name, entry, plot, style))
    return placed


def _in_training(view: StudyView, split: str) -> str:
    summary = ((view.config.get("data") or {}).get("splits") or {}).get(split) or {}
    return f"{summary.get('in_training', summary.get('twins', 0)):,} of {summary.get('rows', 0):,}"


def _inside_script(text: str) -> str:
    """JSON that cannot end the script element it stands in, whatever a user typed into it."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _percent(fraction: float | None, digits: int = 1) -> str:
    return "–" if fraction is None else f"{fraction:.{digits}%}"


def _duration(seconds: float | None) -> str:
    """Seconds as 42 s, 3:07 min or 2:03:07 h."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.0f} s"
    hours, rest = divmod(round(seconds), 3600)
    minutes, remaining = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{remaining:02} h" if hours else f"{minutes}:{remaining:02} min"


def _moment(moment: datetime | str) -> str:
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return str(moment)
    return moment.strftime("%Y-%m-%d %H:%M") + (" UTC" if moment.utcoffset() == timedelta(0) else "")


def _text(value: Any) -> str:
    """A configuration value on one line: mappings as name=value, an empty one as "none"."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={_text(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value) or "none"
    return "not set" if value is None else shown(value)
