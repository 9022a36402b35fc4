"""A configuration of the user's own for a study that exists: it waits in the study until a worker is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferplus_data.console import program
from ferplus_data.errors import InputError
from models.hyperparameters import canonical_values
from search.oracles.registry import KERAS_TUNER_ORACLES
from search.oracles.space.admission import NotAdmitted
from search.oracles.space.checks import check_configuration
from search.oracles.space.drawing import describe
from search.oracles.space.search_space import declared, recipe_values
from search.setup import admission, open_trials, space_model
from search.storages.redaction import redact
from search.storages.registry import open_storage
from search.storages.trial_life import State, counted, state_of
from search.study import ownership
from search.study.config import check_continuation, read_arguments
from search.study.run_directory import RunDirectory, storage_url


def enqueue(run: RunDirectory, values: Mapping[str, Any], *, storage: str | None) -> int:
    """Queue the configuration with `values` in the study in `run`, and return its number. What is not named has the space's
    default. Whichever worker asks next gets it, before anything else that is new.

    Args:
        run: The study's directory.
        values: Hyperparameters by name, with or without their mark.
        storage: The study's URL, if it is not the SQLite file in the directory.

    Raises:
        InputError: There is no such study, a value is not in its space, or the study has had that configuration.
    """
    arguments, url = read_arguments(run), storage_url(run, storage)
    if arguments.oracle in KERAS_TUNER_ORACLES:
        raise InputError(
            f"study {run.study}: expected one with an Optuna oracle, found {arguments.oracle}, Keras Tuner's own, which has no "
            "queue"
        )
    model, values = space_model(arguments), canonical_values(values)
    hyperparameters = declared(model)
    described = {hp.name: describe(hp) for hp in hyperparameters.space}
    check_continuation(run, arguments, space=[one.to_json() for one in described.values()])
    filled = recipe_values(hyperparameters, values, model.pins)
    check_configuration(values, filled, hyperparameters)
    try:
        admission(arguments).check(filled)
    except NotAdmitted as refused:
        raise InputError(
            f"study {run.study}: expected a configuration that it allows, found {refused}"
        ) from refused
    if storage is None and not run.database.exists():
        raise InputError(
            f"study {run.study}: expected {run.database}, found no such file; name its server with --storage"
        )
    stored = open_storage(url, grace=arguments.grace, max_deaths=arguments.retries)
    if ownership.stored_study(run, stored, url) is None:
        raise InputError(
            f"study {run.study}: expected it in {redact(url)}, found none; start it with: {program()} search"
        )
    store = open_trials(stored, run, arguments)
    params = {
        name: value
        if described[name].kind == "fixed"
        else described[name].to_value(described[name].to_drawn(value))
        for name, value in filled.items()
    }
    with store.lock():
        for trial in counted(store.read()):
            if trial.params == params:
                raise InputError(
                    f"study {run.study}: expected a configuration that it has not had, found that of trial {trial.number}, "
                    f"which is {state_of(trial)}"
                )
        distributions = {name: described[name].distribution() for name in params}
        return store.create(State.QUEUED, params, distributions).number
