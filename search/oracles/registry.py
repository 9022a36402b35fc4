"""Oracles by name: how a space is explored. Adding one is a line in ORACLES.

Names without a prefix are an Optuna sampler under `OptunaOracle`; those with `kt-` are Keras Tuner's own, and so is
"bayesian", an old name of "kt-bayesian".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner

from ferplus_data.errors import InputError
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from search.oracles.keras_tuner_oracles import RecordedOracle, recorded
from search.oracles.limits import Limits
from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.protocol import ClaimingOracle, OneProcess, Worker
from search.oracles.pruners import PRUNERS, epochs_per_trial
from search.oracles.samplers import SAMPLERS, SamplerSettings, drawn_at_random
from search.oracles.space.admission import Admission
from search.oracles.space.drawing import describe
from search.oracles.space.search_space import SpaceModel
from search.storages.trial_store import TrialStore


@dataclass(frozen=True)
class OracleSettings:
    """What an oracle is made from."""

    model: SpaceModel
    hyperparameters: keras_tuner.HyperParameters
    recipes: list[Mapping[str, Any]]
    trials: int
    epochs: int
    seed: int
    pruner: str
    objective: str = DEFAULT_OBJECTIVE
    limits: Limits | None = None
    admission: Admission | None = None

    def declare(self, hp: keras_tuner.HyperParameters) -> None:
        """Declare the space on `hp`.

        Raises:
            NotAdmitted: The values in `hp` are of a configuration that is not to be tried.
        """
        self.model.build(hp)
        if self.admission:
            self.admission.check(hp.values)

    @property
    def most_trials(self) -> int:
        """How many trials there can be: as many as were asked for, or as the budget has epochs for if they end early as by
        promotion."""
        budget = self.limits.budget if self.limits else None
        if budget is None:
            return self.trials
        each = self.epochs if self.pruner == "none" else epochs_per_trial(self.epochs)
        return min(self.trials, math.ceil(budget * self.epochs / each))

    @property
    def metric(self) -> keras_tuner.Objective:
        """The objective as Keras Tuner knows it."""
        return keras_tuner.Objective(f"val_{self.objective}", OBJECTIVES[self.objective].direction)


def _optuna(
    settings: OracleSettings,
    store: TrialStore,
    worker: Worker,
    *,
    sampler: str,
    own_pruner: str | None = None,
    kind: type[OptunaOracle] = OptunaOracle,
) -> OptunaOracle:
    space = [describe(hp) for hp in settings.hyperparameters.space]

    def make_sampler(seed: int) -> Any:
        maximize = settings.metric.direction == "max"
        return SAMPLERS[sampler](
            SamplerSettings(seed, space, settings.epochs, maximize, settings.most_trials)
        )

    make_sampler(0)  # what it needs is missing now, not at the first trial
    oracle = kind(
        store,
        sampler=make_sampler,
        pruner=PRUNERS[own_pruner or settings.pruner](settings.epochs),
        declare=settings.declare,
        recipes=settings.recipes[: settings.trials],
        grid=sampler == "grid",
        worker=worker,
        limits=settings.limits or Limits(settings.epochs, settings.objective),
        max_trials=settings.trials,
        hyperparameters=settings.hyperparameters,
        seed=settings.seed,
        objective=settings.metric,
    )
    oracle.verbose = 0
    return oracle


def _keras_tuner(
    settings: OracleSettings,
    store: TrialStore,
    worker: Worker,
    *,
    oracle: type[keras_tuner.Oracle],
    kind: type[OptunaOracle] = OptunaOracle,
    **options: Any,
) -> RecordedOracle:
    # What `kind` the others are says nothing of these; it is taken as every maker in ORACLES takes it.
    # Hyperband's brackets decide which epochs a trial has, and the grid has an order of its own: a recipe has no place in either.
    if oracle is keras_tuner.oracles.HyperbandOracle:
        # Brackets follow one another until there are as many trials as were asked for.
        options |= {"max_epochs": settings.epochs, "hyperband_iterations": settings.trials}
    else:
        options["max_trials"] = settings.trials
    if oracle not in (keras_tuner.oracles.HyperbandOracle, _GridSearchOracle):
        options["recipes"] = settings.recipes
    options |= {"objective": settings.metric, "limits": settings.limits}
    made = recorded(oracle)(
        store=store,
        worker=worker,
        seed=1 + settings.seed % (2**32 - 1),  # to Keras Tuner a seed of 0 is none
        hyperparameters=settings.hyperparameters,
        **options,
    )
    made.max_trials = settings.trials  # which Hyperband's constructor does not take
    return made


class _GridSearchOracle(keras_tuner.oracles.GridSearchOracle):
    """Keras Tuner's grid, which forgets the order of its trials when it is saved (1.4.8), with that order made up again."""

    # Private, Keras Tuner 1.4.8: `get_state`, which is public, leaves the order out, and nothing public takes it.
    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)

        def order(one: str, other: str) -> int:
            return self._compare(*(self.trials[i].hyperparameters.values for i in (one, other)))

        self._populate_next = sorted(self.start_order, key=functools.cmp_to_key(order))
        for trial_id in self._populate_next:
            self._ordered_ids.insert(trial_id)


ORACLES: dict[str, tuple[Callable[..., ClaimingOracle], dict[str, Any]]] = {
    "portfolio": (_optuna, {"sampler": "portfolio"}),
    "tpe": (_optuna, {"sampler": "tpe"}),
    "random": (_optuna, {"sampler": "random"}),
    "grid": (_optuna, {"sampler": "grid"}),
    "gp": (_optuna, {"sampler": "gp"}),
    "cmaes": (_optuna, {"sampler": "cmaes"}),
    "hyperband": (_optuna, {"sampler": "tpe", "own_pruner": "hyperband"}),
    "bayesian": (_keras_tuner, {"oracle": keras_tuner.oracles.BayesianOptimizationOracle}),
    "kt-bayesian": (_keras_tuner, {"oracle": keras_tuner.oracles.BayesianOptimizationOracle}),
    "kt-random": (_keras_tuner, {"oracle": keras_tuner.oracles.RandomSearchOracle}),
    "kt-grid": (_keras_tuner, {"oracle": _GridSearchOracle}),
    "kt-hyperband": (_keras_tuner, {"oracle": keras_tuner.oracles.HyperbandOracle}),
}

KERAS_TUNER_ORACLES = {name for name, (make, _) in ORACLES.items() if make is _keras_tuner}
"""Those that keep part of their state in files of their own, and so have room for one process."""


def remarks(oracle: str, settings: OracleSettings) -> list[str]:
    """Return what a user should know of the oracle before its first trial, a line each."""
    names = drawn_at_random(oracle, [describe(hp) for hp in settings.hyperparameters.space])
    if not names:
        return []
    modelled = "numbers that every trial has" if oracle == "cmaes" else "what every trial has"
    return [f"oracle {oracle}: models {modelled}; it draws at random: {', '.join(names)}"]


def make_oracle(
    name: str,
    settings: OracleSettings,
    store: TrialStore,
    worker: Worker | None = None,
    kind: type[OptunaOracle] = OptunaOracle,
) -> ClaimingOracle:
    """Return the oracle `name`, made from `settings`.

    Args:
        name: In `ORACLES`.
        settings: What it is made from.
        store: The study's trials.
        worker: The process that runs them.
        kind: The class of those that are an Optuna sampler: a chief has one of its own.

    Raises:
        InputError: No oracle of that name, or it needs a package that is not installed.

    Example:
        >>> from search.oracles.space.search_space import declared
        >>> from search.storages.registry import memory, open_study
        >>> from spaces import SPACES
        >>> model = SpaceModel(SPACES["small"], pins={"dropout": 0.3})
        >>> asked = OracleSettings(model, declared(model), recipes=[], trials=2, epochs=3, seed=1, pruner="none")
        >>> oracle = make_oracle("random", asked, open_study(memory(), "faces"))
        >>> trial = oracle.create_trial("tuner0")
        >>> trial.status, trial.hyperparameters.get("dropout")
        ('RUNNING', 0.3)
    """
    if name not in ORACLES:
        raise InputError(f"unknown oracle {name!r}: expected one of {', '.join(ORACLES)}")
    make, options = ORACLES[name]
    return make(settings, store, worker or OneProcess(), kind=kind, **options)
