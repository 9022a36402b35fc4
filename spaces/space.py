"""What a search space is: a function that declares hyperparameters, and the defaults that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

Declare = Callable[["HyperParameters"], None]


@dataclass(frozen=True)
class Space:
    """A search space and the budget it was made for.

    Args:
        declare: Declares the hyperparameters on the `keras_tuner.HyperParameters` it is given. Their names are
            the field names of `models.recipe.Recipe`; where conditional scopes each declare their own, a mark keeps them
            apart: `learning_rate@adamw`, `learning_rate@sgd`.
        recipes: Known good configurations, name -> hyperparameter values. They are the first trials.
        epochs: Most epochs of one trial.
        retrain_epochs: Most epochs of the retraining of the best trial.
        search_fraction: Stratified part of the training split that trials train on, 0 to 1. Validation is always
            whole, and the retraining always uses the whole training split.

    Example:
        >>> def mine(hp):
        ...     hp.Choice("backbone", ["small"])
        ...     hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
        >>> space = Space(mine, recipes={"mine": {"learning_rate": 1e-3}}, epochs=10)
        >>> space.epochs, space.search_fraction
        (10, 1.0)
    """

    declare: Declare
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    epochs: int = 30
    retrain_epochs: int = 60
    search_fraction: float = 1.0
