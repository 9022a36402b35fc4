"""How the trials of a search are run: one value, made once and handed on whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ferplus_data.dataset import Dataset
from models.frozen_prefix.activations import Caching
from models.training.settings import Settings
from search.oracles.limits import Limits
from search.workers.checkpoint_store import CheckpointStore


@dataclass(frozen=True)
class TrialSettings:
    """What all trials of a search have in common.

    Attributes:
        dataset: Its validation split scores the trials; its test split is not touched.
        epochs: Most epochs of a trial.
        training: Backbone -> how its recipes are trained.
        limits: What trials are judged by, and what ends the search in the middle of one.
        caching: How trials use the prefix cache; None: not at all.
        timeout: Seconds of training after which a trial ends with its epoch; None: no limit.
        checkpoint_store: Where checkpoints go besides the run directory.
        callbacks: Makes the Keras callbacks of a trial.
    """

    dataset: Dataset
    epochs: int
    training: Callable[[str], Settings]
    limits: Limits
    caching: Caching | None = None
    timeout: float | None = None
    checkpoint_store: CheckpointStore | None = None
    callbacks: Callable[[], list[Any]] = list
