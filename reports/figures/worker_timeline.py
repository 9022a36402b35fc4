"""Which worker ran which trial when."""

from __future__ import annotations

import plotly.graph_objects as go

from reports.analysis.trials import STATES
from reports.analysis.workers import span, workers
from reports.figures.style import STATE_COLOURS, figure, plain
from search.study.view import StudyView, TrialRecord


def draw(view: StudyView) -> go.Figure | None:
    """One row per worker, labelled with its utilisation, one bar per started trial, coloured by state."""
    found = workers(view.trials)
    if not found:
        return None
    label = {worker.name: f"{worker.label}, {worker.utilisation:.0%} busy" for worker in found}
    now = max(worker.last for worker in found)
    started = [trial for worker in found for trial in worker.trials]
    traces = []
    for state in STATES:
        of_state = [trial for trial in started if trial.state == state]
        if not of_state:
            continue
        spans = [span(trial, now) for trial in of_state]
        traces.append(
            go.Bar(
                name=state,
                orientation="h",
                y=[label[trial.worker or "unknown"] for trial in of_state],
                base=[start for start, _ in spans],
                # Plotly takes the length of a bar on a time axis in milliseconds.
                x=[(end - start).total_seconds() * 1000 for start, end in spans],
                marker={
                    "color": STATE_COLOURS[state],
                    "line": {"width": 0.5, "color": "rgba(255,255,255,0.6)"},
                },
                customdata=[_remark(trial) for trial in of_state],
                hovertemplate="%{customdata}<extra>" + state + "</extra>",
            )
        )
    return figure(
        *traces,
        barmode="overlay",
        showlegend=True,
        height=130 + 34 * len(found),
        xaxis={"type": "date", "title": {"text": "time"}},
        yaxis={"autorange": "reversed", "showgrid": False, "ticklabelstandoff": 4},
        bargap=0.35,
    )


def _remark(trial: TrialRecord) -> str:
    assert trial.started is not None
    until = f"{trial.ended:%H:%M:%S}" if trial.ended else "now"
    return f"trial {trial.number}: {trial.started:%H:%M:%S} to {until}<br>{plain(trial.worker or 'unknown')}"
