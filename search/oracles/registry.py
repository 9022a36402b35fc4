"""Oracles by name: how a space is explored. Adding one is a line in ORACLES.

Names without a prefix are an Optuna sampler under `OptunaOracle`; those with `kt-` are Keras Tuner's own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner
import optuna
from keras_tuner.src.distribute import utils as dist_utils

from ferplus_data.errors import InputError
from search.oracles.keras_tuner_oracles import mirrored
from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.pruners import PRUNERS
from search.oracles.samplers import SAMPLERS
from search.oracles.search_space import SpaceModel


@dataclass(frozen=True)
class Search:
    """What an oracle is made from."""

    model: SpaceModel
    hyperparameters: keras_tuner.HyperParameters
    recipes: list[Mapping[str, Any]]
    trials: int
    epochs: int
    seed: int
    pruner: str


Attach = Callable[..., optuna.Study]
"""Opens the study with the `sampler` and `pruner` it is given."""


def _optuna(search: Search, attach: Attach, *, sampler: str, pruner: str | None = None) -> OptunaOracle:
    # A sampler that is seeded alike after a restart would suggest the first trials all over again.
    done = len(attach().get_trials(deepcopy=False))
    study = attach(
        sampler=SAMPLERS[sampler](search.seed + 1009 * done),
        pruner=PRUNERS[pruner or search.pruner](search.epochs),
    )
    kind = OptunaOracle
    if dist_utils.is_chief_oracle():
        from search.workers.chief import ChiefOracle as kind  # gRPC, which nobody else needs
    return kind(
        study,
        max_trials=search.trials,
        epochs=search.epochs,
        model=search.model,
        hyperparameters=search.hyperparameters,
        recipes=search.recipes,
        grid=sampler == "grid",
    )


def _keras_tuner(
    search: Search, attach: Attach, *, oracle: type[keras_tuner.Oracle], **options: Any
) -> keras_tuner.Oracle:
    # To Keras Tuner a seed of 0 is none.
    # Hyperband's brackets decide how many trials there are and which epochs each has, and the grid has an order of its own: a
    # recipe has no place in either.
    if oracle is keras_tuner.oracles.HyperbandOracle:
        options["max_epochs"] = search.epochs
    else:
        options["max_trials"] = search.trials
    if oracle not in (keras_tuner.oracles.HyperbandOracle, _GridSearchOracle):
        options["recipes"] = search.recipes
    return mirrored(oracle)(
        study=attach(), seed=search.seed + 1, hyperparameters=search.hyperparameters, **options
    )


class _GridSearchOracle(keras_tuner.oracles.GridSearchOracle):
    """Keras Tuner's grid, which forgets the order of its trials when it is saved (1.4.8), with that order made up again."""

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)

        def order(one: str, other: str) -> int:
            return self._compare(*(self.trials[i].hyperparameters.values for i in (one, other)))

        self._populate_next = sorted(self.start_order, key=functools.cmp_to_key(order))
        for trial_id in self._populate_next:
            self._ordered_ids.insert(trial_id)


ORACLES: dict[str, tuple[Callable[..., keras_tuner.Oracle], dict[str, Any]]] = {
    "tpe": (_optuna, {"sampler": "tpe"}),
    "random": (_optuna, {"sampler": "random"}),
    "grid": (_optuna, {"sampler": "grid"}),
    "gp": (_optuna, {"sampler": "gp"}),
    "cmaes": (_optuna, {"sampler": "cmaes"}),
    "hyperband": (_optuna, {"sampler": "tpe", "pruner": "hyperband"}),
    "bayesian": (_keras_tuner, {"oracle": keras_tuner.oracles.BayesianOptimizationOracle}),
    "kt-bayesian": (_keras_tuner, {"oracle": keras_tuner.oracles.BayesianOptimizationOracle}),
    "kt-random": (_keras_tuner, {"oracle": keras_tuner.oracles.RandomSearchOracle}),
    "kt-grid": (_keras_tuner, {"oracle": _GridSearchOracle}),
    "kt-hyperband": (_keras_tuner, {"oracle": keras_tuner.oracles.HyperbandOracle}),
}

KERAS_TUNER_ORACLES = {name for name, (make, _) in ORACLES.items() if make is _keras_tuner}
"""Those that keep part of their state in files of their own, and so have room for one process."""


def make_oracle(name: str, search: Search, attach: Attach) -> keras_tuner.Oracle:
    """Return the oracle `name` for `search`.

    Raises:
        InputError: No oracle of that name, or it needs a package that is not installed.
    """
    if name not in ORACLES:
        raise InputError(f"unknown oracle {name!r}: expected one of {', '.join(ORACLES)}")
    make, options = ORACLES[name]
    return make(search, attach, **options)
