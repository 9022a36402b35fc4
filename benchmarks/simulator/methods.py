"""Methods by name: an oracle and a pruner of ours, Keras Tuner's, or what others do by default."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import optuna

from benchmarks.simulator.tellings import Told
from ferplus_data.errors import InputError
from search.oracles import DEFAULT_ORACLE, DEFAULT_PRUNER
from search.oracles.limits import Limits
from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.pruners import PRUNERS
from search.oracles.registry import ORACLES, OracleSettings, make_oracle
from search.oracles.space.search_space import SpaceModel
from search.storages.registry import memory, open_study
from spaces.space import Space

Make = Callable[[Told, int, int, float, Path], Any]
"""(what is searched, seed, most trials, budget in full trainings, a folder that is thrown away afterwards) -> oracle"""


def method(name: str) -> Make:
    """Return what makes the oracle of the method `name`: ORACLE, ORACLE+PRUNER (none without), or a name in NAMED.

    Raises:
        InputError: No such method.
    """
    if name in NAMED:
        return NAMED[name]
    oracle, _, pruner = name.partition("+")
    if oracle not in ORACLES or (pruner or "none") not in PRUNERS:
        raise InputError(
            f"--methods {name}: expected {', '.join(NAMED)}, or ORACLE+PRUNER of the oracles {', '.join(ORACLES)} and the "
            f"pruners {', '.join(PRUNERS)}"
        )
    return lambda *study: _ours(*study, oracle=oracle, pruner=pruner or "none")


def _ours(
    told: Told, seed: int, trials: int, budget: float, folder: Path, *, oracle: str, pruner: str
) -> Any:
    model, declared = _space(told)
    limits = Limits(told.task.epochs, budget=budget)
    settings = OracleSettings(model, declared, [], trials, limits.epochs, seed, pruner, limits=limits)
    made = make_oracle(oracle, settings, open_study(memory(), "simulated"))
    if not isinstance(made, OptunaOracle):
        # Keras Tuner's own write their trials to files. Private, Keras Tuner 1.4.8: nothing public but a tuner tells them where.
        made._set_project_dir(str(folder), "keras_tuner")  # noqa: SLF001
    return made


def _optuna(told: Told, seed: int, trials: int, budget: float, folder: Path) -> Any:
    """Optuna's default sampler and pruner, as `optuna.create_study()` has them."""
    model, declared = _space(told)
    made = OptunaOracle(
        open_study(memory(), "simulated"),
        sampler=lambda number: optuna.samplers.TPESampler(seed=number),
        pruner=optuna.pruners.MedianPruner(),
        declare=model.build,
        limits=Limits(told.task.epochs, budget=budget),
        max_trials=trials,
        hyperparameters=declared,
        seed=seed,
    )
    made.verbose = 0
    return made


NAMED: dict[str, Make] = {
    "default": lambda *study: _ours(*study, oracle=DEFAULT_ORACLE, pruner=DEFAULT_PRUNER),
    "asha": lambda *study: _ours(*study, oracle="random", pruner="promotion"),
    "optuna": _optuna,
}


def _space(told: Told) -> tuple[SpaceModel, keras_tuner.HyperParameters]:
    declared = keras_tuner.HyperParameters()
    told.declare(declared)
    return SpaceModel(Space(told.declare), {}), declared
