"""What was retrained beside the model that is kept, and what that says of the search."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from search.study.view import StudyView


@dataclass(frozen=True)
class Finalist:
    """A configuration that was retrained.

    Attributes:
        trial: Its number.
        known_recipe: Whether it is the control.
        trial_score: The objective that it had as a trial.
        first: What it had retrained at the first rung, with the first seed.
        value: The mean over its trainings of the best that they had.
        epochs: Epochs of its first training.
        trainings: How many there were.
        kept: Whether its model is the one that is kept.
    """

    trial: int
    known_recipe: bool
    trial_score: float | None
    first: float
    value: float
    epochs: int
    trainings: int
    kept: bool


@dataclass(frozen=True)
class Finals:
    """The retraining of several configurations.

    Attributes:
        statement: What the search has found beyond the known recipe; None where there is none.
        on_test: The same on the test split; None where its labels were not looked at.
        objective: The name for people of what they were compared by.
        finalists: All of them.
        order: Whether trial scores and retrained ones order them alike, in a sentence.
    """

    statement: str | None
    on_test: str | None
    objective: str
    finalists: list[Finalist]
    order: str


def finals(view: StudyView) -> Finals | None:
    """The finalists of a study; None before the retraining has ended, and where it was of one configuration."""
    metrics = view.metrics or {}
    rows = metrics.get("finalists")
    if not rows:
        return None
    found = [
        Finalist(
            row["trial"],
            row["known_recipe"],
            row["trial_score"],
            row["value_at_first_rung"],
            fmean(row["values"]),
            row["epochs"],
            len(row["values"]),
            row["trial"] == metrics["trial"],
        )
        for row in rows
    ]
    return Finals(
        (metrics.get("improvement") or {}).get("statement"),
        (metrics.get("improvement_test") or {}).get("statement"),
        OBJECTIVES[metrics.get("objective", DEFAULT_OBJECTIVE)].label,
        found,
        _order(metrics.get("rank_correlation") or {}),
    )


def _order(correlation: dict[str, Any]) -> str:
    tau = correlation.get("kendall_tau")
    if tau is None:
        return "Too few configurations were retrained to tell whether trial scores order them as retrained scores do."
    return (
        f"Kendall's rank correlation between the scores of the {correlation['n']} configurations as trials and retrained, after "
        f"{correlation['epochs']} epochs each with one seed, is {tau:+.2f}: 1 is the same order, -1 the opposite one."
    )
