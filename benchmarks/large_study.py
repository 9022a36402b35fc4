"""A large study for measuring: its space, its oracle, and trials that are stored without having been run."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

EPOCHS = 10


def ten(hp: Any) -> None:
    """Ten independent hyperparameters."""
    hp.Float("learning_rate", 1e-5, 1e-1, sampling="log")
    hp.Float("dropout", 0.0, 0.7)
    hp.Float("weight_decay", 1e-6, 1e-1, sampling="log")
    hp.Float("decay_to", 0.01, 0.5)
    hp.Float("peak_fraction", 0.1, 0.5)
    hp.Float("label_smoothing", 0.0, 0.3)
    hp.Int("plateau_patience", 1, 50)
    hp.Choice("batch_size", [16, 32, 64, 128])
    hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    hp.Choice("augmentation", ["none", "light", "baseline", "strong"])


def make(
    url: str, study: str, space: str, trials: int, seed: int, *, default: bool = False
) -> tuple[Any, Any]:
    """Return (the study's trials, OptunaOracle) on connections of their own; the oracle is TPE without a pruner, or the
    default."""
    from search.oracles.registry import OracleSettings, make_oracle
    from search.oracles.space.search_space import SpaceModel, declared
    from search.storages.registry import open_storage, open_study
    from search.study.space import load_space
    from search.workers.heartbeat import ThisProcess

    model = SpaceModel(load_space(space if space != "ten" else f"{__file__}:ten"), {})
    store = open_study(open_storage(url), study)
    oracle, pruner = ("portfolio", "promotion") if default else ("tpe", "none")
    settings = OracleSettings(model, declared(model), [], trials, EPOCHS, seed, pruner)
    return store, make_oracle(oracle, settings, store, ThisProcess())


def score(values: dict[str, Any], epoch: int) -> float:
    return random.Random(str(sorted(values.items()))).random() + epoch / 1000


def reached(number: int, resting: bool) -> int:
    """The epochs that a stored trial has had."""
    return (1 if number % 9 < 6 else 3 if number % 9 < 8 else EPOCHS) if resting else EPOCHS


def fill(store: Any, space: str, stored: int, *, resting: bool = False) -> None:
    """Add trials, drawn at random, until there are `stored`, in one transaction: complete, or most of them resting."""
    import datetime

    import optuna
    import sqlalchemy

    from search.oracles.sampling import Sampling
    from search.oracles.space.search_space import SpaceModel
    from search.study.space import load_space

    have = len(store.read())
    model = SpaceModel(load_space(space if space != "ten" else f"{__file__}:ten"), {})
    sampling = Sampling(optuna.samplers.RandomSampler, None, model.build, [], seed=have, study=store.study)
    drawn = [sampling.draw_at_random(number, 0) for number in range(have, stored)]
    engine = store.storage.database.engine
    metadata = sqlalchemy.MetaData()
    metadata.reflect(engine)
    tables = metadata.tables
    now = datetime.datetime.now() - datetime.timedelta(days=1)
    study_id = store.storage.get_study_id_from_name(store.name)
    ended = {"study_id": study_id, "datetime_start": now}
    complete = {"state": "COMPLETE", "datetime_complete": now}
    waiting = {"state": "WAITING", "datetime_complete": None}
    rows: dict[str, list[dict[str, Any]]] = {
        name: []
        for name in ("trial_values", "trial_user_attributes", "trial_params", "trial_intermediate_values")
    }
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.insert(tables["trials"]),
            [
                {**ended, **(complete if reached(n, resting) == EPOCHS else waiting), "number": n}
                for n in range(have, stored)
            ],
        )
        ids = connection.execute(
            sqlalchemy.select(tables["trials"].c.trial_id)
            .where(tables["trials"].c.study_id == study_id, tables["trials"].c.number >= have)
            .order_by(tables["trials"].c.number)
        ).scalars()
        for number, trial_id, trial in zip(range(have, stored), ids, drawn, strict=True):
            _describe(rows, trial_id, trial, reached(number, resting))
        for name, new in rows.items():
            connection.execute(sqlalchemy.insert(tables[name]), new)


def _describe(rows: dict[str, list[dict[str, Any]]], trial_id: int, trial: Any, epochs: int) -> None:
    """Add what makes the row `trial_id` the trial that was drawn, complete or resting after `epochs`."""
    import optuna

    if epochs == EPOCHS:
        finite = {"objective": 0, "value": score(trial.values, EPOCHS), "value_type": "FINITE"}
        rows["trial_values"].append({"trial_id": trial_id, **finite})
        attributes = {"worker": "filled", "attempt": 1, "state": "complete"}
    else:
        attributes = {"worker": None, "attempt": 1, "state": "resting"}
    for key, value in attributes.items():
        rows["trial_user_attributes"].append(
            {"trial_id": trial_id, "key": key, "value_json": json.dumps(value)}
        )
    for name, value in trial.values.items():
        drawn_from = trial.distributions[name]
        rows["trial_params"].append(
            {
                "trial_id": trial_id,
                "param_name": name,
                "param_value": drawn_from.to_internal_repr(value),
                "distribution_json": optuna.distributions.distribution_to_json(drawn_from),
            }
        )
    for epoch in range(1, epochs + 1):
        rows["trial_intermediate_values"].append(
            {
                "trial_id": trial_id,
                "step": epoch,
                "intermediate_value": score(trial.values, epoch),
                "intermediate_value_type": "FINITE",
            }
        )
