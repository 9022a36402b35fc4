"""Learning-rate policies: pure functions of where training stands, and their table.

Each is called as `policy(initial_lr, epoch=, epochs=, val_losses=, **its own parameters)` and returns the
learning rate for that moment:
    initial_lr  the learning rate hyperparameter, > 0; the highest rate any policy reaches
    epoch       how many epochs have been trained, fractional inside one (2.5: halfway through the third)
    epochs      how many the whole training has, >= 1
    val_losses  validation loss of each finished epoch, oldest first
Nothing else is remembered, so training resumed from a checkpoint follows the same rates.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

from ferplus_data.errors import InputError

# keras.callbacks.ReduceLROnPlateau's default: a smaller fall of the loss is no improvement.
PLATEAU_MIN_DELTA = 1e-4

# Where a linear rise starts, as a fraction of initial_lr: a tenth, as in the one-cycle runs of Smith 2018 ("A
# disciplined approach to neural network hyper-parameters"). Above 0, so that no batch is wasted.
RISE_START = 0.1

# Where one_cycle ends: "several orders of magnitude" below the initial rate (Smith & Topin 2018).
ONE_CYCLE_END = 0.001


def plateau(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    plateau_factor: float = 0.5,
    plateau_patience: int = 3,
) -> float:
    """Multiply by `plateau_factor` after `plateau_patience` epochs without a lower validation loss.

    Its defaults are the seed's. The rule is that of keras.callbacks.ReduceLROnPlateau with its default
    min_delta and cooldown, replayed from the first epoch.
    """
    rate, best, waited = initial_lr, None, 0
    for loss in val_losses:
        if best is None or loss + PLATEAU_MIN_DELTA < best:
            best, waited = loss, 0
        else:
            waited += 1
            if waited >= plateau_patience:
                rate, waited = rate * plateau_factor, 0
    return rate


def step(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    step_factor: float = 0.1,
    step_epochs: int = 10,
) -> float:
    """Multiply by `step_factor` (0.1: the seed) every `step_epochs` epochs."""
    return initial_lr * step_factor ** (math.floor(epoch) // step_epochs)


def cosine(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    warmup_epochs: float = 1.0,
) -> float:
    """A linear rise over `warmup_epochs`, then half a cosine down to 0 at the end.

    Loshchilov & Hutter 2017 (SGDR, without restarts); warm-up as in Goyal et al. 2017, from a tenth of
    the rate, and at most half of the training long, so that a short trial still comes down.
    """
    warmup = min(warmup_epochs, epochs / 2)
    if epoch < warmup:
        return _between(RISE_START * initial_lr, initial_lr, epoch / warmup)
    progress = min((epoch - warmup) / (epochs - warmup), 1.0)
    return initial_lr * 0.5 * (1 + math.cos(math.pi * progress))


def exponential(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    decay_rate: float = 0.95,
) -> float:
    """Multiply by `decay_rate` per epoch, smoothly within one."""
    return initial_lr * decay_rate**epoch


def one_cycle(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    peak_fraction: float = 0.3,
) -> float:
    """A linear rise from a tenth of the rate over `peak_fraction` of training, then a fall to a thousandth.

    Smith & Topin 2018 ("Super-convergence"), in two phases instead of three: the fall and the final
    annihilation are one line, as in PyTorch's OneCycleLR, whose default peak this is. `peak_fraction` lies in
    [0, 1].
    """
    progress = min(epoch / epochs, 1.0)
    if progress < peak_fraction:
        return _between(RISE_START * initial_lr, initial_lr, progress / peak_fraction)
    if peak_fraction >= 1:
        return initial_lr
    return _between(initial_lr, ONE_CYCLE_END * initial_lr, (progress - peak_fraction) / (1 - peak_fraction))


def constant(initial_lr: float, *, epoch: float, epochs: int, val_losses: Sequence[float]) -> float:
    """The initial rate throughout."""
    return initial_lr


LR_POLICIES: dict[str, Callable[..., float]] = {
    "plateau": plateau,
    "step": step,
    "cosine": cosine,
    "exponential": exponential,
    "one_cycle": one_cycle,
    "constant": constant,
}


def policy_parameters(name: str) -> dict[str, Any]:
    """The parameters that only this policy takes, with their defaults; no two policies share a name.

    Raises:
        InputError: for a name that is not in `LR_POLICIES`.
    """
    if name not in LR_POLICIES:
        raise InputError(
            f"LR policy: expected one of {', '.join(LR_POLICIES)}, found {name!r}; choose one of these"
        )
    parameters = inspect.signature(LR_POLICIES[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty}


def _between(start: float, end: float, progress: float) -> float:
    return start + (end - start) * progress
