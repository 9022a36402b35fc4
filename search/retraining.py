"""The best trial, trained once more on the whole training split; then, and only then, the test split."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import keras

from ferplus_data.dataset import Dataset
from models.evaluation import evaluate
from models.recipe import Recipe
from models.saved import load_model, save_model
from models.training import Training, train
from search.config import SearchArguments
from search.progress import Progress
from search.run_directory import RunDirectory, read_json, write_json
from search.study import TrialRecord

SEED_RECIPES = [
    {
        "model": model,
        "weights": "VGGFace2",
        "val_accuracy": val,
        "test_accuracy": test,
        "source": "the seed repository's README",
    }
    for model, val, test in (("ResNet50", 0.880, 0.865), ("SENet50", 0.873, 0.858))
]
"""What the seed repository reports of its two hand-made recipes."""


def retrain(
    trial: TrialRecord,
    dataset: Dataset,
    run: RunDirectory,
    arguments: SearchArguments,
    *,
    epochs: int,
    weights: str,
    progress: Progress,
) -> dict[str, Any]:
    """Retrain `trial` with every seed, choose the seed and the epoch by validation accuracy, read the test split once, and write
    best/model.keras and best/metrics.json.

    A retraining of the same trial that was interrupted is continued with the epochs it was planned for, and one that has ended is
    not done again. One of another trial is removed.

    Returns:
        The content of metrics.json.
    """
    recipe = Recipe.from_hyperparameters(trial.hyperparameters)
    seeds = [arguments.seed + i for i in range(arguments.retrain_seeds)]
    epochs = _plan(run, trial.number, seeds, epochs)
    if run.metrics.exists() and (done := read_json(run.metrics))["retraining"] == _description(
        trial.number, seeds, epochs
    ):
        progress.say(f"trial {trial.number} has been retrained before")
        return done
    progress.say(f"retraining trial {trial.number} on the whole training split, up to {epochs} epochs")
    trainings = {seed: _train(recipe, dataset, run, seed, epochs, weights, progress) for seed in seeds}
    best_seed = max(seeds, key=lambda seed: trainings[seed].best.val_accuracy)
    progress.say("retraining done; the test split is read now, once")
    candidates = {seed: run.retraining(seed) / "model.keras" for seed in seeds}
    figures = {seed: _evaluate(candidates[seed], dataset) for seed in seeds}
    save_model(load_model(candidates[best_seed]), run.best_model)
    metrics = _metrics(trial, trainings, figures, best_seed, epochs)
    write_json(run.metrics, metrics)
    return metrics


def _plan(run: RunDirectory, trial: int, seeds: list[int], epochs: int) -> int:
    """Return the epochs of the retraining that is under way, or begin a new one: the learning rate's course depends on them."""
    if run.retraining_plan.exists():
        planned = read_json(run.retraining_plan)
        if planned == _description(trial, seeds, planned["epochs"]):
            return planned["epochs"]
    forget_retraining(run)
    write_json(run.retraining_plan, _description(trial, seeds, epochs))
    return epochs


def _description(trial: int, seeds: list[int], epochs: int) -> dict[str, Any]:
    return {"trial": trial, "seeds": seeds, "epochs": epochs}


def forget_retraining(run: RunDirectory) -> None:
    """Remove what earlier retrainings need to be continued. Their model and metrics stay until there are others."""
    run.retraining_plan.unlink(missing_ok=True)
    for directory in run.retraining_plan.parent.glob("seed-*"):
        shutil.rmtree(directory)


def _train(
    recipe: Recipe,
    dataset: Dataset,
    run: RunDirectory,
    seed: int,
    epochs: int,
    weights: str,
    progress: Progress,
) -> Training:
    progress.retraining_begins(seed)
    keras.backend.clear_session()
    gc.collect()
    training = train(
        recipe,
        dataset,
        directory=run.retraining(seed),
        epochs=epochs,
        weights=weights,
        seed=seed,
        on_epoch=partial(progress.epoch_ends, epochs=epochs),
        on_batch=lambda epoch, batch, batches: progress.batch_ends(epoch, epochs, batch, batches),
    )
    save_model(training.model, run.retraining(seed) / "model.keras")
    progress.training_ends(
        f"retraining, seed {seed}: val_accuracy {training.best.val_accuracy:.4f} at epoch {training.best.epoch} of "
        f"{len(training.history)}"
    )
    return training


def _evaluate(path: Path, dataset: Dataset) -> dict[str, dict[str, Any]]:
    # From the file, not from memory: what is reported is what is shipped.
    model = load_model(path)
    return {"val": evaluate(model, dataset.val), "test": evaluate(model, dataset.test)}


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
        "val_accuracy_without_twins": val["accuracy_without_twins"],
        "test_accuracy_without_twins": test["accuracy_without_twins"],
        "n_val": val["n"],
        "n_test": test["n"],
        "n_val_without_twins": val["n_without_twins"],
        "n_test_without_twins": test["n_without_twins"],
        "hyperparameters": trial.hyperparameters,
        "trial": trial.number,
        "trial_val_accuracy": trial.score,
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
            for name in ("per_class", "confusion", "macro_f1", "majority_class_rate")
        },
        "seed_recipes": SEED_RECIPES,
        "retraining": _description(trial.number, list(trainings), epochs),
    }
