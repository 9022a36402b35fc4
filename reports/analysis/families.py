"""Hyperparameters that a space declares once per condition, read as one: learning_rate@sgd and learning_rate@adamw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
    """The trials with their hyperparameters under the family's names, as far as no trial has two of one family."""
    clashing = {
        family(name)
        for trial in trials
        for name in trial.hyperparameters
        if sum(family(other) == family(name) for other in trial.hyperparameters) > 1
    }
    return [
        replace(
            trial,
            hyperparameters={
                name if family(name) in clashing else family(name): value
                for name, value in trial.hyperparameters.items()
            },
        )
        for trial in trials
    ]
