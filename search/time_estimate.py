"""How long a search would take: a few training steps on random faces, times what there is to train on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean

import keras_tuner
import numpy as np

from ferplus_data.labels import EMOTIONS
from models.device.gpus import visible_gpus
from models.device.precision import resolve_precision
from models.networks.compiled import Network
from models.recipe import Recipe
from search.oracles.space.search_space import SpaceModel, recipe_values
from search.setup import backbones, epochs_of_retraining
from search.study.arguments import SearchArguments
from search.workers.time_budget import VALIDATION_COST

_STEPS = 3
_CPU_BATCH = 8
"""Faces in a timed step without a GPU: there a face takes about as long in any batch, and a step of 128 may take minutes."""


@dataclass(frozen=True)
class Estimate:
    """Seconds, as far as a few steps tell.

    Attributes:
        per_face: Backbone -> of one face in one training step.
        trial: Of a trial that has all its epochs, the mean over the backbones.
        trials: Full trials that the search may train.
        search: Of all trials, if none is stopped.
        retraining: Of all finalists, with every seed.
    """

    per_face: Mapping[str, float]
    trial: float
    trials: float
    search: float
    retraining: float


def estimate(
    arguments: SearchArguments,
    model: SpaceModel,
    space: keras_tuner.HyperParameters,
    rows: Mapping[str, int],
) -> Estimate:
    """Return how long a search of `arguments` would take on data with `rows` per split.

    A validation face is taken to cost a third of a training face, which has a backward pass too.
    """
    recipes = {name: _recipe(model, space, name) for name in backbones(space)}
    per_face = {name: seconds_per_face(recipe, arguments) for name, recipe in recipes.items()}
    face = mean(per_face.values())
    trial = (
        arguments.epochs * face * (rows["train"] * arguments.search_fraction + VALIDATION_COST * rows["val"])
    )
    trials = arguments.trials if arguments.budget is None else min(arguments.budget, arguments.trials)
    # Workers without a GPU of their own share the CPU.
    workers = min(arguments.workers, max(1, len(visible_gpus()) // arguments.gpus_per_trial))
    retraining = epochs_of_retraining(arguments) * face * (rows["train"] + VALIDATION_COST * rows["val"])
    return Estimate(per_face, trial, trials, trials * trial / workers, retraining)


def seconds_per_face(recipe: Recipe, arguments: SearchArguments) -> float:
    """Return the seconds of one face in a training step of `recipe`, the fastest of three after one that compiles."""
    precision, _ = resolve_precision(arguments.precision)
    network = Network(recipe, weights="none", seed=0, precision=precision)
    network.begin(recipe)
    batch = recipe.batch_size if visible_gpus() else min(_CPU_BATCH, recipe.batch_size)
    faces = np.random.default_rng(0).integers(0, 256, (batch, 48, 48, 1)).astype(np.uint8)
    targets = np.eye(len(EMOTIONS), dtype=np.float32)[np.arange(batch) % len(EMOTIONS)]
    network.model.train_on_batch(faces, targets)
    seconds = []
    for _ in range(_STEPS):
        began = time.perf_counter()
        network.model.train_on_batch(faces, targets)
        seconds.append(time.perf_counter() - began)
    return min(seconds) / batch


def _recipe(model: SpaceModel, space: keras_tuner.HyperParameters, backbone: str) -> Recipe:
    """The first known recipe with the backbone, else the space's defaults with it."""
    known = [recipe for recipe in model.space.recipes.values() if recipe.get("backbone") == backbone]
    values = recipe_values(space, known[0] if known else {"backbone": backbone}, model.pins)
    return Recipe.from_hyperparameters(values)
