"""Lines about trials: how one ended, how far a study is, how long it will take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from optuna.trial import FrozenTrial

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from search.storages.trial_life import State, best_of, score_of, state_of


@dataclass(frozen=True)
class Goal:
    """How much a search is to do.

    Args:
        trials: How many there will be at most.
        budget: Full trainings that they may have together; None: it is told by the trials.
        epochs: Of a full training.
    """

    trials: int
    budget: float | None = None
    epochs: int = 1

    @property
    def total(self) -> float:
        """Trials, or full trainings of the budget."""
        return self.trials if self.budget is None else self.budget

    def done(self, trials: Iterable[FrozenTrial]) -> float:
        """How many trials have ended, or rest, as most of those do for good; with a budget, how many full trainings all of
        `trials` have had together."""
        if self.budget is None:
            return sum((state := state_of(trial)).ended or state == State.RESTING for trial in trials)
        return sum(len(trial.intermediate_values) for trial in trials) / self.epochs

    def said(self, trials: Iterable[FrozenTrial]) -> str:
        """What is done of how much."""
        done = self.done(trials)
        return f"{done}/{self.trials}" if self.budget is None else f"{done:.1f}/{self.budget:g}"


_OUTCOMES = {State.COMPLETE: "done", State.RESTING: "rests"}
"""How a line calls the state of a trial, where not by its name."""


def trial_line(
    number: int,
    trials: Mapping[int, FrozenTrial],
    goal: Goal,
    seconds: float,
    objective: str = DEFAULT_OBJECTIVE,
) -> str:
    """Return the line of trial `number` of `trials`, which has ended, or rests, after `seconds`."""
    trial = trials[number]
    score = score_of(trial, minimized=_minimized(objective))
    state = state_of(trial)
    outcome = _OUTCOMES.get(state, state.value)
    parts = [
        f"trial {number:>3} {outcome:<6} {goal.said(trials.values())}",
        f"val_{objective} {score:.4f} after {len(trial.intermediate_values)} epochs"
        if score is not None
        else "no epoch",
    ]
    if state == State.FAILED:
        parts.append(str(trial.user_attrs.get("error", ""))[:160])
    if "ended_early" in trial.user_attrs:
        parts.append(f"ended early, {trial.user_attrs['ended_early']}")
    best = _best(trials.values(), objective)
    if best is not None:
        parts.append(f"best {best}")
    names = varied([t.params for t in trials.values()])
    values = " ".join(f"{name}={short(trial.params[name])}" for name in names if name in trial.params)
    return "  ".join([*parts, *([values] if values else []), duration(seconds)])


def standing(trials: Sequence[FrozenTrial], goal: Goal, objective: str) -> str:
    """Return how far a study with these trials is: what is done, what runs, the best so far."""
    running = sum(state_of(trial) == State.RUNNING for trial in trials)
    best = _best(trials, objective)
    said = "" if best is None else f"; best val_{objective} {best}"
    done = goal.done(trials)
    if goal.budget is None:
        return f"{done} of {goal.trials} trials are done, {running} run{said}"
    return (
        f"{done:.1f} of {goal.budget:g} full trainings are spent on {len(trials)} trials, {running} run{said}"
    )


def time_left(
    trials: Sequence[FrozenTrial], goal: Goal, retraining_epochs: float, *, here: int = 0
) -> float | None:
    """Return the seconds until the retraining has ended, None before a trial has: what has been done has taken, all the work on
    stopped and resting trials included, for what is to come, shared by the workers; then the retraining.

    Args:
        trials: Of the study.
        goal: How much there will be.
        retraining_epochs: How many epochs of a trial the retraining is worth.
        here: Workers that are between two trials now.
    """
    spent = [sum(trial.user_attrs.get("times", {}).values()) for trial in trials]
    done = goal.done(trial for trial in trials if trial.intermediate_values)
    epochs = [t.user_attrs["seconds_per_epoch"] for t in trials if "seconds_per_epoch" in t.user_attrs]
    if not done or not epochs:
        return None
    workers = max(1, here + sum(state_of(trial) == State.RUNNING for trial in trials))
    to_come = max(goal.total - goal.done(trials), 0)
    return to_come * sum(spent) / done / workers + retraining_epochs * median(epochs)


def varied(configurations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the hyperparameters that have several values in these configurations, in order of appearance."""
    values: dict[str, set[Any]] = {}
    for configuration in configurations:
        for name, value in configuration.items():
            values.setdefault(name, set()).add(value)
    return [name for name, seen in values.items() if len(seen) > 1]


def short(value: object) -> str:
    """Return a value as a line shows it."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Return `seconds` as a person says it: 45 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _minimized(objective: str) -> bool:
    return objective in OBJECTIVES and OBJECTIVES[objective].direction == "min"


def _best(trials: Iterable[FrozenTrial], objective: str) -> str | None:
    """The best score so far and whose it is."""
    minimized = _minimized(objective)
    best = best_of(trials, minimized=minimized)
    return None if best is None else f"{score_of(best, minimized=minimized):.4f} (trial {best.number})"
