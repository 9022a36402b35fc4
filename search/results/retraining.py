"""The best trial, trained once more on the whole training split, and measured."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.owned import sha256_of
from ferplus_data.files.shapes import read_json
from models.backbones.registry import BACKBONES
from models.metrics.objectives import OBJECTIVES
from models.metrics.scores import predict_probabilities
from models.recipe import Recipe
from models.serving.model_files import load_model, save_model
from models.training.checkpoints import Checkpoints, remove_training
from models.training.loop import Training, train
from models.training.settings import Listener
from search.console.progress import Progress
from search.results.measuring import Look, Measured, Subject, as_metrics, measure
from search.setup import training_settings
from search.study.arguments import SearchArguments
from search.study.best import CHOSEN, check_place, read_metrics, write_best
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord
from search.workers import preemption

_SEED_OFFSET = 1_000_000
"""From the seed of the trials to the first of the retrainings."""

SEED_RECIPES = [asdict(figures) for backbone in BACKBONES.values() for figures in backbone.published]
"""What others report of hand-made recipes on the same backbones."""
_PLAN = {"asked_for": dict, "epochs": int}


@dataclass(frozen=True)
class Order:
    """What is to be retrained.

    Attributes:
        trial: Whose configuration.
        epochs: Most of each training.
        by_the_user: Whether a user asked for the trial, and it is not the best by the search's own rule.
        look: At the test labels, which are not looked at without; all seeds are one.
        again: Whether one that has ended is done again.
    """

    trial: TrialRecord
    epochs: int
    by_the_user: bool = False
    look: Look | None = None
    again: bool = False


def retrain(
    order: Order, dataset: Dataset, run: RunDirectory, arguments: SearchArguments, progress: Progress
) -> dict[str, Any]:
    """Retrain a trial with every seed, choose the seed and the epoch by the objective, measure, and write best/model.keras,
    best/predictions.npz and best/metrics.json.

    A retraining of the same trial that was interrupted is continued with the epochs it was planned for.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: best/ holds files under the same names that no retraining wrote.
    """
    trial, look = order.trial, order.look
    seeds = retraining_seeds(arguments)
    asked_for = {"trial": trial.number, "seeds": seeds, "epochs": arguments.retrain_epochs}
    check_place(run.best_model.parent)
    if not run.retraining_plan.exists() and not order.again:
        done = read_metrics(run.best_model.parent)
        measured = done is not None and (look is None or done["test_accuracy"] is not None)
        if done is not None and measured and done.get("retraining") == asked_for and run.best_model.exists():
            progress.say(f"trial {trial.number} has been retrained before")
            return done
    epochs = _plan(run, asked_for, order.epochs)
    began = time.monotonic()
    progress.say(f"retraining trial {trial.number} on the whole training split, up to {epochs} epochs")
    recipe = Recipe.from_hyperparameters(trial.hyperparameters)
    trainings = {
        seed: train_again(recipe, dataset, run.retraining(seed), arguments, seed, epochs, progress)
        for seed in seeds
    }
    best_seed = _best_seed(trainings, arguments.objective)
    trained = time.monotonic()
    progress.say(
        "retraining done; the test labels are " + ("not looked at" if look is None else "looked at now, once")
    )
    candidates = {seed: run.retraining(seed) / "model.keras" for seed in seeds}
    subjects = [_subject(candidates[seed], trial.number, seed) for seed in seeds]
    measured_by_seed = dict(zip(seeds, measure(subjects, dataset, look), strict=True))
    chosen = measured_by_seed[best_seed]
    times = {"retraining": trained - began, "evaluation": time.monotonic() - trained}
    metrics = write_best(
        run.best_model.parent,
        load_model(candidates[best_seed]),
        lambda _: {
            **as_metrics(chosen, dataset),
            **_of_trial(trial, trainings, measured_by_seed, best_seed, epochs),
            "asked_for_by_the_user": order.by_the_user,
            "objective": arguments.objective,
            "retraining": asked_for,
            "times": times,
        },
        chosen.predictions,
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
        f"retraining, seed {seed}: val_accuracy {training.best.val_accuracy:.4f}, {CHOSEN}, at epoch {training.best.epoch} of "
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


def _subject(path: Path, trial: int, seed: int) -> Subject:
    # From the file, not from memory: what is reported is what is shipped.
    return Subject(
        lambda faces: predict_probabilities(load_model(path), faces),
        {"trial": trial, "seed": seed, "sha256": sha256_of(path)},
    )


def _of_trial(
    trial: TrialRecord,
    trainings: Mapping[int, Training],
    measured: Mapping[int, Measured],
    best_seed: int,
    epochs: int,
) -> dict[str, Any]:
    figures = {seed: one.figures for seed, one in measured.items()}
    return {
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
                "test_accuracy": figures[seed].get("test", {}).get("accuracy"),
                "best_epoch": training.best.epoch,
            }
            for seed, training in trainings.items()
        ],
        "seed_recipes": SEED_RECIPES,
    }
