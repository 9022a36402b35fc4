"""The K best distinct configurations of a study, each retrained, as one network: the mean of their probabilities."""

from __future__ import annotations

import gc
import hashlib
from functools import partial
from pathlib import Path
from typing import Any

import keras
from keras import layers

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from models.device.precision import resolve_precision
from models.metrics.scores import evaluate
from models.recipe import Recipe
from models.serving.model_files import load_model, save_model
from models.training.checkpoints import Checkpoints
from models.training.loop import train
from models.training.settings import Listener, Settings
from search.console.progress import Progress
from search.results.evaluation import of_splits
from search.results.retraining import retraining_seeds
from search.setup import weights_for
from search.study.config import SearchArguments
from search.study.run_directory import RunDirectory, read_json
from search.study.view import TrialRecord, read_study


def make_ensemble(
    run: RunDirectory,
    count: int,
    arguments: SearchArguments,
    dataset: Dataset,
    *,
    storage: str | None,
    progress: Progress,
) -> tuple[Path, dict[str, Any]]:
    """Retrain the `count` best distinct configurations of the study in `run`, average them, and measure the mean on both splits.

    Members are chosen by validation accuracy in the search alone. The study's best model is one if its trial is among them;
    the others are retrained with the study's own seed and epochs into ensemble/NNNN, which an interrupted call continues and a
    later one takes as they are.

    Returns:
        ensemble/model.keras, and the content of ensemble/metrics.json: as best/metrics.json, with `members`.

    Raises:
        InputError: `count` is below 2, or the study has fewer distinct configurations that finished an epoch.
    """
    if count < 2:
        raise InputError(f"--ensemble: expected 2 or more networks, found {count}")
    trials = _best_distinct(read_study(run, storage).trials, count)
    folder = run.path / "ensemble"
    paths = [_member(trial, run, folder, arguments, dataset, progress) for trial in trials]
    keras.backend.clear_session()
    gc.collect()
    path = save_model(averaged([load_model(member) for member in paths]), folder / "model.keras")
    model = load_model(path)
    progress.say(
        f"ensemble of trials {', '.join(str(trial.number) for trial in trials)}: both splits are read now"
    )
    metrics = {
        **of_splits({"val": evaluate(model, dataset.val), "test": evaluate(model, dataset.test)}),
        "members": [
            {
                "trial": trial.number,
                "trial_val_accuracy": trial.score,
                "val_accuracy": evaluate(load_model(member), dataset.val)["accuracy"],
                "hyperparameters": trial.hyperparameters,
                "sha256": hashlib.sha256(member.read_bytes()).hexdigest(),
            }
            for trial, member in zip(trials, paths, strict=True)
        ],
        "chosen_by": "validation accuracy in the search",
    }
    write_json(folder / "metrics.json", metrics)
    alone = max(member["val_accuracy"] for member in metrics["members"])
    progress.say(
        f"ensemble: val_accuracy {metrics['val_accuracy']:.4f}, its best network alone {alone:.4f}"
        + ("" if metrics["val_accuracy"] > alone else "; averaging did not help")
    )
    return path, metrics


def averaged(members: list[keras.Model]) -> keras.Model:
    """Return the model uint8 faces [B, 48, 48, 1] -> mean of the probabilities [B, 8] of `members`."""
    faces = keras.Input((48, 48, 1), dtype="uint8", name="face")
    outputs = []
    for i, member in enumerate(members):
        # The names of layers have to differ, and two members may be of one backbone.
        named = keras.Model(member.input, member.output, name=f"member_{i}")
        outputs.append(named(faces, training=False))
    return keras.Model(faces, layers.Average(name="mean")(outputs), name="ferplus_ensemble")


def _best_distinct(trials: list[TrialRecord], count: int) -> list[TrialRecord]:
    scored = [trial for trial in trials if trial.score is not None and trial.state in ("complete", "pruned")]
    ranked = sorted(
        scored, key=lambda trial: (trial.state != "complete", -(trial.score or 0.0), trial.number)
    )
    found: list[TrialRecord] = []
    recipes: list[Recipe] = []
    for trial in ranked:
        recipe = Recipe.from_hyperparameters(trial.hyperparameters)
        if recipe not in recipes:
            found.append(trial)
            recipes.append(recipe)
    if len(found) < count:
        raise InputError(
            f"--ensemble {count}: expected as many distinct configurations with a finished epoch, found {len(found)} in the study"
        )
    return found[:count]


def _member(
    trial: TrialRecord,
    run: RunDirectory,
    folder: Path,
    arguments: SearchArguments,
    dataset: Dataset,
    progress: Progress,
) -> Path:
    if run.metrics.exists() and read_json(run.metrics)["trial"] == trial.number and run.best_model.exists():
        return run.best_model
    directory = folder / f"{trial.number:04d}"
    path, record = directory / "model.keras", directory / "retraining.json"
    seed = retraining_seeds(arguments)[0]
    asked_for = {"epochs": arguments.retrain_epochs, "seed": seed}
    if path.exists() and record.exists() and read_json(record) == asked_for:
        progress.say(f"trial {trial.number} has been retrained before")
        return path
    recipe = Recipe.from_hyperparameters(trial.hyperparameters)
    epochs = arguments.retrain_epochs
    progress.say(f"retraining trial {trial.number} on the whole training split, up to {epochs} epochs")
    progress.retraining_begins(seed)
    keras.backend.clear_session()
    gc.collect()
    training = train(
        recipe,
        dataset,
        directory=directory,
        epochs=epochs,
        settings=Settings(
            weights=weights_for(arguments, recipe.backbone),
            seed=seed,
            precision=resolve_precision(arguments.precision)[0],
        ),
        listener=Listener(
            partial(progress.epoch_ends, epochs=epochs),
            lambda epoch, batch, batches: progress.batch_ends(epoch, epochs, batch, batches),
        ),
    )
    save_model(training.model, path)
    write_json(record, asked_for)
    Checkpoints(directory).finish()
    progress.training_ends(
        f"retraining of trial {trial.number}: val_accuracy {training.best.val_accuracy:.4f} at epoch {training.best.epoch} of "
        f"{len(training.history)}"
    )
    return path
