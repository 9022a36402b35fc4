"""A search from its arguments to its report: trials, retraining, test accuracy, files."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import dataclass
from typing import Any

import keras_tuner
import optuna
from keras_tuner.engine.hyperparameters import Choice

from ferplus_data.dataset import Dataset, Split, load_dataset, stratified
from ferplus_data.errors import InputError
from models.activations import Caching
from models.backbones import BACKBONES
from models.build import build_model
from models.precision import resolve_precision
from models.prefix_cache import PrefixCache
from models.recipe import Recipe, base_name
from search.clock import Clock
from search.config import SearchArguments, check_continuation, read_arguments, write_config
from search.oracles import ORACLES, Search, make_oracle
from search.progress import Progress
from search.retraining import retrain
from search.run_directory import RunDirectory
from search.space import SpaceModel, declared, load_space, recipe_values
from search.storage import heartbeat, open_storage, open_study, storage_url
from search.study import best_trial, read_study
from search.tuner import FERPlusTuner


class NoTrialCompleted(RuntimeError):
    """A search ended without a trial that finished an epoch; the message says why."""


@dataclass(frozen=True)
class Prepared:
    dataset: Dataset
    train_split: Split
    model: SpaceModel
    search: Search

    @property
    def space(self) -> dict[str, Any]:
        """All that the space declares, as plain values."""
        return json.loads(json.dumps(self.search.hyperparameters.get_config()["space"]))


def search(
    arguments: SearchArguments, run: RunDirectory, *, storage: str | None, fresh: bool, progress: Progress
) -> dict[str, Any]:
    """Run or continue the study in `run` to its end, retrain its best trial and return its metrics.

    Raises:
        InputError: An argument or the data is not usable.
        NoTrialCompleted: There is nothing to retrain.
        KeyboardInterrupt: Interrupted; the same call continues.
    """
    prepared = prepare(arguments, progress)
    run.create()
    url = storage_url(run, storage)
    if fresh:
        _forget(run, url)
    if run.config.exists():
        check_continuation(run, arguments, prepared.dataset.fingerprint, prepared.space)
        progress.say(f"study {run.study} continues")
    write_config(run, arguments, prepared.dataset, prepared.space)
    clock = Clock(
        arguments.timeout,
        retrain_epochs=arguments.retrain_epochs * arguments.retrain_seeds,
        retrain_rows=len(prepared.dataset.train),
        val_rows=len(prepared.dataset.val),
    )
    stopped_because = run_trials(arguments, prepared, run, url, clock, progress)
    progress.say(f"the search has ended: {stopped_because}")
    return retrain_best(arguments, prepared.dataset, run, url, clock, progress, because=stopped_because)


def join(run: RunDirectory, *, storage: str | None, progress: Progress) -> None:
    """Run trials of the study in `run` beside its other workers until there are none left."""
    arguments = read_arguments(run)
    if arguments.oracle.startswith("kt-") or arguments.oracle == "bayesian":
        raise InputError(
            f"study {run.study}: its oracle {arguments.oracle} is Keras Tuner's own and has room for one worker"
        )
    prepared = prepare(arguments, progress)
    check_continuation(run, arguments, prepared.dataset.fingerprint, prepared.space)
    clock = Clock(None, retrain_epochs=0, retrain_rows=0)
    progress.say(run_trials(arguments, prepared, run, storage_url(run, storage), clock, progress))


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
    changes = {"retrain_epochs": epochs or old.retrain_epochs, "retrain_seeds": seeds or old.retrain_seeds}
    arguments = SearchArguments(**{**vars(old), **changes})
    dataset = _load(arguments)
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
    """Run trials until the oracle has no more or time is up; return why it ended."""
    storage = open_storage(url)

    def attach(**options: Any) -> optuna.Study:
        return open_study(storage, run.stored_name(), **options)

    study = attach()
    oracle = make_oracle(arguments.oracle, prepared.search, attach)
    tuner = FERPlusTuner(
        oracle,
        prepared.model,
        dataset=prepared.dataset,
        train_split=prepared.train_split,
        run=run,
        epochs=arguments.epochs,
        weights_for=lambda backbone: weights_for(arguments, backbone),
        seed=arguments.seed,
        precision=_precision(arguments, progress),
        caching=_caching(arguments, prepared.search.hyperparameters),
        clock=clock,
        progress=progress,
    )
    progress.follow(study, arguments.trials)
    with heartbeat(study):
        tuner.search()
    return oracle.stopped_because or "the time for it is over"


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
    """Retrain the best trial (or number `trial`) as long as the clock allows."""
    trials = read_study(run, url).trials
    chosen = best_trial(trials if trial is None else [t for t in trials if t.number == trial])
    if chosen is None:
        if trial is not None:
            raise InputError(
                f"trial {trial}: expected one that finished an epoch; the study has {[t.number for t in trials]}"
            )
        raise NoTrialCompleted(f"no trial finished an epoch: {because}")
    epochs = clock.retrain_epochs(arguments.retrain_epochs, arguments.retrain_seeds)
    if epochs < arguments.retrain_epochs:
        progress.say(f"the time there is allows {epochs} of {arguments.retrain_epochs} epochs of retraining")
    weights = weights_for(arguments, Recipe.from_hyperparameters(chosen.hyperparameters).backbone)
    return retrain(
        chosen, dataset, run, arguments, epochs=epochs, weights=weights, progress=progress, again=again
    )


def _precision(arguments: SearchArguments, progress: Progress) -> str:
    precision, why = resolve_precision(arguments.precision)
    progress.say(f"trials compute in {precision} ({why})")
    return precision


def _caching(arguments: SearchArguments, hyperparameters: keras_tuner.HyperParameters) -> Caching | None:
    if arguments.cache_gb == 0:
        return None
    # How many trials will share a prefix and its augmented views, if they spread evenly over the space.
    choices = {
        name: sum(
            len(hp.values)
            for hp in hyperparameters.space
            if isinstance(hp, Choice) and base_name(hp.name) == name
        )
        for name in ("freeze_before", "augmentation")  # each backbone has freeze indices of its own
    }
    return Caching(
        PrefixCache(max_bytes=None if arguments.cache_gb is None else int(arguments.cache_gb * 10**9)),
        views=arguments.cache_views,
        trials_per_prefix=max(1.0, arguments.trials / max(1, math.prod(choices.values()))),
    )


def weights_for(arguments: SearchArguments, backbone: str) -> str:
    """The weights that a trial of `backbone` starts from: those asked for, else the published ones if there are any."""
    if arguments.weights is not None:
        return arguments.weights
    return "vggface2" if BACKBONES[backbone].weights_url else "none"


def prepare(arguments: SearchArguments, progress: Progress) -> Prepared:
    if arguments.oracle not in ORACLES:
        raise InputError(f"unknown oracle {arguments.oracle!r}: expected one of {', '.join(ORACLES)}")
    space = load_space(arguments.space)
    pins = {**({"image_size": arguments.image_size} if arguments.image_size else {}), **arguments.pins}
    model = SpaceModel(space, pins)
    hyperparameters = declared(model)
    dataset = _load(arguments)
    counts = ", ".join(f"{len(getattr(dataset, name)):,} {name}" for name in ("train", "val", "test"))
    progress.say(f"data {dataset.source}: {counts} faces")
    _check_weights(arguments, hyperparameters)
    return Prepared(
        dataset,
        stratified(dataset.train, arguments.search_fraction, (arguments.seed, 0)),
        model,
        Search(
            model=model,
            hyperparameters=hyperparameters,
            recipes=[recipe_values(hyperparameters, recipe, pins) for recipe in space.recipes.values()],
            trials=arguments.trials,
            epochs=arguments.epochs,
            seed=arguments.seed,
            pruner=arguments.pruner,
        ),
    )


def _check_weights(arguments: SearchArguments, hyperparameters: keras_tuner.HyperParameters) -> None:
    """Raise InputError now, not in every trial, if the weights of a backbone in the space cannot be had or do not fit."""
    for hp in hyperparameters.space:
        if hp.name == "backbone":
            for name in hp.values if isinstance(hp, Choice) else [hp.default]:
                if (weights := weights_for(arguments, name)) != "none":
                    build_model(
                        Recipe(backbone=name, image_size=BACKBONES[name].min_image_size), weights=weights
                    )


def _load(arguments: SearchArguments) -> Dataset:
    return load_dataset(arguments.data, subset=arguments.subset, dedupe=arguments.dedupe, seed=arguments.seed)


def _forget(run: RunDirectory, url: str) -> None:
    """Remove what the study left: its files, and itself from the storage."""
    storage = open_storage(url)
    if run.study in [study.study_name for study in optuna.get_all_study_summaries(storage)]:
        optuna.delete_study(study_name=run.study, storage=storage)
    for path in (run.config, run.report):
        path.unlink(missing_ok=True)
    made_of_it = (run.path / name for name in ("keras_tuner", "export", "ensemble"))
    for path in (run.trial(0).parent, run.metrics.parent, *made_of_it):
        shutil.rmtree(path, ignore_errors=True)
