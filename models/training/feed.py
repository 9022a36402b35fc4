"""What a training is fed with: faces for the whole network, or cached activations for what follows its frozen prefix."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ferplus_data.batches import Batches
from ferplus_data.dataset import Dataset, Split
from models.frozen_prefix.activations import ActivationBatches, Caching, PrefixActivations
from models.frozen_prefix.cache import CacheError
from models.networks.compiled import Network
from models.optimization.class_weights import CLASS_WEIGHTS
from models.recipe import Recipe
from models.training.settings import Settings

VALIDATION_BATCH = 256


@dataclass(frozen=True)
class Feed:
    """What is trained and on what.

    Attributes:
        model: To call `fit` of.
        scorer: Its inference.
        training, validation: Its batches.
        prepare: To be called before each epoch (from 0).
        cached: Whether the batches are activations.
        why: Why, or why not.
        prefix_seconds: Returns what an epoch would spend on the prefix otherwise.
    """

    model: keras.Model
    scorer: keras.Model
    training: Batches
    validation: Batches
    prepare: Callable[[int], None]
    cached: bool
    why: str
    prefix_seconds: Callable[[], float] = lambda: 0.0


def feed(
    recipe: Recipe,
    dataset: Dataset,
    settings: Settings,
    network: Network,
    caching: Caching | None,
    epochs: range,
    say: Callable[[str], None],
    on_chunk: Callable[[int, int], None],
) -> Feed:
    """Return the suffix on cached activations if there is a prefix and it pays, else the whole network on faces.

    Args:
        recipe, dataset, settings, caching: As for `models.training.loop.train`.
        network: The recipe's.
        epochs: Those to come, from 0.
        say: Takes a line for the user.
        on_chunk: Told (done, of) images while activations are computed.
    """
    split = settings.train_split or dataset.train
    options = _training_options(recipe, split, dataset.train.class_counts, settings.seed, epochs.start)
    val_options: dict[str, Any] = {
        "batch_size": VALIDATION_BATCH,
        "targets": dataset.val.targets("majority"),
        "shuffle": False,
    }
    why = "not asked for" if caching is None else "nothing is frozen up to a block boundary"
    if caching is not None and network.prefix is not None:
        source = PrefixActivations(
            network, recipe, settings.seed, caching, dataset.fingerprint, say, on_chunk
        )
        prepare = functools.partial(source.prepare, split)
        pays, why = source.pays(split, dataset.val, len(epochs))
        say(why)
        if pays:
            try:
                validation = source.validation(dataset.val)
                prepare(epochs.start)
                return Feed(
                    network.suffix,
                    network.suffix_scorer,
                    ActivationBatches(split, source.view_of, **options),
                    ActivationBatches(dataset.val, lambda epoch: validation, **val_options),
                    prepare,
                    cached=True,
                    why=why,
                    prefix_seconds=lambda: source.prefix_seconds,
                )
            except CacheError as error:
                why = f"{error}; this trial runs the whole network in every step"
                say(why)
    return Feed(
        network.model,
        network.scorer,
        Batches(split, **options),
        Batches(dataset.val, **val_options),
        lambda epoch: None,
        cached=False,
        why=why,
    )


def _training_options(
    recipe: Recipe, split: Split, class_counts: NDArray[np.int64], seed: int, epoch: int
) -> dict[str, Any]:
    targets = split.targets(recipe.target)
    class_weights = CLASS_WEIGHTS[recipe.class_weights](class_counts, **recipe.weighting_parameters)
    smoothing = recipe.label_smoothing
    return {
        "batch_size": recipe.batch_size,
        "targets": targets * (1 - smoothing) + smoothing / targets.shape[1],
        "augmentation": recipe.augmentation,
        "seed": seed,
        # The expected weight of a row under its target; for the majority label this is Keras's class_weight. Weights of 1
        # are given, too, so that one graph serves all weightings.
        "sample_weight": (targets @ class_weights).astype(np.float32),
        "epoch": epoch,
    }
