"""Which worker ran which trial when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go

from reports.analysis.trials import STATES
from reports.analysis.words import duration_words
from reports.analysis.workers import Span, Worker, workers
from reports.figures.style import COUNT_COLOURS, STATE_COLOURS, figure, plain
from search.study.view import StudyView

MOST_BARS = 60
"""Trials of one worker up to which a bar each is wide enough to see; more are told as the busy share of slices of time."""
SLICES = 60
"""Of the study's span, where trials are told by slices."""

_OF_SLICES = (
    "A row per worker: the share of each slice of time that it spent in trials; hover for how many trials it left in it, draw a "
    "box to look closer."
)


def draw(view: StudyView) -> go.Figure | None:
    """One row per worker, labelled with its utilisation. Up to MOST_BARS times in trials of a worker: a bar for each,
    coloured by the trial's state; more: the share of each of SLICES slices of time that it spent in trials."""
    found = workers(view.trials)
    if not found:
        return None
    now = max(worker.last for worker in found)
    many = max(len(worker.spans) for worker in found) > MOST_BARS
    busy = sum(worker.busy for worker in found) / max(1e-9, sum(worker.present for worker in found))
    started = len({span.trial.number for worker in found for span in worker.spans})
    took = duration_words((now - min(worker.first for worker in found)).total_seconds())
    return figure(
        *(_slices(found, now) if many else _bars(found)),
        shows=f"{started:,} trials on {_count(found)} over {took}, busy {min(1.0, busy):.0%} of the time.",
        caption=_OF_SLICES if many else None,
        barmode="overlay",
        showlegend=not many,
        height=130 + (34 if len(found) <= 16 else 18) * len(found),
        xaxis={"type": "date", "title": {"text": "time"}},
        yaxis={"autorange": "reversed", "showgrid": False, "ticklabelstandoff": 4},
        bargap=0.35,
    )


def _count(found: Sequence[Worker]) -> str:
    return "1 worker" if len(found) == 1 else f"{len(found):,} workers"


def _label(worker: Worker) -> str:
    return f"{worker.label}, {worker.utilisation:.0%} busy"


def _bars(found: Sequence[Worker]) -> list[go.Bar]:
    labelled = [(_label(worker), worker, span) for worker in found for span in worker.spans]
    traces = []
    for state in STATES:
        of_state = [one for one in labelled if one[2].trial.state == state]
        if not of_state:
            continue
        traces.append(
            go.Bar(
                name=state,
                orientation="h",
                meta="trials",
                y=[label for label, _, _ in of_state],
                base=[span.start for *_, span in of_state],
                # Plotly takes the length of a bar on a time axis in milliseconds.
                x=[span.seconds * 1000 for *_, span in of_state],
                marker={
                    "color": STATE_COLOURS[state],
                    "line": {"width": 0.5, "color": "rgba(255,255,255,0.6)"},
                },
                customdata=[[span.trial.number, _remark(worker, span)] for _, worker, span in of_state],
                hovertemplate="%{customdata[1]}<extra>" + state + "</extra>",
            )
        )
    return traces


def _slices(found: Sequence[Worker], now: datetime) -> list[go.Heatmap]:
    first = min(worker.first for worker in found)
    length = max((now - first).total_seconds() / SLICES, 1e-9)
    shares, ends = [], []
    for worker in found:
        share, ended = [0.0] * SLICES, [0] * SLICES
        for span in worker.spans:
            start, end = ((moment - first).total_seconds() / length for moment in (span.start, span.end))
            ended[min(SLICES - 1, int(end))] += span.over
            for index in range(int(start), min(SLICES, int(end) + 1)):
                share[index] += max(0.0, min(end, index + 1) - max(start, index))
        shares.append([min(1.0, one) for one in share])
        ends.append(ended)
    return [
        go.Heatmap(
            z=shares,
            x=[first + timedelta(seconds=length * (index + 0.5)) for index in range(SLICES)],
            y=[_label(worker) for worker in found],
            customdata=ends,
            colorscale=COUNT_COLOURS,
            zmin=0,
            zmax=1,
            ygap=2,
            showscale=False,
            hovertemplate="%{y}<br>%{x}: %{z:.0%} in trials, %{customdata} left<extra></extra>",
        )
    ]


def _remark(worker: Worker, span: Span) -> str:
    until = f"{span.end:%H:%M:%S}" if span.over else "now"
    return f"trial {span.trial.number}: {span.start:%H:%M:%S} to {until}<br>{plain(worker.name)}"
