"""A search from its arguments to its report: trials, retraining, test accuracy, files."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import Any

import attrs

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files.locks import locked
from models.training.history import readable_history
from search.callbacks import Search
from search.console.progress import Progress
from search.console.study_progress import StudyProgress
from search.oracles.registry import KERAS_TUNER_ORACLES, make_oracle, remarks
from search.preflight import check_before, check_placement, has_chief
from search.results.finalists import contenders
from search.results.measuring import Look
from search.results.retraining import Order, retrain
from search.setup import (
    Prepared,
    connect,
    goal,
    kind_of_oracle,
    limits,
    open_trials,
    prepare,
    retraining_epochs,
    time_budget,
    trial_settings,
)
from search.storages.registry import memory
from search.storages.trial_life import state_of, trials_of
from search.storages.trial_store import TrialStore
from search.study import ownership
from search.study.arguments import SearchArguments
from search.study.config import check_continuation, load, read_arguments, write_config
from search.study.processes import recorded
from search.study.run_directory import RunDirectory, storage_url
from search.study.view import best_trial, read_study
from search.warm_start import warm_start
from search.workers import preemption
from search.workers.engines import ENGINES
from search.workers.engines.team import Team
from search.workers.heartbeat import Heartbeat, ThisProcess
from search.workers.time_budget import TimeBudget
from search.workers.trial_runner import FERPlusTuner


class NoTrialCompleted(RuntimeError):
    """A search ended without a trial that finished an epoch; the message says why."""

    exit_code = 3


@dataclass(frozen=True)
class Launch:
    """A search as it was launched.

    Attributes:
        arguments: What it is asked.
        run: Its directory.
        storage: URL of its database, None for the SQLite file in the directory.
        time_budget: How long it may go on.
        progress: Told what happens.
        joins: Whether it takes part in a study whose trials another process tells of.
    """

    arguments: SearchArguments
    run: RunDirectory
    storage: str | None
    time_budget: TimeBudget
    progress: Progress
    joins: bool = False

    @property
    def url(self) -> str:
        """Where the study is stored."""
        return storage_url(self.run, self.storage)

    def open_trials(self) -> TrialStore:
        """Return the trials of the study. A worker of Keras Tuner's chief has no record of its own."""
        storage = memory() if has_chief() else connect(self.url, self.arguments)
        return open_trials(storage, self.run, self.arguments)


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
        run.create()
        budget = time_budget(arguments, prepared.dataset, arguments.timeout)
        return _search(Launch(arguments, run, storage, budget, progress), prepared, fresh)


def _search(launch: Launch, prepared: Prepared, fresh: bool) -> dict[str, Any] | None:
    arguments, run, progress = launch.arguments, launch.run, launch.progress

    def check() -> None:
        check_continuation(run, arguments, prepared.dataset.fingerprint, prepared.space)

    if not has_chief():
        ownership.take_over(run, launch.url, fresh, check)
    if run.config.exists():
        check()
        progress.say(f"study {run.study} continues")
    if has_chief():
        write_config(run, arguments, prepared.dataset, prepared.space)
        progress.say(run_trials(launch, prepared))
        return None
    if not run.config.exists():
        # Before the database: without it the directory would not be known to be a study's.
        write_config(run, arguments, prepared.dataset, prepared.space)
    study = launch.open_trials().study
    write_config(run, arguments, prepared.dataset, prepared.space)
    study.set_user_attr("config", run.read_config())
    study.set_user_attr("deadline", arguments.timeout and time.time() + arguments.timeout)
    warm_start(study, arguments, prepared, run, launch.storage, progress.say)
    told = progress.callbacks.told_of(Search(run.study, run.path, run.read_config()["arguments"]))
    with recorded(study, run, ThisProcess().name, "search") as process, told as metrics:
        process.because = _run_all(launch, prepared)
        progress.say(f"the search has ended: {process.because}")
        metrics |= retrain_best(launch, prepared.dataset, because=process.because)
        return metrics


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
    progress.stands(run.study, study, goal(arguments))
    deadline = study.user_attrs.get("deadline")
    budget = time_budget(arguments, prepared.dataset, deadline and max(deadline - time.time(), 0.001))
    with recorded(study, run, ThisProcess().name, "worker") as process:
        process.because = _run_all(Launch(arguments, run, storage, budget, progress, joins=True), prepared)
        progress.say(process.because)


def retrain_again(
    run: RunDirectory,
    *,
    storage: str | None,
    trial: int | None,
    finalists: int | None,
    epochs: int | None,
    seeds: int | None,
    test: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Retrain the best trials, or the one with the number `trial`, of an existing study; `test` has the test labels looked at."""
    asked = {"retrain_epochs": epochs, "retrain_seeds": seeds, "finalists": finalists}
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    arguments = attrs.evolve(read_arguments(run), test=test, **given)
    dataset = load(arguments)
    check_continuation(run, arguments, dataset.fingerprint)
    launch = Launch(arguments, run, storage, time_budget(arguments, dataset, None), progress)
    with recorded(read_study(run, launch.url).study, run, ThisProcess().name, "retrain") as process:
        metrics = retrain_best(launch, dataset, trial=trial, again=True)
        process.because = "done"
    return metrics


def run_trials(launch: Launch, prepared: Prepared) -> str:
    """Run trials in this process until the oracle has no more or time is up; return why it ended."""
    arguments, progress = launch.arguments, launch.progress
    store = launch.open_trials()
    oracle = make_oracle(arguments.oracle, prepared.oracle_settings, store, ThisProcess(), kind_of_oracle())
    for remark in remarks(arguments.oracle, prepared.oracle_settings):
        progress.say(remark)
    others = StudyProgress(store.study, goal(arguments), progress, launch.run, own=ThisProcess().name)
    tuner = FERPlusTuner(
        oracle,
        prepared.model,
        settings=trial_settings(arguments, prepared, launch.run, progress),
        run=launch.run,
        time_budget=launch.time_budget,
        progress=progress,
        follow=(lambda: None) if launch.joins else others.update,
    )
    if has_chief():
        tuner.search()
        return "Keras Tuner's chief has no further trial"
    progress.follow(store.study, goal(arguments), retraining_epochs(arguments, prepared))
    # The trials of a large study are many small objects for good: going through them takes the garbage collector
    # longer than the oracle its work.
    gc.collect()
    gc.freeze()
    with Heartbeat(store, oracle.claims, oracle.lose):
        tuner.search()
    return oracle.stopped_because or tuner.stopped_because or "there is no further trial"


def _run_all(launch: Launch, prepared: Prepared) -> str:
    """Run trials here or in as many workers as the arguments say, until there are no more."""
    arguments, run, progress = launch.arguments, launch.run, launch.progress
    if arguments.oracle in KERAS_TUNER_ORACLES:
        with ownership.alone(run, arguments.oracle):
            return run_trials(launch, prepared)
    if arguments.workers == 1 and arguments.engine == "local":
        return run_trials(launch, prepared)
    store = launch.open_trials()
    progress.follow(store.study, goal(arguments), retraining_epochs(arguments, prepared))
    followed = StudyProgress(store.study, goal(arguments), progress, run)
    team = Team(
        run, launch.storage, arguments.workers, arguments.gpus_per_trial, arguments.ray_address, progress.say
    )
    # It has no trials of its own, but finds those of workers that died, also when none is left.
    with Heartbeat(store, claims=list, lose=lambda claim: None), ENGINES[arguments.engine](team) as engine:
        progress.say(f"{arguments.workers} workers; what they say is in {team.log(0).parent}")
        while engine.poll():
            followed.update()
            preemption.wait(0.5)
        followed.update()
    for history in sorted(run.trial(0).parent.glob("*/history.csv")):
        for epoch in readable_history(history):
            launch.time_budget.epoch_took(epoch.epoch, epoch.seconds, len(prepared.train_split))
    trials = trials_of(store.study)
    done = sum(state_of(trial).ended for trial in trials)
    return limits(arguments).reached(trials) or f"{done} of {arguments.trials} trials are done"


def retrain_best(
    launch: Launch, dataset: Dataset, *, trial: int | None = None, again: bool = False, because: str = ""
) -> dict[str, Any]:
    """Retrain the best trials (or number `trial`) as long as there is time. Of several processes that are to, one does.

    Args:
        again: Whether also if it has been retrained before, as in `Order`.
        because: Why the search has ended.
    """
    arguments, run, progress = launch.arguments, launch.run, launch.progress
    with locked(
        run.path / ".retraining.lock",
        on_wait=lambda: progress.say("another process retrains this study; waiting for its end"),
        pause=preemption.wait,
    ) as waited:
        trials = read_study(run, launch.url).trials
        wanted = trials if trial is None else [t for t in trials if t.number == trial]
        chosen = contenders(wanted, arguments.finalists)
        if chosen is None:
            if trial is not None:
                raise InputError(
                    f"trial {trial}: expected one that finished an epoch; the study has {[t.number for t in trials]}"
                )
            raise NoTrialCompleted(f"no trial finished an epoch: {because}")
        asked_for = arguments.retrain_epochs
        runs = chosen.whole_trainings(arguments.retrain_seeds, asked_for)
        epochs = launch.time_budget.retrain_epochs(asked_for, runs)
        if epochs < asked_for:
            progress.say(f"the time there is allows {epochs} of {asked_for} epochs of retraining")
        look = Look(
            run.test_readings, *(("retrain", "--test") if again else ("search", "the search's result"))
        )
        by_the_user = trial is not None and best_trial(trials) != chosen.finalists[0]
        order = Order(chosen, epochs, by_the_user, look if arguments.test else None, again and not waited)
        return retrain(order, dataset, run, arguments, progress)
