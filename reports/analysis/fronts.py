"""What configurations trade off: accuracy against macro-F1 and against the size of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from models.training.history import Epoch, readable_history
from reports.analysis.trials import judged
from search.study.view import StudyView, TrialRecord


@dataclass(frozen=True)
class Point:
    """A trial at its best epoch by the study's objective.

    Attributes:
        accuracy, macro_f1: On the validation split, 0 to 1; macro_f1 is None where it was not recorded.
        parameters: Of its network; None where that was not recorded.
    """

    trial: TrialRecord
    accuracy: float
    macro_f1: float | None
    parameters: int | None


def points(view: StudyView) -> list[Point]:
    """The complete and the stopped trials whose history.csv is there, by number."""
    found = []
    for trial in judged(view.trials):
        history = readable_history(trial.directory / "history.csv")
        if history:
            best = _best(history, view.objective_name)
            found.append(
                Point(trial, best.val_accuracy, best.metrics.get("macro_f1"), trial.network.get("parameters"))
            )
    return found


def front(all_points: Sequence[Point], cost: Callable[[Point], float]) -> list[Point]:
    """The points that no other surpasses: none of less `cost`, or the same, is more accurate. By cost, ascending."""
    found: list[Point] = []
    for point in sorted(all_points, key=lambda one: (cost(one), -one.accuracy)):
        if not found or point.accuracy > found[-1].accuracy:
            found.append(point)
    return found


def _best(history: Sequence[Epoch], objective: str) -> Epoch:
    known = [epoch for epoch in history if objective in epoch.metrics] or list(history)
    name = objective if objective in known[0].metrics else DEFAULT_OBJECTIVE
    choose = max if OBJECTIVES[name].direction == "max" else min
    return choose(known, key=lambda epoch: epoch.metrics[name])
