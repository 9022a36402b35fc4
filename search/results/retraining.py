"""The best trial, trained once more on the whole training split; then, and only then, the test split."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.shapes import read_json
from models.backbones.registry import BACKBONES
from models.metrics.objectives import OBJECTIVES
from models.metrics.scores import predict_probabilities, score
from models.recipe import Recipe
from models.serving.model_files import load_model, save_model
from models.training.checkpoints import Checkpoints, remove_training
from models.training.loop import Training, train
from models.training.settings import Listener
from search.console.progress import Progress
from search.setup import training_settings
from search.study.arguments import SearchArguments
from search.study.best import check_place, read_metrics, write_best
from search.study.predictions import SPLITS, Predictions
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord
from search.workers import preemption

_SEED_OFFSET = 1_000_000
"""From the seed of the trials to the first of the retrainings."""

SEED_RECIPES = [asdict(figures) for backbone in BACKBONES.values() for figures in backbone.published]
"""What others report of hand-made recipes on the same backbones."""
_PLAN = {"asked_for": dict, "epochs": int}


def retrain(
    trial: TrialRecord,
    dataset: Dataset,
    run: RunDirectory,
    arguments: SearchArguments,
    *,
    epochs: int,
    progress: Progress,
    again: bool = False,
) -> dict[str, Any]:
    """Retrain `trial` with every seed, choose the seed and the epoch by the objective, read the test split once, and write
    best/model.keras, best/predictions.npz and best/metrics.json.

    A retraining of the same trial that was interrupted is continued with the epochs it was planned for, and one that has ended is
    not done again unless `again` is set.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: best/ holds files under the same names that no retraining wrote.
    """
    recipe = Recipe.from_hyperparameters(trial.hyperparameters)
    seeds = retraining_seeds(arguments)
    asked_for = {"trial": trial.number, "seeds": seeds, "epochs": arguments.retrain_epochs}
    check_place(run.best_model.parent)
    if not run.retraining_plan.exists() and not again:
        done = read_metrics(run.best_model.parent)
        if done is not None and done.get("retraining") == asked_for and run.best_model.exists():
            progress.say(f"trial {trial.number} has been retrained before")
            return done
    epochs = _plan(run, asked_for, epochs)
    progress.say(f"retraining trial {trial.number} on the whole training split, up to {epochs} epochs")
    trainings = {
        seed: train_again(recipe, dataset, run.retraining(seed), arguments, seed, epochs, progress)
        for seed in seeds
    }
    best_seed = _best_seed(trainings, arguments.objective)
    progress.say("retraining done; the test split is read now, once")
    candidates = {seed: run.retraining(seed) / "model.keras" for seed in seeds}
    predictions = {seed: _predict(candidates[seed], dataset) for seed in seeds}
    figures = {
        seed: {split: score(said, getattr(dataset, split)) for split, said in of_seed.items()}
        for seed, of_seed in predictions.items()
    }
    chosen = predictions[best_seed]
    metrics = write_best(
        run.best_model.parent,
        load_model(candidates[best_seed]),
        lambda _: {
            **_metrics(trial, trainings, figures, best_seed, epochs),
            "objective": arguments.objective,
            "retraining": asked_for,
        },
        {split: Predictions.of(chosen[split], getattr(dataset, split)) for split in SPLITS},
    )
    run.retraining_plan.unlink()
    for seed in seeds:
        Checkpoints(run.retraining(seed)).finish()
    return metrics


def retraining_seeds(arguments: SearchArguments) -> list[int]:
    """Return the seeds of the retrainings. No trial has had one of them: the best trial is the best of many also by the luck of
    its seed, and what that adds is not to be counted twice."""
    return [(arguments.seed + _SEED_OFFSET + i) % 2**32 for i in range(arguments.retrain_seeds)]


def train_again(
    recipe: Recipe,
    dataset: Dataset,
    directory: Path,
    arguments: SearchArguments,
    seed: int,
    epochs: int,
    progress: Progress,
) -> Training:
    """Train `recipe` on the whole training split in `directory`, or continue what was interrupted there, and save the model of
    the epoch that is best by the objective as model.keras beside its checkpoints."""
    progress.retraining_begins(seed)
    keras.backend.clear_session()
    gc.collect()

    def on_batch(epoch: int, batch: int, batches: int) -> None:
        preemption.check()
        progress.batch_ends(epoch, epochs, batch, batches)

    training = train(
        recipe,
        dataset,
        directory=directory,
        epochs=epochs,
        settings=training_settings(arguments, recipe.backbone, seed=seed),
        listener=Listener(partial(progress.epoch_ends, epochs=epochs), on_batch),
    )
    save_model(training.model, directory / "model.keras")
    progress.training_ends(
        f"retraining, seed {seed}: val_accuracy {training.best.val_accuracy:.4f} at epoch {training.best.epoch} of "
        f"{len(training.history)}"
    )
    return training


def _best_seed(trainings: Mapping[int, Training], objective: str) -> int:
    """The seed whose best epoch is the best on the validation split; the first of equals."""
    sign = 1 if OBJECTIVES[objective].direction == "max" else -1
    return max(trainings, key=lambda seed: sign * trainings[seed].best.metrics[objective])


def _plan(run: RunDirectory, asked_for: dict[str, Any], epochs: int) -> int:
    """Return the epochs of the retraining that is under way, for the learning rate's course depends on them, or begin a new one.
    The model and the metrics of an earlier one stay until there are others."""
    if run.retraining_plan.exists():
        # A damaged plan is none: only the time is lost.
        with contextlib.suppress(InputError):
            plan = read_json(run.retraining_plan, _PLAN, what="a plan", otherwise="remove it")
            if plan["asked_for"] == asked_for:
                return plan["epochs"]
    for directory in run.retrainings():
        remove_training(directory)
    write_json(run.retraining_plan, {"asked_for": asked_for, "epochs": epochs})
    return epochs


def _predict(path: Path, dataset: Dataset) -> dict[str, np.ndarray]:
    # From the file, not from memory: what is reported is what is shipped.
    model = load_model(path)
    return {split: predict_probabilities(model, getattr(dataset, split).pixels()) for split in SPLITS}


def _metrics(
    trial: TrialRecord,
    trainings: Mapping[int, Training],
    figures: Mapping[int, Mapping[str, Mapping[str, Any]]],
    best_seed: int,
    epochs: int,
) -> dict[str, Any]:
    val, test = figures[best_seed]["val"], figures[best_seed]["test"]
    both = {"val": val, "test": test}
    return {
        "val_accuracy": val["accuracy"],
        "test_accuracy": test["accuracy"],
        "val_accuracy_new_photographs": val["accuracy_new_photographs"],
        "test_accuracy_new_photographs": test["accuracy_new_photographs"],
        "n_val": val["n"],
        "n_test": test["n"],
        "n_val_new_photographs": val["n_new_photographs"],
        "n_test_new_photographs": test["n_new_photographs"],
        "hyperparameters": trial.hyperparameters,
        "trial": trial.number,
        "trial_score": trial.score,
        "epochs": epochs,
        "best_epoch": trainings[best_seed].best.epoch,
        "best_seed": best_seed,
        "seeds": [
            {
                "seed": seed,
                "val_accuracy": figures[seed]["val"]["accuracy"],
                "test_accuracy": figures[seed]["test"]["accuracy"],
                "best_epoch": training.best.epoch,
            }
            for seed, training in trainings.items()
        ],
        **{
            name: {split: both[split][name] for split in both}
            for name in (
                "interval",
                "interval_new_photographs",
                "per_class",
                "confusion",
                "macro_f1",
                "majority_class_rate",
                "calibration",
                "votes",
                "ties",
                "photographs",
            )
        },
        "seed_recipes": SEED_RECIPES,
    }
