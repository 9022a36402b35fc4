"""What a search needs before its first trial: the data, the space, the weights, checked."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import keras_tuner
from keras_tuner.engine.hyperparameters import Choice

from ferplus_data.dataset import Dataset, Split, stratified
from ferplus_data.errors import InputError
from ferplus_data.readers import find_source
from models.backbones.registry import BACKBONES
from models.device.precision import resolve_precision
from models.hyperparameters import base_name
from models.metrics.objectives import OBJECTIVES
from models.networks.build import build_model
from models.networks.weights import find_published
from models.recipe import Recipe
from models.training.settings import Settings
from search.console.progress import Progress
from search.console.trial_lines import Goal
from search.oracles.limits import Limits
from search.oracles.optuna_oracle import OptunaOracle
from search.oracles.registry import OracleSettings
from search.oracles.space.admission import Admission, NotAdmitted
from search.oracles.space.drawing import describe
from search.oracles.space.search_space import SpaceModel, declared, recipe_values
from search.preflight import chief_role
from search.storages.registry import open_storage, open_study
from search.storages.retrying import RetryingStorage
from search.storages.trial_store import TrialStore
from search.study.arguments import SearchArguments
from search.study.config import load
from search.study.run_directory import RunDirectory
from search.study.space import load_space
from search.workers.checkpoint_store import CheckpointStore
from search.workers.prefix_caching import caching
from search.workers.time_budget import VALIDATION_COST, TimeBudget, epochs_in_all
from search.workers.trial_settings import TrialSettings
from spaces import SPACES

CONNECT_SECONDS = 120.0
"""How long a placed worker waits for a storage that does not answer yet."""


@dataclass(frozen=True)
class Prepared:
    """The data set, the rows that trials train on, the space, and what an oracle is made from."""

    dataset: Dataset
    train_split: Split
    model: SpaceModel
    oracle_settings: OracleSettings

    @property
    def space(self) -> list[dict[str, Any]]:
        """All that the space declares, as `search.oracles.space.hyperparameters.Hyperparameter` describes it, in plain values."""
        return [describe(hp).to_json() for hp in self.oracle_settings.hyperparameters.space]


def prepare(arguments: SearchArguments, progress: Progress) -> Prepared:
    """Load what `arguments` name and check it.

    Raises:
        InputError: Something is not there or does not fit.
    """
    model = space_model(arguments)
    hyperparameters = declared(model)
    # A mistyped path is told before weights are fetched, and they before data is decoded.
    find_source(arguments.data)
    _check_weights(arguments, hyperparameters)
    dataset = load(arguments)
    counts = ", ".join(f"{len(getattr(dataset, name)):,} {name}" for name in ("train", "val", "test"))
    progress.say(f"data {dataset.source}: {counts} faces")
    allowed = admission(arguments)
    allowed.check_space(hyperparameters, model.pins)
    return Prepared(
        dataset,
        # Without copies of validation and test photographs, so that what is chosen on validation is not chosen by memory.
        stratified(dataset.train_without_copies, arguments.search_fraction, (arguments.seed, 0)),
        model,
        OracleSettings(
            model=model,
            hyperparameters=hyperparameters,
            recipes=_recipes(model, hyperparameters, allowed, progress),
            trials=arguments.trials,
            epochs=arguments.epochs,
            seed=arguments.seed,
            pruner=arguments.pruner,
            objective=arguments.objective,
            limits=limits(arguments),
            admission=allowed,
        ),
    )


def retraining_epochs(arguments: SearchArguments, prepared: Prepared) -> float:
    """Return how many epochs of a trial the retraining of all finalists is worth, by the rows of each."""
    validation = VALIDATION_COST * len(prepared.dataset.val)
    rows = (len(prepared.dataset.train) + validation) / (len(prepared.train_split) + validation)
    return epochs_of_retraining(arguments) * rows


def epochs_of_retraining(arguments: SearchArguments) -> int:
    """Return the epochs of the retraining of all finalists and the known recipe, with every seed."""
    compared = arguments.finalists > 0 and bool(load_space(arguments.space).recipes)
    return epochs_in_all(
        arguments.retrain_epochs, arguments.retrain_seeds, arguments.finalists, compared=compared
    )


def _recipes(
    model: SpaceModel,
    hyperparameters: keras_tuner.HyperParameters,
    allowed: Admission,
    progress: Progress,
) -> list[Mapping[str, Any]]:
    """The known recipes of the space, as far as they are allowed."""
    found: list[Mapping[str, Any]] = []
    for name, recipe in model.space.recipes.items():
        values = recipe_values(hyperparameters, recipe, model.pins)
        try:
            allowed.check(values)
            found.append(values)
        except NotAdmitted as refused:
            progress.say(f"known recipe {name} is left out: {refused}")
    return found


def space_model(arguments: SearchArguments) -> SpaceModel:
    """Return the space that `arguments` name, with what they pin."""
    size = {"image_size": arguments.image_size} if arguments.image_size else {}
    return SpaceModel(load_space(arguments.space), {**size, **arguments.pins})


def admission(arguments: SearchArguments) -> Admission:
    """Return what refuses configurations of a search of `arguments`."""
    return Admission(arguments.max_params, arguments.max_latency)


def limits(arguments: SearchArguments) -> Limits:
    """Return what ends a search of `arguments` beside its trials and its time."""
    return Limits(
        epochs=arguments.epochs,
        objective=arguments.objective,
        budget=arguments.budget,
        stop_after=arguments.stop_after,
        stop_at=arguments.stop_at,
    )


def goal(arguments: SearchArguments) -> Goal:
    """Return how much a search of `arguments` is to do, as people are told."""
    return Goal(arguments.trials, arguments.budget, arguments.epochs)


def connect(url: str, arguments: SearchArguments) -> RetryingStorage:
    """Return the storage at `url`, as a search of `arguments` uses it."""
    # A worker that is started again while the server is down waits for it.
    wait = CONNECT_SECONDS if "FERPLUS_PLACED" in os.environ else 0
    return open_storage(url, grace=arguments.grace, max_deaths=arguments.retries, wait=wait)


def time_budget(arguments: SearchArguments, dataset: Dataset, timeout: float | None) -> TimeBudget:
    """Return what tells when a search of `arguments` has to end so that its retraining fits into `timeout` seconds."""
    return TimeBudget(
        timeout,
        # Without a timeout, what the space has to say is not asked for: its file may be gone.
        retrain_epochs=0 if timeout is None else epochs_of_retraining(arguments),
        retrain_rows=len(dataset.train),
        val_rows=len(dataset.val),
    )


def kind_of_oracle() -> type[OptunaOracle]:
    """Return the class of an oracle in this process: a chief of Keras Tuner's has one of its own."""
    if chief_role() != "chief":
        return OptunaOracle
    from search.workers.chief import ChiefOracle  # gRPC, which nobody else needs

    return ChiefOracle


def open_trials(storage: RetryingStorage, run: RunDirectory, arguments: SearchArguments) -> TrialStore:
    """Return the trials of the study in `run`, made now if there is none in `storage`; see `open_study`."""
    highest = OBJECTIVES[arguments.objective].direction == "max"
    return open_study(
        storage,
        run.stored_name(),
        direction="maximize" if highest else "minimize",
        metric=f"val_{arguments.objective}",
    )


def backbones(space: keras_tuner.HyperParameters) -> list[str]:
    """Return the names of the backbones in `space`."""
    found = {
        name
        for hp in space.space
        if base_name(hp.name) == "backbone"
        for name in (hp.values if isinstance(hp, Choice) else [hp.default])
    }
    return sorted(found)


def _check_weights(arguments: SearchArguments, hyperparameters: keras_tuner.HyperParameters) -> None:
    """Raise InputError now, not in every trial, if the weights of backbones in the space cannot be had or do not fit."""
    names = backbones(hyperparameters)
    started = {name: weights for name in names if (weights := weights_for(arguments, name)) != "none"}
    published = [
        BACKBONES[name] for name, weights in started.items() if weights == BACKBONES[name].default_weights
    ]
    try:
        find_published(published)
    except InputError as error:
        raise InputError(f"{error}{way_out(names)}") from error
    for name, weights in started.items():
        build_model(Recipe(backbone=name, image_size=BACKBONES[name].min_image_size), weights=weights)


def way_out(names: Iterable[str]) -> str:
    """Return how a line on missing weights of the backbones `names` ends: with the space whose weights anyone can have, unless it
    is theirs."""
    transfer = {recipe["backbone"] for recipe in SPACES["transfer"].recipes.values()}
    if transfer & {*names}:
        return ""
    return ", or use --space transfer, whose weights come with pip install -r requirements-dlib.txt"


def weights_for(arguments: SearchArguments, backbone: str) -> str:
    """The weights that a trial of `backbone` starts from: those asked for, else the published ones if there are any."""
    return BACKBONES[backbone].default_weights if arguments.weights is None else arguments.weights


def training_settings(arguments: SearchArguments, backbone: str, **own: Any) -> Settings:
    """Return how a search of `arguments` trains a recipe of `backbone`, in its trials and in its retraining. An option reaches
    the setting of the same name.

    Args:
        own: Settings that a trial, or a retraining, has otherwise.
    """
    same = {one.name: getattr(arguments, one.name, one.default) for one in dataclasses.fields(Settings)}
    resolved = {
        "weights": weights_for(arguments, backbone),
        "precision": resolve_precision(arguments.precision)[0],
    }
    return Settings(**{**same, **resolved, **own})


def trial_settings(
    arguments: SearchArguments, prepared: Prepared, run: RunDirectory, progress: Progress
) -> TrialSettings:
    """Return how the trials of a search of `arguments` in `run` are run."""
    resolved, why = resolve_precision(arguments.precision)
    progress.say(f"trials compute in {resolved} ({why})")
    own: dict[str, Any] = {"train_split": prepared.train_split, "replicas": arguments.gpus_per_trial}
    return TrialSettings(
        dataset=prepared.dataset,
        epochs=arguments.epochs,
        training=lambda backbone: training_settings(arguments, backbone, **own),
        limits=limits(arguments),
        caching=caching(arguments, prepared.oracle_settings.hyperparameters),
        timeout=arguments.trial_timeout,
        callbacks=progress.callbacks.for_trials(arguments.callbacks),
        checkpoint_store=CheckpointStore(arguments.artifacts, run.unique_name())
        if arguments.artifacts
        else None,
    )
