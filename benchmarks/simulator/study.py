"""One study on a virtual clock: the oracle is real, the trainings are recorded curves."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
from keras_tuner.engine.trial import TrialStatus

from benchmarks.simulator.tasks import full_scores
from benchmarks.simulator.tellings import Told
from search.oracles.optuna_oracle import OBJECTIVE

_DIVERGED = 0.0
"""What a trial of ours reports when its loss is not a number: no face is classified."""


class Training:
    """A trial in a worker's hands: `done` of its `epochs` are over."""

    def __init__(self, oracle: Any, trial: Any, told: Told) -> None:
        values = trial.hyperparameters.values
        self.oracle, self.trial = oracle, trial
        self.curve = told.curve({k: v for k, v in values.items() if not k.startswith("tuner/")})
        self.full = float(full_scores(self.curve[None])[0])
        # Keras Tuner's Hyperband says how many epochs it wants.
        self.epochs = min(values.get("tuner/epochs", told.task.epochs), told.task.epochs)
        # A trial that rested goes on after its last epoch, and one of Hyperband's after those of the shorter one it comes from.
        self.done = max(_known_epochs(oracle, trial.trial_id), values.get("tuner/initial_epoch", 0))

    def epoch(self) -> float:
        """Train one more epoch; return its score."""
        value = float(self.curve[self.done])
        self.done += 1
        return value if np.isfinite(value) else _DIVERGED

    def report(self, value: float) -> bool:
        """Tell the oracle the last epoch's score; return whether the trial is over, having ended it then."""
        told = self.oracle.update_trial(self.trial.trial_id, {OBJECTIVE: value}, step=self.done)
        if told.status != TrialStatus.STOPPED and self.done < self.epochs:
            return False
        self.trial.status = TrialStatus.COMPLETED
        self.oracle.end_trial(self.trial)
        return True


def _known_epochs(oracle: Any, trial_id: str) -> int:
    return oracle.epochs(trial_id) if hasattr(oracle, "epochs") else 0


def run_study(oracle: Any, told: Told, *, workers: int, budget: float) -> np.ndarray:
    """Run trials until `budget` full trainings are spent or the oracle has no more.

    Args:
        oracle: As `search.oracles.registry.make_oracle` gives it.
        told: What is searched.
        workers: How many train at the same time. An epoch takes each of them one unit of the clock; those who are ready at the
            same time report in the order of their numbers.
        budget: In full trainings: all epochs of all workers over those of one full training.

    Returns:
        After each epoch that was spent the full training's score of what would be retrained, the trial with the best epoch so
        far; (epochs,), fewer than the budget if the oracle stopped before.
    """
    most = int(np.ceil(budget * told.task.epochs))
    retrained: list[float] = []
    best_epoch = -np.inf
    training: dict[int, Training] = {}
    ready = [(0, worker) for worker in range(workers)]  # when each is done with what it does
    while ready and len(retrained) < most:
        now, worker = heapq.heappop(ready)
        if worker in training:
            value = training[worker].epoch()
            best_so_far = retrained[-1] if retrained else 0.0
            retrained.append(training[worker].full if value > best_epoch else best_so_far)
            best_epoch = max(best_epoch, value)
            if training[worker].report(value):
                del training[worker]
        if worker not in training:
            trial = oracle.create_trial(f"worker{worker}")
            if trial.status == TrialStatus.STOPPED or (trial.status == TrialStatus.IDLE and not training):
                continue
            if trial.status == TrialStatus.RUNNING:
                training[worker] = Training(oracle, trial, told)
        heapq.heappush(ready, (now + 1, worker))
    return np.array(retrained)
