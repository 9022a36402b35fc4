"""Pruners by name: Optuna's, and promotion. Adding one is a function here and a line in PRUNERS.

A pruner sees the objective after each epoch and the epochs a trial may have. An ordinary one says whether to go on; a
`RestingPruner` can also let a trial rest with its checkpoint and promote it later.

Promotion is asynchronous successive halving for trials that can be continued (Li et al. 2020, ASHA): a trial rests at every rung,
and goes on to the next when it is among the best third of all that have reached it. So none has all its epochs only because it
came first, and none is lost because it came too early to be compared.
"""

from __future__ import annotations

import abc
import enum
import math
from collections.abc import Callable, Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

Trials = Sequence[FrozenTrial]


class Decision(enum.Enum):
    """What becomes of a trial after an epoch."""

    CONTINUE = "continue"
    STOP = "stop"
    REST = "rest"


class RestingPruner(BasePruner, abc.ABC):
    """A pruner that lets trials rest at a rung and promotes them."""

    @abc.abstractmethod
    def decide(self, study: optuna.Study, trial: FrozenTrial) -> Decision:
        """Return what becomes of the running `trial`, whose last intermediate value is new. Not asked after the last epoch."""

    @abc.abstractmethod
    def promote(self, study: optuna.Study, trials: Trials, resting: Trials, room: bool) -> int | None:
        """Return the number of the resting trial that goes on, before a new one is begun; None: none does.

        Args:
            study: Theirs, for its direction.
            trials: All of it, as just read.
            resting: The trials at a rung, by their numbers: each rests at its last intermediate value.
            room: Whether a new trial could be begun instead; not so once the budget of trials is used up.
        """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial ends here, as far as Optuna's own loop can tell."""
        return self.decide(study, trial) != Decision.CONTINUE


class PromotionPruner(RestingPruner):
    """Lets trials rest at the rungs `first`, `first` x `factor`, ... below `epochs`, and promotes the best of each.

    Args:
        epochs: Of a full training.
        first: Epoch of the first rung.
        factor: One of so many trials goes on to so many times the epochs: the paper's 3.
    """

    def __init__(self, epochs: int, *, first: int = 1, factor: int = 3) -> None:
        self._factor = factor
        self._rungs = rungs(epochs, first=first, factor=factor)

    def decide(self, study: optuna.Study, trial: FrozenTrial) -> Decision:
        # One that is among the best is asked for at once, before a new one is begun.
        return Decision.REST if trial.last_step in self._rungs else Decision.CONTINUE

    def promote(self, study: optuna.Study, trials: Trials, resting: Trials, room: bool) -> int | None:
        if not resting:
            return None
        sign = _sign(study)
        at = {trial.number: trial.last_step for trial in resting}
        reached = [(trial.last_step or 0, trial) for trial in trials if trial.state != TrialState.FAIL]
        for rung in reversed(self._rungs):
            if rung in at.values():
                there = [trial for last, trial in reached if last >= rung]
                for trial in self._best(there, rung, sign):
                    if at.get(trial.number) == rung:
                        return trial.number
        if room or any(t.state in (TrialState.COMPLETE, TrialState.RUNNING) for t in trials):
            return None
        # Nothing else will come, and something has to be trained in full.
        furthest = max(at.values(), key=lambda step: step or 0)
        last = [trial for trial in resting if at[trial.number] == furthest]
        return max(last, key=lambda trial: _best_until(trial, furthest or 0, sign)).number

    def _best(self, there: Trials, rung: int, sign: int) -> list[FrozenTrial]:
        """The best third of the trials `there`, which have reached `rung`, the best first."""
        ranked = sorted(there, key=lambda trial: -_best_until(trial, rung, sign))
        return ranked[: len(there) // self._factor]


def epochs_per_trial(epochs: int, *, first: int = 1, factor: int = 3) -> float:
    """Return how many of its `epochs` a trial has on average where one of `factor` goes on at each rung.

    Example:
        >>> round(epochs_per_trial(9), 2)  # one, two more of every third trial, six more of every ninth
        2.33
    """
    ends = [*rungs(epochs, first=first, factor=factor), epochs]
    steps = zip([0, *ends], ends, strict=False)
    return sum((end - begin) / factor**rung for rung, (begin, end) in enumerate(steps))


def rungs(epochs: int, *, first: int = 1, factor: int = 3) -> list[int]:
    """Return the epochs below `epochs` after which trials are compared: `first`, `first` x `factor`, ...

    Example:
        >>> rungs(26)
        [1, 3, 9]
    """
    return [first * factor**k for k in range(epochs.bit_length()) if first * factor**k < epochs]


def _sign(study: optuna.Study) -> int:
    return 1 if study.direction == StudyDirection.MAXIMIZE else -1


def _best_until(trial: FrozenTrial, rung: int, sign: int) -> float:
    """The trial's best value up to epoch `rung`, higher is better."""
    best = -math.inf  # a plain loop: thousands of trials are asked for each new one
    for epoch, value in trial.intermediate_values.items():
        if epoch <= rung and sign * value > best:  # never so of NaN
            best = sign * value
    return best


def decide(pruner: BasePruner | None, study: optuna.Study, read: Callable[[], FrozenTrial]) -> Decision:
    """Return what becomes of a running trial by its pruner, None without one; `read` fetches the trial, if there is need to."""
    if pruner is None or isinstance(pruner, optuna.pruners.NopPruner):
        return Decision.CONTINUE
    if isinstance(pruner, RestingPruner):
        return pruner.decide(study, read())
    return Decision.STOP if pruner.prune(study, read()) else Decision.CONTINUE


def _none(epochs: int) -> BasePruner:
    return optuna.pruners.NopPruner()


def _median(epochs: int) -> BasePruner:
    return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)


def _halving(epochs: int) -> BasePruner:
    # Asynchronous successive halving (Li et al. 2020): the best third of the trials goes on to three times the epochs.
    return optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)


def _hyperband(epochs: int) -> BasePruner:
    # Li et al. 2018, reduction factor 3 as in the paper.
    return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=3)


def _promotion(epochs: int) -> BasePruner:
    return PromotionPruner(epochs)


PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "promotion": _promotion,
    "none": _none,
    "median": _median,
    "halving": _halving,
    "hyperband": _hyperband,
}
