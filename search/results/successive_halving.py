"""Retraining several configurations by successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Split
from models.metrics.objectives import OBJECTIVES
from models.training.history import Epoch
from search.results.finalists import Contenders, improvement_on, rank_correlation
from search.study.view import TrialRecord
from search.workers.time_budget import halving_epochs

MODEL = "model.keras"


@dataclass(frozen=True)
class Retrained:
    """A configuration as far as it was trained again with one seed.

    Attributes:
        directory: Where its training is.
        history: Its epochs.
        best: The one that is best by the objective.
    """

    directory: Path
    history: list[Epoch]
    best: Epoch

    @property
    def model(self) -> Path:
        """Where its model is, if it was trained to the end."""
        return self.directory / MODEL


class SuccessiveHalving:
    """The retraining of `contenders`. After a part of the epochs the better half of the finalists goes on, with the first seed;
    the last of them and the known recipe get all epochs with every seed. Everything is judged on the validation split.

    Whatever it has decided follows from the histories of the trainings, so one that was interrupted decides the same again.

    Args:
        contenders: What is retrained.
        train: (trial, seed, last epoch or None for all) -> the training, begun or continued.
        seeds: Of the trainings.
        epochs: Of a whole one.
        objective: Name in `models.metrics.objectives.OBJECTIVES`.
    """

    def __init__(
        self,
        contenders: Contenders,
        train: Callable[[TrialRecord, int, int | None], Retrained],
        *,
        seeds: Sequence[int],
        epochs: int,
        objective: str,
    ) -> None:
        self._contenders, self._train = contenders, train
        self._seeds, self._epochs, self._objective = list(seeds), epochs, objective
        self._sign = 1 if OBJECTIVES[objective].direction == "max" else -1
        self._rungs = halving_epochs(epochs, len(contenders.finalists))
        self._found: dict[tuple[int, int], Retrained] = {}
        self._last = contenders.finalists[0]

    def run(self) -> TrialRecord:
        """Train, and return the trial whose configuration is the best by the mean over the seeds, the known recipe among them."""
        left, seed = list(self._contenders.finalists), self._seeds[0]
        for until in [*self._rungs, None]:
            for trial in left:
                self._go_on(trial, seed, until)
            left.sort(key=lambda trial: -self._merit(trial, seed, until))
            left = left[: math.ceil(len(left) / 2)] if until else left[:1]
        self._last = left[0]
        whole = [self._last]
        if self._contenders.known_recipe is not None:
            whole.append(self._contenders.known_recipe)
        for trial in whole:
            for seed in self._seeds:
                if trial is not self._last or seed != self._seeds[0]:
                    self._go_on(trial, seed, None)
        return max(whole, key=lambda trial: fmean(self._merit(trial, seed, None) for seed in self._seeds))

    def trainings(self, trial: TrialRecord) -> dict[int, Retrained]:
        """Return the trainings of `trial` by seed."""
        return {seed: self._found[trial.number, seed] for seed in self._seeds}

    def best_seed(self, trial: TrialRecord) -> int:
        """Return the seed of the best training of `trial`, the first of equals."""
        return max(self._seeds, key=lambda seed: self._merit(trial, seed, None))

    @property
    def compared(self) -> tuple[TrialRecord, TrialRecord] | None:
        """What the search has found and the known recipe, if both were retrained."""
        known = self._contenders.known_recipe
        return None if known is None else (self._last, known)

    def told(self, split: Split) -> dict[str, Any]:
        """Return metrics.json's "finalists", "rank_correlation" and, where there is a known recipe, "improvement", measured on
        the validation `split`; nothing where a single configuration was retrained."""
        if len(self._contenders.all) == 1:
            return {}
        first = min([*self._rungs, self._epochs])
        seed = self._seeds[0]
        retrained = [self._merit(trial, seed, first) for trial in self._contenders.all]
        found: dict[str, Any] = {
            "finalists": [self._row(trial, first) for trial in self._contenders.all],
            "rank_correlation": {
                "kendall_tau": rank_correlation([t.merit for t in self._contenders.all], retrained),
                "n": len(retrained),
                "epochs": first,
            },
        }
        if self.compared is not None:
            said = {
                trial.number: [_said(training) for training in self.trainings(trial).values()]
                for trial in self.compared
            }
            found["improvement"] = improvement_on(*self.compared, said, split, self._objective)
        return found

    def _row(self, trial: TrialRecord, first: int) -> dict[str, Any]:
        """A contender in plain values."""
        whole = [
            self._found[trial.number, seed] for seed in self._seeds if (trial.number, seed) in self._found
        ]
        return {
            "trial": trial.number,
            "known_recipe": trial is self._contenders.known_recipe,
            "trial_score": trial.score,
            "hyperparameters": trial.hyperparameters,
            "epochs": len(whole[0].history),
            "value_at_first_rung": self._sign * self._merit(trial, self._seeds[0], first),
            "values": [training.best.metrics[self._objective] for training in whole],
        }

    def _go_on(self, trial: TrialRecord, seed: int, until: int | None) -> None:
        self._found[trial.number, seed] = self._train(trial, seed, until)

    def _merit(self, trial: TrialRecord, seed: int, until: int | None) -> float:
        """The best value up to epoch `until`, higher is better."""
        history = self._found[trial.number, seed].history
        return max(self._sign * epoch.metrics[self._objective] for epoch in history[:until])


def _said(training: Retrained) -> NDArray[np.float32]:
    """What the training's best epoch said of the validation split, float32 [N, 8]."""
    with np.load(training.directory / "validation.npz", allow_pickle=False) as arrays:
        return np.asarray(arrays["probabilities"], np.float32)
