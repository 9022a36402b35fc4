"""How scores are named, written and drawn: as the study's objective is, whatever it is."""

from __future__ import annotations

from typing import Any

from models.metrics.objectives import Objective
from reports.figures.ticks import ACCURACY_AXIS


def score_name(objective: Objective) -> str:
    """What a score is, for axes and headings: "validation macro-F1"; of a loss also that the lowest is the best."""
    return f"validation {objective.label}" + ("" if objective.direction == "max" else ", lower is better")


def score_axis(objective: Objective) -> dict[str, Any]:
    """Settings of an axis of scores, its title among them."""
    shown = ACCURACY_AXIS if objective.unit == "share" else {"autorangeoptions": {"clipmin": 0}}
    return {"title": {"text": score_name(objective).replace(", ", "<br>")}, **shown}
