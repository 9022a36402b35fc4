"""Hyperparameters that a space declares once per condition, read as one: learning_rate@sgd and learning_rate@adamw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reports.hyperparameters.declared import ObservedHyperparameter, hyperparameters, shown
from search.study.view import TrialRecord


def family(name: str) -> str:
    """The hyperparameter's name without the @mark of its condition."""
    return name.partition("@")[0]


def member(hyperparameters: Mapping[str, Any], name: str) -> tuple[str, Any] | None:
    """(mark, value) of the one hyperparameter of the family `name` that a trial has, the mark empty where there is none;
    None if the trial has none of them."""
    for own, value in hyperparameters.items():
        if family(own) == name:
            return own.partition("@")[2], value
    return None


def joined(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials with their hyperparameters under the families' names; of two of one family the trial's first counts."""
    together = []
    for trial in trials:
        values: dict[str, Any] = {}
        for name, value in trial.hyperparameters.items():
            values.setdefault(family(name), value)
        together.append(replace(trial, hyperparameters=values))
    return together


def families(trials: Sequence[TrialRecord], space: Any = None) -> list[ObservedHyperparameter]:
    """The hyperparameters of `trials` with those of one family as one, over the union of their values and ranges and under no
    condition of their own."""
    members: dict[str, list[ObservedHyperparameter]] = {}
    for one in hyperparameters(trials, space):
        members.setdefault(family(one.name), []).append(one)
    return [_merged(name, own, trials) for name, own in members.items()]


def _merged(
    name: str, own: Sequence[ObservedHyperparameter], trials: Sequence[TrialRecord]
) -> ObservedHyperparameter:
    if len(own) == 1:
        return replace(own[0], name=name)
    absent = any(member(trial.hyperparameters, name) is None for trial in trials)
    if any(one.kind == "categorical" for one in own):
        texts = dict.fromkeys(shown(choice) for one in own for choice in one.choices)
        return ObservedHyperparameter(name, "categorical", False, tuple(texts), False, absent=absent)
    choices = tuple(sorted({choice for one in own for choice in one.choices}))
    low, high = min(one.low for one in own), max(one.high for one in own)
    return ObservedHyperparameter(
        name,
        "real" if any(one.kind == "real" for one in own) else "integer",
        any(one.log for one in own) and low > 0,
        choices,
        all(one.discrete for one in own),
        low,
        high,
        absent=absent,
    )
