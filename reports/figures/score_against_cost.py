"""What a score costs: the score of each configuration against the time of its epochs."""

from __future__ import annotations

from statistics import median

import plotly.graph_objects as go

from reports.analysis.trials import judged
from reports.analysis.words import duration_words
from reports.figures.score import score_axis
from reports.figures.style import ACCENT, STATE_COLOURS, figure
from reports.figures.ticks import log_ticks
from search.study.view import StudyView, TrialRecord

MIN_RATIO = 1.5
"""Ratio of the dearest to the cheapest epoch below which cost tells configurations apart no better than noise."""


def draw(view: StudyView) -> go.Figure | None:
    """A point per complete or stopped trial: its score against seconds of an epoch (training and validation, as
    recorded), with a line through those that no cheaper trial surpasses."""
    costs = [(trial, cost) for trial in judged(view.trials) if (cost := epoch_seconds(trial)) is not None]
    if len(costs) < 3 or max(c for _, c in costs) < MIN_RATIO * min(c for _, c in costs):
        return None
    label, form = view.objective.label, view.objective.format()
    best: list[tuple[TrialRecord, float]] = []
    for trial, cost in sorted(costs, key=lambda one: (one[1], -one[0].merit)):
        if trial.eligible and (not best or trial.merit > best[-1][0].merit):
            best.append((trial, cost))
    ticks = log_ticks(min(c for _, c in costs), max(c for _, c in costs))
    cheapest = "; ".join(
        f"{trial.score:{form}} at {duration_words(cost)} an epoch (trial {trial.number})"
        for trial, cost in best[-3:]
    )
    return figure(
        *[
            go.Scatter(
                name=name,
                mode="markers",
                meta="trials",
                x=[cost for _, cost in own],
                y=[trial.score for trial, _ in own],
                customdata=[[trial.number, duration_words(cost)] for trial, cost in own],
                marker={"color": STATE_COLOURS[state], "size": 7 if len(own) <= 150 else 5},
                opacity=0.85 if len(own) <= 150 else 0.6,
                hovertemplate=f"trial %{{customdata[0]}}: %{{y:{view.objective.format(2)}}}, %{{customdata[1]}} an epoch"
                "<extra></extra>",
            )
            for state, name in (("pruned", "stopped"), ("complete", "complete"))
            if (own := [one for one in costs if (one[0].state == "complete") == (state == "complete")])
        ],
        go.Scatter(
            name="best for its cost",
            mode="lines",
            x=[cost for _, cost in best],
            y=[trial.score for trial, _ in best],
            line={"shape": "hv", "color": ACCENT, "width": 2},
            hoverinfo="skip",
        ),
        shows=f"Validation {label} against the time of an epoch, which is {duration_words(median(c for _, c in costs))} in the "
        f"middle. Best for their cost: {cheapest}.",
        title=f"{label[:1].upper()}{label[1:]} against cost",
        showlegend=True,
        xaxis={
            "type": "log",
            "title": {"text": "seconds of an epoch"},
            "tickvals": ticks,
            "ticktext": [f"{tick:.3g}" for tick in ticks],
        },
        yaxis=score_axis(view.objective),
    )


def epoch_seconds(trial: TrialRecord) -> float | None:
    """Seconds of an epoch of `trial`, training and validation; None where they were not recorded."""
    spent = trial.times.get("training", 0.0) + trial.times.get("validation", 0.0)
    return spent / len(trial.values) if spent > 0 and trial.values else None
