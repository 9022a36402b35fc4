"""What varied in a study, read from its trials: the kind, range and choices of each hyperparameter.

The storage knows the sampler's internal names and encodings; trials carry the names and values the user
wrote, so the kinds are inferred from those values. A conditional hyperparameter is absent from some trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median
from typing import Any

from search.study.view import TrialRecord

LOG_RATIO = 10.0
"""Positive reals are put on a log scale only if they span more than this ratio (one decade; our choice)."""
DISCRETE = 8
"""A number with no more distinct values than this is treated as ordered choices, evenly spaced."""
LOG_NAMES = ("learning_rate", "lr")
"""Ends of names of hyperparameters that every space searches on a log scale."""


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter over a set of trials.

    Attributes:
        name: the user's name for it.
        kind: "real", "integer" or "categorical".
        log: whether a log scale suits it; only ever True for positive reals.
        choices: distinct values, sorted when numeric, in order of appearance when categorical.
        conditional: whether some of the trials do not have it.
    """

    name: str
    kind: str
    log: bool
    choices: tuple[Any, ...]
    conditional: bool

    @property
    def discrete(self) -> bool:
        """Whether it is a number with few enough values to stand evenly spaced: 0, 1e-4, 1e-3."""
        return self.kind != "categorical" and len(self.choices) <= DISCRETE


def shown(value: Any) -> str:
    """A hyperparameter's value as text: reals to 4 significant digits, None as "none"."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def _kind(values: Sequence[Any]) -> str:
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
        return "categorical"
    return "real" if any(isinstance(value, float) for value in values) else "integer"


def hyperparameters(trials: Sequence[TrialRecord]) -> list[Hyperparameter]:
    """Every hyperparameter that occurs in `trials`, in order of first appearance."""
    found: dict[str, list[Any]] = {}
    for trial in trials:
        for name, value in trial.hyperparameters.items():
            found.setdefault(name, []).append(value)
    return [_describe(name, values, len(trials)) for name, values in found.items()]


def varied(trials: Sequence[TrialRecord]) -> list[Hyperparameter]:
    """Those of `hyperparameters(trials)` that took more than one value."""
    return [parameter for parameter in hyperparameters(trials) if len(parameter.choices) > 1]


def _describe(name: str, values: Sequence[Any], trials: int) -> Hyperparameter:
    kind = _kind(values)
    if kind == "categorical":
        choices: tuple[Any, ...] = tuple(dict.fromkeys(shown(value) for value in values))
    else:
        choices = tuple(sorted(set(values)))
    on_log = (
        kind == "real" and choices[0] > 0 and (name.split("@")[0].endswith(LOG_NAMES) or _looks_log(values))
    )
    return Hyperparameter(name, kind, on_log, choices, conditional=len(values) < trials)


def _looks_log(values: Sequence[float]) -> bool:
    """Whether the median of positive values is nearer the middle of their range once logs are taken."""
    low, middle, high = min(values), median(values), max(values)
    if high / low <= LOG_RATIO:
        return False
    return abs(log(middle / low) / log(high / low) - 0.5) < abs((middle - low) / (high - low) - 0.5)
