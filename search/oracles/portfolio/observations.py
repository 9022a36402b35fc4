"""What the trials of a study have shown, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from search.oracles.portfolio.gaussian_process import apart
from search.oracles.portfolio.unit_cube import UnitCube
from search.storages.evidence import is_evidence


@dataclass(frozen=True)
class Observation:
    """A trial as the models see it.

    Args:
        number: Of the trial.
        row: Its configuration, (d,).
        epochs: At which it has reported, ascending, (m,).
        best: The best value up to each of them, higher is better, -inf while there was none, (m,).
        running: Whether it is under way.
        source: What suggested it; None where that is not known.
        evidence: Whether it is a result from elsewhere, and no trial of the study.
    """

    number: int
    row: np.ndarray
    epochs: np.ndarray
    best: np.ndarray
    running: bool
    source: str | None
    evidence: bool = False

    @property
    def last(self) -> int:
        """The last epoch it has reported, 0 if none."""
        return int(self.epochs[-1]) if len(self.epochs) else 0

    def at(self, epoch: int) -> float:
        """The best value up to `epoch`; -inf if there is none."""
        index = int(np.searchsorted(self.epochs, epoch, side="right")) - 1
        return float(self.best[index]) if index >= 0 else -math.inf


def observe(
    trials: Sequence[FrozenTrial], cube: UnitCube, *, maximize: bool, sources: dict[int, str]
) -> list[Observation]:
    """Return what `trials` have shown, in the order of their numbers, without failed ones.

    Args:
        trials: As a sampler sees them.
        cube: Of their space.
        maximize: Whether a higher value is better.
        sources: Number of a trial -> what suggested it, where the trial itself does not say.
    """
    found = []
    used = [trial for trial in trials if trial.state != TrialState.FAIL and trial.params]
    used.sort(key=lambda trial: trial.number)
    for trial, row in zip(used, cube.rows([trial.params for trial in used]), strict=True):
        epochs, values = _curve(trial)
        values = np.where(np.isnan(values), -np.inf, values if maximize else -values)
        found.append(
            Observation(
                trial.number,
                row,
                epochs,
                np.maximum.accumulate(values) if len(values) else values,
                not trial.state.is_finished(),
                trial.user_attrs.get("source", sources.get(trial.number)),
                is_evidence(trial),
            )
        )
    return _aligned(found, cube)


def _aligned(observations: list[Observation], cube: UnitCube) -> list[Observation]:
    """Return `observations` with the values of those from elsewhere, where budget or data may be others, moved by the middle
    difference between each trial and the nearest of them."""
    elsewhere = [one for one in observations if one.evidence and one.last]
    own = [one for one in observations if not one.evidence and one.last]
    if not elsewhere or not own:
        return observations
    squares = apart(
        np.array([one.row for one in own]), np.array([one.row for one in elsewhere]), cube.categories
    )
    nearest = [elsewhere[index] for index in squares.sum(0).argmin(1)]
    differences = np.array(
        [
            one.at(epoch) - other.at(epoch)
            for one, other in zip(own, nearest, strict=True)
            for epoch in [min(one.last, other.last)]
            if np.isfinite(one.at(epoch)) and np.isfinite(other.at(epoch))
        ]
    )
    if not len(differences):
        return observations
    shift = float(np.median(differences))
    return [replace(one, best=one.best + shift) if one.evidence else one for one in observations]


def _curve(trial: FrozenTrial) -> tuple[np.ndarray, np.ndarray]:
    """Epochs and values; of a trial that has reported none, its final value as that of the first epoch."""
    if trial.intermediate_values:
        epochs, values = zip(*sorted(trial.intermediate_values.items()), strict=True)
        return np.array(epochs), np.array(values, float)
    if trial.state == TrialState.COMPLETE and trial.values:
        return np.array([1]), np.array(trial.values[:1], float)
    return np.array([], int), np.array([])
