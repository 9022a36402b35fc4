"""Learning-rate policies: pure functions of where training stands, and their table.

Each is called as `policy(initial_lr, epoch=, epochs=, val_losses=, **its own parameters)` and returns the
learning rate for that moment:
    initial_lr  the learning rate hyperparameter, > 0; the highest rate any policy reaches
    epoch       how many epochs have been trained, fractional inside one (2.5: halfway through the third)
    epochs      how many the whole training has, >= 1
    val_losses  validation loss of each finished epoch, oldest first
Nothing else is remembered, so training resumed from a checkpoint follows the same rates. Its own parameters are hyperparameters,
which a policy declares with range and meaning where it takes them. Times among them are fractions of the training, so that a
short trial has the schedule of the long training in small; only the patience of `plateau` is in epochs, since it waits for one
noisy validation loss after another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated

from models.hyperparameters import Range

# keras.callbacks.ReduceLROnPlateau's default: a smaller fall of the loss is no improvement.
PLATEAU_MIN_DELTA = 1e-4

# Where a linear rise starts, as a fraction of initial_lr: a tenth, as in the one-cycle runs of Smith 2018 ("A
# disciplined approach to neural network hyper-parameters"). Above 0, so that no batch is wasted.
RISE_START = 0.1

# Keeps a step's end, such as 30 * 0.1 epochs, in its epoch. Far above the error of a division, far below a training step.
_ROUNDING = 1e-9

# Where one_cycle ends: "several orders of magnitude" below the initial rate (Smith & Topin 2018).
ONE_CYCLE_END = 0.001


def plateau(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    plateau_factor: Annotated[float, Range(1e-6, 1, "what the rate is multiplied with on a plateau")] = 0.5,
    plateau_patience: Annotated[
        int, Range(0, 1e6, "epochs without a lower validation loss before the rate falls")
    ] = 3,
) -> float:
    """Multiply by `plateau_factor` after `plateau_patience` epochs without a lower validation loss.

    Its defaults are the baseline's (train.py). The rule is that of keras.callbacks.ReduceLROnPlateau with its default
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
    step_factor: Annotated[float, Range(1e-6, 1, "what the rate is multiplied with after a step")] = 0.1,
    step_fraction: Annotated[
        float, Range(1e-3, 1, "how long a step is, as a fraction of the training")
    ] = 0.2,
) -> float:
    """Multiply by `step_factor` after every `step_fraction` of the training, one epoch early.

    The baseline's (Step_Decay in its train.py) is factor ** floor((1 + epoch) / 10), epochs counted from 0, in trainings of 50,
    so that its tenth epoch has the second rate already. Steps shorter than two epochs end half a step early, and the training
    still begins with the initial rate.
    """
    length = step_fraction * epochs
    steps = math.floor((epoch + min(1.0, length / 2)) / length + _ROUNDING)
    return initial_lr * step_factor**steps


def cosine(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    warmup_fraction: Annotated[
        float, Range(0, 0.5, "how long the rise is, as a fraction of the training")
    ] = 0.02,
) -> float:
    """A linear rise over `warmup_fraction` of the training, then half a cosine down to 0 at the end.

    Loshchilov & Hutter 2017 (SGDR, without restarts); warm-up as in Goyal et al. 2017, from a tenth of the rate.
    """
    warmup = warmup_fraction * epochs
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
    decay_to: Annotated[
        float, Range(1e-9, 1, "the rate at the end, as a fraction of the initial one")
    ] = 0.05,
) -> float:
    """A smooth exponential fall to `decay_to` of the rate at the end."""
    return initial_lr * decay_to ** (epoch / epochs)


def one_cycle(
    initial_lr: float,
    *,
    epoch: float,
    epochs: int,
    val_losses: Sequence[float],
    peak_fraction: Annotated[
        float, Range(0, 1, "where the rate is highest, as a fraction of the training")
    ] = 0.3,
) -> float:
    """A linear rise from a tenth of the rate over `peak_fraction` of training, then a fall to a thousandth.

    Smith & Topin 2018 ("Super-convergence"), in two phases instead of three: the fall and the final
    annihilation are one line, as in PyTorch's OneCycleLR, whose default peak this is.
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


def _between(start: float, end: float, progress: float) -> float:
    return start + (end - start) * progress
