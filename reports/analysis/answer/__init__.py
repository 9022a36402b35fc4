"""The report's first section: what came out, how sure it is, and what may be claimed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from reports.analysis.answer.claims import ceiling, claim, honest
from reports.analysis.answer.headline import asked_for, headline
from reports.analysis.answer.spreads import Spread, spreads
from reports.analysis.comparison import Comparison, compare, starting_weights
from reports.analysis.results import SPLITS, Result, difference, further, results
from reports.analysis.selection import Corrected, corrected
from search.storages.trial_life import KNOWN_RECIPE
from search.study.readings import described
from search.study.view import StudyView, best_trial


@dataclass(frozen=True)
class Answer:
    """What the first section shows; lists are empty while there is nothing to put in them."""

    headline: str
    honest: str
    claim: str
    weights: str
    trial: int | None
    configuration: str
    suggested: str
    hyperparameters: dict[str, Any]
    results: list[Result]
    majority: dict[str, float]
    seeds: list[dict[str, Any]]
    spreads: list[Spread]
    comparisons: list[Comparison]
    corrected: Corrected | None
    further: list[Result]
    readings: list[str]
    reading: int | None
    ceiling: str
    difference: str


_SOURCES = {
    KNOWN_RECIPE: "the space, as a known recipe",
    "random": "a random draw",
    "density": "the density estimate of good configurations",
    "process": "the Gaussian process over hyperparameters and epochs",
}
"""Known recipes, and the sources of the portfolio, as docs/search.md explains them."""


def _suggested(view: StudyView, number: int | None) -> str:
    """What of the portfolio suggested the trial, and how many trials each source had; nothing with other oracles."""
    source = next((trial.source for trial in view.trials if trial.number == number), None)
    if source is None:
        return ""
    counts = Counter(trial.source for trial in view.trials if trial.source)
    shares = ", ".join(f"{name} {counts[name]}" for name in _SOURCES if counts[name])
    by_source = f" Trials by source: {shares}." if len(counts) > 1 else ""
    return f"Suggested by {_SOURCES.get(source, source)}.{by_source}"


def answer(view: StudyView) -> Answer:
    """The answer of a study in any state: retrained, running, nothing finished, only failures."""
    best = best_trial(view.trials)
    metrics = view.metrics
    if metrics is not None:
        trial, chosen = metrics.get("trial"), dict(metrics.get("hyperparameters") or {})
    else:
        trial, chosen = (best.number, best.hyperparameters) if best else (None, {})
    majority = (metrics or {}).get("majority_class_rate") or {}
    return Answer(
        headline=headline(view),
        honest=honest(view),
        claim=claim(view),
        weights=starting_weights(view),
        trial=trial,
        configuration=f"Configuration of trial {trial}, asked for by the user"
        if asked_for(view)
        else f"Best configuration: trial {trial}",
        suggested=_suggested(view, trial),
        hyperparameters=chosen,
        results=results(view),
        majority={SPLITS[split]: majority[split] for split in SPLITS if majority.get(split) is not None},
        seeds=list((metrics or {}).get("seeds") or []),
        spreads=spreads(view),
        comparisons=compare(view),
        corrected=corrected(view),
        further=further(view),
        readings=described(view.test_readings),
        reading=(metrics or {}).get("test_reading"),
        ceiling=ceiling(view),
        difference=difference(view),
    )
