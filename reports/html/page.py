"""The report: one self-contained HTML file."""

from __future__ import annotations

import json
import time
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
from reports.analysis.answer import answer
from reports.analysis.commands import commands
from reports.analysis.finalists import finals
from reports.analysis.results import SPLITS
from reports.analysis.savings import caching, pruning
from reports.analysis.selection import CHOSEN
from reports.analysis.trials import count_states
from reports.analysis.words import arguments_words, duration_words
from reports.analysis.workers import REPORT_SECONDS, workers, written_seconds
from reports.figures import FIGURES, FigureEntry
from reports.figures.score import score_name
from reports.figures.style import STATE_COLOURS
from reports.html.gallery import confident_errors, of_each_emotion
from reports.html.trial_table import details, meanings, trial_table
from reports.hyperparameters.declared import shown
from reports.hyperparameters.explanations import explanation, title
from reports.hyperparameters.importance import what_mattered
from reports.writers.redaction import without_passwords
from search.study.view import StudyView

TEMPLATES = Path(__file__).parent / "templates"
_TITLE = b": FER+ hyperparameter search</title>"  # as in report.html.j2
SECTIONS = {
    "answer": "The answer",
    "mattered": "What mattered",
    "search": "The search",
    "trials": "All trials",
    "model": "The model",
    "run": "Appendix: the data and the run",
}
"""Section id -> heading, in the page's order; each has its template in templates/sections/."""
FOLDED = ("run",)
"""Sections that are closed until a reader opens them."""


@dataclass(frozen=True)
class PlacedFigure:
    """A figure on the page.

    Attributes:
        name: its key in FIGURES.
        entry: what stands there.
        title, caption: of the entry, or the figure's own.
        shows: its text alternative.
        plot: the figure as JSON, safe inside a script element.
        style: sizes its container: the least width the entry asks for, the height the figure itself sets.
    """

    name: str
    entry: FigureEntry
    title: str
    caption: str
    shows: str
    plot: Markup
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
    environment.filters.update(
        percent=_percent, shown=shown, duration=duration_words, moment=_moment, plain=_text, words=title
    )
    environment.filters["score"] = partial(_score, view.objective.format(2))
    environment.globals.update(explanation=explanation)
    figures, missing = _placed(view)
    return environment.get_template("report.html.j2").render(
        view=view,
        config={**view.config, "arguments": arguments_words(view.config.get("arguments") or {})},
        score_name=score_name(view.objective),
        sections=SECTIONS,
        emotions=EMOTIONS,
        answer=answer(view),
        finals=finals(view),
        folded=FOLDED,
        counts=count_states(view.trials),
        table=trial_table(view),
        figures=figures,
        missing=missing,
        what_mattered=what_mattered(view),
        details=_data({"trials": details(view), "meanings": meanings(view)}),
        chosen=CHOSEN,
        report_seconds=Markup(REPORT_SECONDS.format(0)),
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
        state_colours=STATE_COLOURS,
        style=Markup((TEMPLATES / "report.css").read_text(encoding="utf-8")),
        scripts=[
            Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("trials.js", "report.js")
        ],
    )


def write_report(view: StudyView, path: Path, *, refresh: int | None = None) -> Path:
    """Write `render(view, refresh)` with the time it took to `path`, whole or not at all, and return the path.

    Args:
        view: Of a study, as `search.study.view.read_study` gives it.
        path: Where the page goes.
        refresh: Seconds after which a browser is to load it again; None: never.

    Raises:
        InputError: There is a file that no earlier call wrote.

    Example:
        >>> path = write_report(view, Path("report.html"))
        >>> path.read_text(encoding="utf-8")[:15]
        '<!doctype html>'
    """
    began, before = time.monotonic(), written_seconds(path)
    page = render(view, refresh)
    took = REPORT_SECONDS.format(before + time.monotonic() - began)
    return write_owned(path, page.replace(REPORT_SECONDS.format(0), took, 1), _is_a_report)


def check_place(path: Path) -> None:
    """Raise InputError if `write_report` could not write to `path` because of a file that no earlier call wrote."""
    check_owned(path, _is_a_report)


def _is_a_report(content: bytes) -> bool:
    return _TITLE in content[:4096]


def _placed(view: StudyView) -> tuple[dict[str, list[PlacedFigure]], dict[str, dict[str, list[str]]]]:
    """Section -> its figures, and section -> reason -> titles of those that have nothing to show."""
    placed: dict[str, list[PlacedFigure]] = {section: [] for section in SECTIONS}
    missing: dict[str, dict[str, list[str]]] = {section: {} for section in SECTIONS}
    for name, entry in FIGURES.items():
        drawn = entry.draw(view)
        if drawn is None:
            missing[entry.section].setdefault(entry.empty, []).append(entry.title)
            continue
        own = drawn.layout.meta
        sizes = {"min-width": entry.min_width, "height": drawn.layout.height}
        style = "; ".join(f"{key}: {pixels}px" for key, pixels in sizes.items() if pixels)
        plot = Markup(_inside_script(drawn.to_json()))
        title, caption = own["title"] or entry.title, own["caption"] or entry.caption
        placed[entry.section].append(PlacedFigure(name, entry, title, caption, own["shows"], plot, style))
    return placed, missing


def _in_training(view: StudyView, split: str) -> str:
    summary = ((view.config.get("data") or {}).get("splits") or {}).get(split) or {}
    return f"{summary.get('in_training', summary.get('twins', 0)):,} of {summary.get('rows', 0):,}"


def _data(value: Any) -> Markup:
    return Markup(_inside_script(json.dumps(value, allow_nan=False, separators=(",", ":"))))


def _inside_script(text: str) -> str:
    """JSON that cannot end the script element it stands in, whatever a user typed into it."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _percent(fraction: float | None, digits: int = 1) -> str:
    return "–" if fraction is None else f"{fraction:.{digits}%}"


def _score(form: str, score: float | None) -> str:
    return "–" if score is None else f"{score:{form}}"


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
