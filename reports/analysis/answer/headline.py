"""The report's first sentence: how far the search is, or what came out."""

from __future__ import annotations

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from reports.analysis.answer.spreads import Spread, spreads
from reports.analysis.results import SPLITS, results
from reports.analysis.trials import count_states
from search.study.view import StudyView, best_trial


def headline(view: StudyView) -> str:
    """The first sentence about a study in any state."""
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
    of_seeds = {
        spread.objective: spread
        for spread in spreads(view)
        if spread.split == SPLITS["test"] and spread.deviation is not None
    }
    accuracy = of_seeds.get(OBJECTIVES[DEFAULT_OBJECTIVE])
    test = next((result for result in results(view) if result.split == SPLITS["test"]), None)
    if accuracy is not None:
        reached = f"{accuracy.mean:.1%} on the test split ({_of_seeds(accuracy)})"
    elif test is not None:
        reached = (
            f"{test.accuracy:.1%} on the test split "
            f"(95% interval {test.low:.1%} to {test.high:.1%}, n = {test.n:,})"
        )
    else:
        return ""
    return f" and reached {reached}{_objective_on_test(view, of_seeds.get(view.objective))}"


def _objective_on_test(view: StudyView, spread: Spread | None) -> str:
    """What was searched for, if it is not the accuracy: over the seeds, else of the saved model."""
    name, objective = view.objective_name, view.objective
    if name == DEFAULT_OBJECTIVE:
        return ""
    if spread is not None:
        return f"; the {objective.label} there is {spread.mean:{objective.format()}} ({_of_seeds(spread)})"
    value = (((view.metrics or {}).get("objectives") or {}).get("test") or {}).get(name)
    return (
        ""
        if value is None
        else f"; the saved model's {objective.label} there is {value:{objective.format()}}"
    )


def _of_seeds(spread: Spread) -> str:
    objective = spread.objective
    return (
        f"mean of {spread.seeds} seeds, standard deviation {objective.difference(spread.deviation or 0.0)}, "
        f"{spread.low:{objective.format()}} to {spread.high:{objective.format()}}"
    )


def asked_for(view: StudyView) -> bool:
    """Whether the retrained trial is not the one that the search's own rule would have chosen."""
    told = (view.metrics or {}).get("asked_for_by_the_user")
    if told is not None:
        return bool(told)
    best = best_trial(view.trials)
    number = (view.metrics or {}).get("trial")
    return best is not None and number is not None and number != best.number


def _trials(count: int) -> str:
    return f"{count:,} trial" if count == 1 else f"{count:,} trials"
