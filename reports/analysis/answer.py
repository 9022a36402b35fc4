"""The report's first section: what came out, how sure it is, and what may be claimed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from models.metrics.objectives import DEFAULT_OBJECTIVE
from reports.analysis.comparison import (
    Comparison,
    compare,
    differences,
    on_demo_data,
    partial_splits,
    starting_weights,
)
from reports.analysis.results import ROWS, SPLITS, Result, difference, further, results
from reports.analysis.selection import Corrected, corrected
from reports.analysis.trials import count_states
from search.storages.trial_life import KNOWN_RECIPE
from search.study.readings import described
from search.study.view import StudyView, best_trial


@dataclass(frozen=True)
class Spread:
    """Accuracies of the retraining seeds on one split; `deviation` (n - 1) is None for a single seed."""

    split: str
    mean: float
    low: float
    high: float
    deviation: float | None
    seeds: int


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
    seeds = list((metrics or {}).get("seeds") or [])
    majority = (metrics or {}).get("majority_class_rate") or {}
    return Answer(
        headline=_headline(view),
        honest=honest(view),
        claim=_claim(view),
        weights=starting_weights(view),
        trial=trial,
        configuration=f"Configuration of trial {trial}, asked for by the user"
        if asked_for(view)
        else f"Best configuration: trial {trial}",
        suggested=_suggested(view, trial),
        hyperparameters=chosen,
        results=results(view),
        majority={SPLITS[split]: majority[split] for split in SPLITS if majority.get(split) is not None},
        seeds=seeds,
        spreads=_spreads(seeds),
        comparisons=compare(view),
        corrected=corrected(view),
        further=further(view),
        readings=described(view.test_readings),
        reading=(metrics or {}).get("test_reading"),
        ceiling=ceiling(view),
        difference=difference(view),
    )


def _headline(view: StudyView) -> str:
    counts = count_states(view.trials)
    if view.metrics is not None:
        number = view.metrics.get("trial")
        # A trial that was interrupted, or waits to be continued, may be the best there is.
        tried = sum(trial.score is not None or trial.state == "failed" for trial in view.trials)
        if asked_for(view):
            return f"Trial {number}, asked for by the user, was retrained{_test_result(view)}."
        finalists = view.metrics.get("finalists")
        if finalists:
            of_all = f"{len(finalists)} retrained of {_trials(tried)}"
            return f"Trial {number} was the best of {of_all}{_test_result(view)}."
        return f"Trial {number} was retrained as the best of {_trials(tried)}{_test_result(view)}."
    if not view.trials:
        return "No trial has started yet: there is nothing to report."
    best = best_trial(view.trials)
    if counts["failed"] == len(view.trials):
        return f"No result: all {_trials(counts['failed'])} failed. The reasons are in the table of trials."
    if best is None:
        return f"No trial is complete yet. {_extent(view)}, {counts['running']} running."
    so_far = f"The best so far is trial {best.number}; it has not been retrained, so there is no test accuracy yet."
    if best.state == "complete":
        return f"{_extent(view)}. {so_far}"
    return f"No trial is complete yet. {_extent(view)}, {counts['running']} running. {so_far}"


def _extent(view: StudyView) -> str:
    """How far the search is."""
    counts, asked = count_states(view.trials), view.config.get("arguments") or {}
    ended = counts["complete"] + counts["pruned"] + counts["failed"]
    if asked.get("budget") is not None:
        spent = sum(len(trial.values) for trial in view.trials) / asked["epochs"]
        return f"{_trials(len(view.trials))} have had {spent:.1f} of {asked['budget']:g} full trainings"
    of = f" of {asked['trials']}" if asked.get("trials") else ""
    rest = f", {counts['resting']} rest at a rung" if counts.get("resting") else ""
    return f"{ended}{of} trials have ended{rest}"


def _test_result(view: StudyView) -> str:
    objectives = ((view.metrics or {}).get("objectives") or {}).get("test") or {}
    value, objective = objectives.get(view.objective_name), view.objective
    asked = view.objective_name != DEFAULT_OBJECTIVE and value is not None
    also = f"; the saved model's {objective.label} there is {value:{objective.format()}}" if asked else ""
    for spread in _spreads(list((view.metrics or {}).get("seeds") or [])):
        if spread.split == SPLITS["test"] and spread.deviation is not None:
            return (
                f" and reached {spread.mean:.1%} on the test split (mean of {spread.seeds} seeds, standard deviation "
                f"{100 * spread.deviation:.1f} points, {spread.low:.1%} to {spread.high:.1%}){also}"
            )
    for result in results(view):
        if result.split == SPLITS["test"]:
            return (
                f" and reached {result.accuracy:.1%} on the test split "
                f"(95% interval {result.low:.1%} to {result.high:.1%}, n = {result.n:,}){also}"
            )
    return ""


def asked_for(view: StudyView) -> bool:
    """Whether the retrained trial is not the one that the search's own rule would have chosen."""
    told = (view.metrics or {}).get("asked_for_by_the_user")
    if told is not None:
        return bool(told)
    best = best_trial(view.trials)
    number = (view.metrics or {}).get("trial")
    return best is not None and number is not None and number != best.number


def honest(view: StudyView) -> str:
    """Which accuracy may be believed, in a sentence or two."""
    tests = [result for result in results(view) if result.split == SPLITS["test"]]
    if tests:
        test, clean = tests[0], [result for result in tests if result.rows in ROWS][-1]
        interval = f"({test.low:.1%} to {test.high:.1%}, n = {test.n:,})"
        seeds = [seed.get("test_accuracy") for seed in (view.metrics or {}).get("seeds") or []]
        values = [value for value in seeds if value is not None]
        whose = " of the saved model" if len(values) > 1 else ""
        said = f"The test accuracy{whose}, {test.accuracy:.1%} {interval}: nothing was chosen by it"
        if clean is not test:
            said += f"; on {clean.rows} alone {clean.accuracy:.1%}"
        if len(values) > 1:
            said += (
                f"; another seed of the configuration may have {fmean(values):.1%}, the mean of {len(values)}"
            )
        number, count = (view.metrics or {}).get("test_reading"), len(view.test_readings)
        if number is not None and count:
            said += f". It is reading {number} of {count} of the test labels"
        return f"{said}. Every validation accuracy is of something chosen on those faces, and flatters."
    found = corrected(view)
    if found is not None:
        return (
            f"{_none_yet(view)} The nearest is the best trial's validation accuracy corrected for the "
            f"choice, {found.accuracy:.1%} ({found.low:.1%} to {found.high:.1%}, n = {found.n:,})."
        )
    if best_trial(view.trials) is None:
        return "None yet: no trial is complete."
    if view.metrics is not None:
        return f"{_none_yet(view)} The validation accuracies are of the best of many tries on the same faces, and flatter."
    return "None yet: the validation scores are of the best of many tries on the same faces, and flatter."


def _none_yet(view: StudyView) -> str:
    if view.metrics is None or not view.test_readings:
        return "None yet: no test label was looked at."
    return "None here: the test labels were not looked at with this model when it was retrained; see the readings below."


def ceiling(view: StudyView) -> str:
    """How well any model can do against these labels, by the photographs that were voted on twice; empty if not known."""
    noise = (view.config.get("data") or {}).get("label_noise")
    if not noise:
        return ""
    return (
        f"Label noise: of {noise['pairs']:,} images that were voted on twice, {noise['repeat']:.1%} got the same label "
        f"both times; so about {noise['ceiling']:.0%} is the best accuracy that any model can have."
    )


def _trials(count: int) -> str:
    return f"{count:,} trial" if count == 1 else f"{count:,} trials"


def _spreads(seeds: list[dict[str, Any]]) -> list[Spread]:
    spreads = []
    for split, name in SPLITS.items():
        values = [seed[f"{split}_accuracy"] for seed in seeds if seed.get(f"{split}_accuracy") is not None]
        if values:
            deviation = stdev(values) if len(values) > 1 else None
            spreads.append(Spread(name, fmean(values), min(values), max(values), deviation, len(values)))
    return spreads


def _claim(view: StudyView) -> str:
    """One sentence: what this run can and cannot claim."""
    metrics = view.metrics
    if metrics is None:
        return (
            "Nothing can be claimed about test accuracy yet: a search's best validation score is the best of "
            "many tries on the same images, and the test labels are looked at after the retraining."
        )
    if metrics.get("test_accuracy") is None:
        return (
            "Nothing can be claimed about test accuracy: its labels were not looked at with this model (retrain --test does), "
            "and the validation accuracy is of something chosen on those faces."
        )
    if on_demo_data(view):
        return (
            "This run shows that search, retraining and evaluation work together; on generated faces its "
            "accuracy says nothing about recognising emotions in photographs."
        )
    if partial_splits(view):
        return (
            "This run compares its own trials with each other on part of FER+; its accuracy is no result on "
            "the official splits and belongs beside no published figure."
        )
    return _full_split_claim(metrics, differences(view, "vggface2"))


def _full_split_claim(metrics: Mapping[str, Any], reasons: list[str]) -> str:
    n = metrics.get("n_test") or 0
    start = f"The test accuracy stands for the official FER+ test split ({n:,} rows)"
    seeds = len(metrics.get("seeds") or [])
    noise = (
        "one retraining seed, so luck of the seed is not measured"
        if seeds < 2
        else f"{seeds} retraining seeds"
    )
    if reasons:
        return (
            f"{start}, but with another set-up than the published recipes ({'; '.join(reasons)}), so a "
            f"difference to them cannot be put down to the search; the result rests on {noise}."
        )
    return (
        f"{start} and may be set beside published figures on it, but a gap smaller than the interval shows "
        "no better model, the validation accuracy is optimistic because the search chose on its faces, and the "
        f"result rests on {noise}."
    )
