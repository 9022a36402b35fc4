"""How far the retraining seeds lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES, Objective
from reports.analysis.results import SPLITS
from search.study.view import StudyView


@dataclass(frozen=True)
class Spread:
    """Values of an objective that the retraining seeds have on one split; `deviation` (n - 1) is None for a single seed."""

    split: str
    objective: Objective
    mean: float
    low: float
    high: float
    deviation: float | None
    seeds: int

    @property
    def words(self) -> str:
        """The spread as a paragraph has it."""
        form = self.objective.format(2)
        if self.deviation is None:
            return f"one seed, {self.mean:{form}}; the spread is not measured"
        return (
            f"mean {self.mean:{form}}, from {self.low:{form}} to {self.high:{form}}, standard deviation "
            f"{self.objective.difference(self.deviation, 2)} over {self.seeds} seeds"
        )


def spreads(view: StudyView) -> list[Spread]:
    """The spreads of the accuracy on the splits that were measured, then those of the study's objective where it is another one
    and metrics.json has it by seed."""
    rows = (view.metrics or {}).get("seeds") or []
    found = []
    for name in dict.fromkeys([DEFAULT_OBJECTIVE, view.objective_name]):
        for split, named in SPLITS.items():
            values = [value for row in rows if (value := _value(row, split, name)) is not None]
            if values:
                deviation = stdev(values) if len(values) > 1 else None
                known = (fmean(values), min(values), max(values), deviation, len(values))
                found.append(Spread(named, OBJECTIVES[name], *known))
    return found


def _value(seed: Mapping[str, Any], split: str, name: str) -> float | None:
    if name == DEFAULT_OBJECTIVE:
        value: float | None = seed.get(f"{split}_accuracy")
    else:
        value = ((seed.get("objectives") or {}).get(split) or {}).get(name)
    return value
