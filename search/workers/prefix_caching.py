"""How the trials of a search use the cache of frozen prefixes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import Choice

from models.frozen_prefix.activations import Caching
from models.frozen_prefix.cache import PrefixCache
from models.hyperparameters import base_name
from models.recipe import Recipe
from search.study.arguments import SearchArguments


def caching(arguments: SearchArguments, hyperparameters: keras_tuner.HyperParameters) -> Caching | None:
    """Return how trials use the prefix cache; None where they do not.

    Args:
        hyperparameters: Of the declared space.
    """
    if arguments.cache_gb == 0 or arguments.gpus_per_trial > 1:  # the cache feeds one device
        return None
    return Caching(
        PrefixCache(max_bytes=None if arguments.cache_gb is None else int(arguments.cache_gb * 10**9)),
        views=arguments.cache_views,
        trials_per_prefix=trials_per_prefix(arguments.trials, hyperparameters),
    )


def trials_per_prefix(trials: int, hyperparameters: keras_tuner.HyperParameters) -> Callable[[Recipe], float]:
    """Return, of `trials` that spread evenly over the space, how many use the activations of a recipe's prefix: those with its
    backbone and augmentation that freeze as much, and those that freeze more and go on from there; at least 1."""

    def share(name: str, recipe: Recipe, uses: Callable[[Any], bool]) -> float:
        # Backbones have freeze indices of their own, and all of them count.
        copies = [hp for hp in hyperparameters.space if isinstance(hp, Choice) and base_name(hp.name) == name]
        using = sum(sum(map(uses, hp.values)) for hp in copies if _is_for(hp, recipe.backbone))
        return using / sum(len(hp.values) for hp in copies) if copies else 1.0

    def expected(recipe: Recipe) -> float:
        as_frozen = share("freeze_before", recipe, lambda index: recipe.freeze_before <= index < 0)
        as_augmented = share("augmentation", recipe, lambda name: name == recipe.augmentation)
        return max(1.0, trials * as_frozen * as_augmented)

    return expected


def _is_for(hp: Choice, backbone: str) -> bool:
    return all(backbone in one.values for one in hp.conditions if base_name(one.name) == "backbone")
