"""What the splits hold: labels, votes, and how much the annotators agreed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from ferplus_data.labels import EMOTIONS, VOTE_COLUMNS
from reports.figures.style import SERIES, figure
from search.study.view import StudyView

SPLITS = {"train": "training", "val": "validation", "test": "test"}


def labels(view: StudyView) -> go.Figure | None:
    """Share of each split's faces under each majority label."""
    counts = (view.config.get("data") or {}).get("counts") or {}
    return _shares(counts, EMOTIONS, "faces", "share of the faces")


def votes(view: StudyView) -> go.Figure | None:
    """Share of each split's votes for each of the ten columns."""
    return _shares(_of_splits(view, "votes"), VOTE_COLUMNS, "votes", "share of the votes")


def ambiguity(view: StudyView) -> go.Figure | None:
    """Share of each split's faces per tenth of the votes that the label got."""
    counts = _of_splits(view, "agreement")
    bins = max((len(values) for values in counts.values()), default=0)
    names = [f"to {(index + 1) / bins:.0%}" for index in range(bins)]
    empty = [index for index in range(bins) if not any(values[index] for values in counts.values())]
    kept = [index for index in range(bins) if index not in empty]
    return _shares(
        {split: [values[index] for index in kept] for split, values in counts.items()},
        [names[index] for index in kept],
        "faces",
        "share of the faces",
        title="share of the votes that the label got",
    )


def _of_splits(view: StudyView, key: str) -> dict[str, list[int]]:
    summaries = (view.config.get("data") or {}).get("splits") or {}
    return {split: summary[key] for split, summary in summaries.items() if summary.get(key)}


def _shares(
    counts: Mapping[str, Sequence[int]], names: Sequence[str], what: str, axis: str, title: str = ""
) -> go.Figure | None:
    splits = [split for split in SPLITS if counts.get(split) and sum(counts[split])]
    if not splits:
        return None
    bars = [
        go.Bar(
            name=SPLITS[split],
            x=list(names),
            y=[count / sum(counts[split]) for count in counts[split]],
            customdata=list(counts[split]),
            marker={"color": colour},
            hovertemplate=f"%{{x}}: %{{y:.2%}}, %{{customdata:,}} {what}<extra>{SPLITS[split]}</extra>",
        )
        for split, colour in zip(splits, SERIES, strict=False)
    ]
    first = splits[0]
    share = {name: count / sum(counts[first]) for name, count in zip(names, counts[first], strict=True)}
    said = ", ".join(f"{name} {part:.1%}" for name, part in share.items())
    return figure(
        *bars,
        shows=f"{axis.capitalize()} in the {SPLITS[first]} split: {said}.",
        barmode="group",
        showlegend=True,
        xaxis={"title": {"text": title}} if title else {},
        yaxis={"title": {"text": axis}, "tickformat": ".0%", "rangemode": "tozero"},
    )
