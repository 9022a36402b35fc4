"""How a trial ends, in Keras Tuner's words and in the study's."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from search.oracles.pruners import Decision
from search.storages.trial_life import State
from search.storages.trial_store import Claim

STATUS = {
    State.COMPLETE: TrialStatus.COMPLETED,
    State.PRUNED: TrialStatus.STOPPED,
    State.RESTING: TrialStatus.STOPPED,
    State.FAILED: TrialStatus.FAILED,
    State.RELEASED: TrialStatus.INVALID,
}
"""Keras Tuner's word for the state of a trial that does not run. To it a trial that was stopped early is not one that is done."""

FINAL = (TrialStatus.COMPLETED, TrialStatus.FAILED)
"""Keras Tuner's words for a trial that nobody goes on with."""


@dataclass
class Running:
    """A trial that this process runs.

    Args:
        claim: That it is this process's.
        values: Epoch -> objective.
        decision: What becomes of it.
        lost: Whether it is in other hands.
    """

    claim: Claim
    values: dict[int, float] = field(default_factory=dict)
    decision: Decision = Decision.CONTINUE
    lost: bool = False


def outcome(
    trial: Trial, running: Running, failures: Callable[[], int], most_failures: int
) -> tuple[State, float | None, dict[str, Any]]:
    """Return the state that a trial comes to, with its value and attributes.

    Args:
        trial: Scored, with the status and message that its tuner gave it.
        running: What is known of it.
        failures: Returns how often it has failed before; called only where it fails.
        most_failures: How often it may fail and be tried again.
    """
    message = trial.message or "the trial ended without an epoch"
    invalid = trial.status == TrialStatus.INVALID
    if trial.status == TrialStatus.COMPLETED and running.values:
        if running.decision == Decision.REST:
            return State.RESTING, None, {}
        if running.decision == Decision.STOP:
            # Optuna takes the last reported value for a pruned trial.
            last = running.values[max(running.values)]
            return State.PRUNED, None if math.isnan(last) else last, {}
        if not math.isnan(trial.score):
            return State.COMPLETE, float(trial.score), {}
        invalid, message = True, "the objective is not a number"
    if invalid and most_failures > 0:
        before = failures()
        if before < most_failures:
            return State.RELEASED, None, {"failures": before + 1}
    return State.FAILED, None, {"error": reason_of(message)}


def measure(trial: Trial, objective: keras_tuner.Objective, metrics: Mapping[str, float], step: int) -> None:
    """Put the metrics of an epoch to Keras Tuner's trial."""
    for name, value in metrics.items():
        if name == objective.name and not trial.metrics.exists(name):
            trial.metrics.register(name, direction=objective.direction)
        trial.metrics.update(name, value, step=step)


def retell(trial: Trial, objective: keras_tuner.Objective, values: Mapping[int, float]) -> None:
    """Put to Keras Tuner's trial what the study knows of it: epoch -> objective."""
    for epoch, value in sorted(values.items()):
        measure(trial, objective, {objective.name: value}, epoch)


def number_in(trial_id: str) -> int:
    """The number, to the user, in Keras Tuner's id of a trial."""
    return int(trial_id.partition(".")[0])


def reason_of(traceback_text: str) -> str:
    """The last line of a traceback: the error itself."""
    lines = [
        line for line in traceback_text.strip().splitlines() if line.strip() and not line.startswith(" ")
    ]
    return (lines[-1] if lines else traceback_text.strip())[:500]
