"""Optuna pruners by name. Adding one is a function here and a line in PRUNERS.

A pruner sees the objective after each epoch and the epochs a trial may have. An ordinary one says whether to go on; a
`RestingPruner` can also let a trial rest with its checkpoint and promote it later.
"""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable, Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial


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
    def promote(self, study: optuna.Study, resting: Sequence[FrozenTrial], room: bool) -> int | None:
        """Return the number of the resting trial that goes on, before a new one is begun; None: none does.

        Args:
            study: All that is known.
            resting: The trials at a rung, by their numbers: each rests at its last intermediate value.
            room: Whether a new trial could be begun instead; not so once the budget of trials is used up.
        """

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial ends here, as far as Optuna's own loop can tell."""
        return self.decide(study, trial) != Decision.CONTINUE


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


PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "none": _none,
    "median": _median,
    "halving": _halving,
    "hyperband": _hyperband,
}
