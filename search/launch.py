"""A search from its arguments to its report: trials, retraining, test accuracy, files."""

from __future__ import annotations

import gc
import time
from typing import Any

import attrs

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files.locks import locked
from models.training.history import readable_history
from search.console.progress import Progress
from search.console.watch import Watch
from search.oracles.registry import KERAS_TUNER_ORACLES, make_oracle, remarks
from search.preflight import check_before, check_placement, has_chief
from search.results.retraining import retrain
from search.setup import (
    Prepared,
    caching,
    clock_of,
    connect,
    kind_of_oracle,
    limits,
    load,
    open_trials,
    precision,
    prepare,
    weights_for,
)
from search.storages.registry import memory
from search.storages.trial_life import state_of, trials_of
from search.study import ownership
from search.study.arguments import SearchArguments
from search.study.config import check_continuation, read_arguments, write_config
from search.study.processes import copy_to_config, recorded
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import best_trial, read_study
from search.workers import preemption
from search.workers.checkpoint_store import Artifacts
from search.workers.engines import ENGINES
from search.workers.engines.team import Team
from search.workers.heartbeat import Heartbeat, ThisProcess
from search.workers.time_budget import Clock
from search.workers.trial_runner import FERPlusTuner


class NoTrialCompleted(RuntimeError):
    """A search ended without a trial that finished an epoch; the message says why."""

    exit_code = 3


def search(
    arguments: SearchArguments, run: RunDirectory, *, storage: str | None, fresh: bool, progress: Progress
) -> dict[str, Any] | None:
    """Run or continue the study in `run` to its end, retrain its best trial and return its metrics; None as a worker of Keras
    Tuner's chief, which does the rest.

    Raises:
        InputError: An argument or the data is not usable.
        NoTrialCompleted: There is nothing to retrain.
        KeyboardInterrupt, Preempted: Interrupted; the same call continues.
    """
    url = storage_url(run, storage)
    check_before(arguments, run, url, fresh=fresh)
    check_placement(arguments)
    ownership.check_directory(run)
    prepared = prepare(arguments, progress)
    if storage is not None and not has_chief():
        connect(url, arguments)  # what cannot be connected to is refused before anything is made
    with ownership.undone_if_refused(run, url):
        return _search(arguments, prepared, run, storage, fresh, progress)


def _search(
    arguments: SearchArguments,
    prepared: Prepared,
    run: RunDirectory,
    storage: str | None,
    fresh: bool,
    progress: Progress,
) -> dict[str, Any] | None:
    url = storage_url(run, storage)
    run.create()

    def check() -> None:
        check_continuation(run, arguments, prepared.dataset.fingerprint, prepared.space)

    if not has_chief():
        ownership.take_over(run, url, fresh, check)
    if run.config.exists():
        check()
        progress.say(f"study {run.study} continues")
    clock = clock_of(arguments, prepared.dataset, arguments.timeout)
    if has_chief():
        write_config(run, arguments, prepared.dataset, prepared.space)
        progress.say(run_trials(arguments, prepared, run, url, clock, progress))
        return None
    if not run.config.exists():
        # Before the database: without it the directory would not be known to be a study's.
        write_config(run, arguments, prepared.dataset, prepared.space)
    study = open_trials(connect(url, arguments), run, arguments).study
    write_config(run, arguments, prepared.dataset, prepared.space)
    study.set_user_attr("config", run.read_config())
    study.set_user_attr("deadline", arguments.timeout and time.time() + arguments.timeout)
    try:
        with recorded(study, ThisProcess().name, "search") as process:
            copy_to_config(run, study)
            process.because = _run_all(arguments, prepared, run, storage, clock, progress)
            progress.say(f"the search has ended: {process.because}")
            return retrain_best(
                arguments, prepared.dataset, run, url, clock, progress, because=process.because
            )
    finally:
        copy_to_config(run, study)


def join(
    run: RunDirectory, *, storage: str | None, data: str | None, workers: int | str, progress: Progress
) -> None:
    """Run trials of the study in `run`, or of that name in `storage`, beside its other workers until there are none left.

    Args:
        run: The study's directory. If it has no study, it becomes this worker's own, with what the storage knows of the study.
        storage: Its database's URL, None for the SQLite file in the directory.
        data: Where the study's data is on this machine, if it is elsewhere than where it was begun.
        workers: Processes to run the trials in; "auto": one for each GPU.
        progress: Told what happens.
    """
    url = storage_url(run, storage)
    if storage is not None and not run.config.exists():
        ownership.fetch_config(run, storage)
    here: dict[str, Any] = {"workers": workers, "engine": "local"} | ({} if data is None else {"data": data})
    arguments = attrs.evolve(read_arguments(run), **here)
    check_placement(arguments)
    if arguments.oracle in KERAS_TUNER_ORACLES:
        raise InputError(
            f"study {run.study}: its oracle {arguments.oracle} is Keras Tuner's own and has room for one worker"
        )
    prepared = prepare(arguments, progress)
    check_continuation(run, arguments, prepared.dataset.fingerprint, prepared.space)
    study_storage = connect(url, arguments)
    ownership.stored_study(run, study_storage, url)
    study = open_trials(study_storage, run, arguments).study
    deadline = study.user_attrs.get("deadline")
    clock = clock_of(arguments, prepared.dataset, deadline and max(deadline - time.time(), 0.001))
    with recorded(study, ThisProcess().name, "worker") as process:
        process.because = _run_all(arguments, prepared, run, storage, clock, progress)
        progress.say(process.because)


def retrain_again(
    run: RunDirectory,
    *,
    storage: str | None,
    trial: int | None,
    epochs: int | None,
    seeds: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Retrain the best trial, or the one with the number `trial`, of an existing study."""
    old = read_arguments(run)
    arguments = attrs.evolve(
        old,
        retrain_epochs=old.retrain_epochs if epochs is None else epochs,
        retrain_seeds=old.retrain_seeds if seeds is None else seeds,
    )
    dataset = load(arguments)
    check_continuation(run, arguments, dataset.fingerprint)
    clock = Clock(None, retrain_epochs=0, retrain_rows=0)
    return retrain_best(
        arguments, dataset, run, storage_url(run, storage), clock, progress, trial=trial, again=True
    )


def run_trials(
    arguments: SearchArguments,
    prepared: Prepared,
    run: RunDirectory,
    url: str,
    clock: Clock,
    progress: Progress,
) -> str:
    """Run trials in this process until the oracle has no more or time is up; return why it ended."""
    # A chief's worker has no record of its own.
    store = open_trials(memory() if has_chief() else connect(url, arguments), run, arguments)
    oracle = make_oracle(arguments.oracle, prepared.search, store, ThisProcess(), kind_of_oracle())
    for remark in remarks(arguments.oracle, prepared.search):
        progress.say(remark)
    tuner = FERPlusTuner(
        oracle,
        prepared.model,
        dataset=prepared.dataset,
        train_split=prepared.train_split,
        run=run,
        epochs=arguments.epochs,
        weights_for=lambda backbone: weights_for(arguments, backbone),
        seed=arguments.seed,
        precision=precision(arguments, progress),
        caching=caching(arguments, prepared.search.hyperparameters),
        clock=clock,
        progress=progress,
        limits=limits(arguments),
        trial_timeout=arguments.trial_timeout,
        replicas=arguments.gpus_per_trial,
        artifacts=Artifacts(arguments.artifacts, run.unique_name()) if arguments.artifacts else None,
    )
    if has_chief():
        tuner.search()
        return "Keras Tuner's chief has no further trial"
    progress.follow(store.study, arguments.trials)
    # The trials of a large study are many small objects for good: going through them takes the garbage collector
    # longer than the oracle its work.
    gc.collect()
    gc.freeze()
    with Heartbeat(store, oracle.claims, oracle.lose):
        tuner.search()
    return oracle.stopped_because or tuner.stopped_because or "there is no further trial"


def _run_all(
    arguments: SearchArguments,
    prepared: Prepared,
    run: RunDirectory,
    storage: str | None,
    clock: Clock,
    progress: Progress,
) -> str:
    """Run trials here or in as many workers as the arguments say, until there are no more."""
    url = storage_url(run, storage)
    if arguments.oracle in KERAS_TUNER_ORACLES:
        with ownership.alone(run, arguments.oracle):
            return run_trials(arguments, prepared, run, url, clock, progress)
    if arguments.workers == 1 and arguments.engine == "local":
        return run_trials(arguments, prepared, run, url, clock, progress)
    store = open_trials(connect(url, arguments), run, arguments)
    watch = Watch(store.study, arguments.trials, arguments.epochs, progress)
    team = Team(
        run, storage, arguments.workers, arguments.gpus_per_trial, arguments.ray_address, progress.say
    )
    # It has no trials of its own, but finds those of workers that died, also when none is left.
    with (
        Heartbeat(store, claims=list, lose=lambda claim: None),
        ENGINES[arguments.engine](team) as engine,
    ):
        progress.say(f"{arguments.workers} workers; what they say is in {team.log(0).parent}")
        while engine.poll():
            watch.update()
            preemption.wait(0.5)
        watch.update()
    for history in sorted(run.trial(0).parent.glob("*/history.csv")):
        for epoch in readable_history(history):
            clock.epoch_took(epoch.epoch, epoch.seconds, len(prepared.train_split))
    trials = trials_of(store.study)
    done = sum(state_of(trial).ended for trial in trials)
    return limits(arguments).reached(trials) or f"{done} of {arguments.trials} trials are done"


def retrain_best(
    arguments: SearchArguments,
    dataset: Dataset,
    run: RunDirectory,
    url: str,
    clock: Clock,
    progress: Progress,
    *,
    trial: int | None = None,
    again: bool = False,
    because: str = "",
) -> dict[str, Any]:
    """Retrain the best trial (or number `trial`) as long as the clock allows. Of several processes that are to, one does."""
    with locked(
        run.path / ".retraining.lock",
        on_wait=lambda: progress.say("another process retrains this study; waiting for its end"),
        pause=preemption.wait,
    ) as waited:
        trials = read_study(run, url).trials
        chosen = best_trial(trials if trial is None else [t for t in trials if t.number == trial])
        if chosen is None:
            if trial is not None:
                raise InputError(
                    f"trial {trial}: expected one that finished an epoch; the study has {[t.number for t in trials]}"
                )
            raise NoTrialCompleted(f"no trial finished an epoch: {because}")
        asked_for = arguments.retrain_epochs
        epochs = clock.retrain_epochs(asked_for, arguments.retrain_seeds)
        if epochs < asked_for:
            progress.say(f"the time there is allows {epochs} of {asked_for} epochs of retraining")
        return retrain(
            chosen, dataset, run, arguments, epochs=epochs, progress=progress, again=again and not waited
        )
