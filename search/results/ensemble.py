"""The K best distinct configurations of a study, each retrained, as one network: the mean of their probabilities."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import keras
from keras import layers

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.locks import locked
from ferplus_data.files.owned import sha256_of
from ferplus_data.files.shapes import read_json
from models.metrics.objectives import OBJECTIVES, accuracy
from models.metrics.scores import predict_probabilities
from models.recipe import Recipe
from models.serving.model_files import load_model
from models.training.checkpoints import Checkpoints
from search.console.progress import Progress
from search.results.finalists import best_distinct
from search.results.measuring import Look, Subject, as_metrics, measure
from search.results.retraining import Retraining, retraining_seeds
from search.study.arguments import SearchArguments
from search.study.best import CHOSEN, check_place, read_metrics, write_best
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord, read_study
from search.workers import preemption


def make_ensemble(
    run: RunDirectory,
    count: int,
    arguments: SearchArguments,
    dataset: Dataset,
    *,
    storage: str | None,
    test: bool,
    progress: Progress,
) -> tuple[Path, dict[str, Any]]:
    """Retrain the `count` best distinct configurations of the study in `run`, average them, and measure the mean, on the test
    split only if `test` is set.

    Members are chosen by the study's objective in the search alone. The study's best model is one if its trial is among them;
    the others are retrained with the study's own seed and epochs into ensemble/NNNN, which an interrupted call continues and a
    later one takes as they are.

    Returns:
        ensemble/model.keras, and the content of ensemble/metrics.json: as best/metrics.json, with `members`.

    Raises:
        InputError: `count` is below 2, or the study has fewer distinct configurations that finished an epoch.
    """
    if count < 2:
        raise InputError(f"--ensemble: expected 2 or more networks, found {count}")
    folder = run.path / "ensemble"
    check_place(folder)
    trials = _members(read_study(run, storage).trials, count)
    with locked(
        run.path / ".ensemble.lock",
        on_wait=lambda: progress.say("another process makes an ensemble of this study; waiting for its end"),
        pause=preemption.wait,
    ):
        return _make(trials, folder, run, arguments, dataset, test, progress)


def _make(
    trials: list[TrialRecord],
    folder: Path,
    run: RunDirectory,
    arguments: SearchArguments,
    dataset: Dataset,
    test: bool,
    progress: Progress,
) -> tuple[Path, dict[str, Any]]:
    retraining = Retraining(dataset, arguments, arguments.retrain_epochs, progress)
    paths = [_member(trial, run, folder, retraining) for trial in trials]
    del retraining  # and its compiled networks
    keras.backend.clear_session()
    gc.collect()
    model = averaged([load_model(member) for member in paths])
    numbers = ", ".join(str(trial.number) for trial in trials)
    progress.say(f"ensemble of trials {numbers}: the mean is measured now")
    faces = dataset.val.pixels()
    members = [
        {
            "trial": trial.number,
            "trial_score": trial.score,
            "val_accuracy": accuracy(predict_probabilities(load_model(member), faces), dataset.val),
            "hyperparameters": trial.hyperparameters,
            "sha256": sha256_of(member),
        }
        for trial, member in zip(trials, paths, strict=True)
    ]

    def measured(path: Path) -> dict[str, Any]:
        about = {"file": f"the mean of trials {numbers}", "sha256": sha256_of(path)}
        subject = Subject(lambda given: predict_probabilities(load_model(path), given), about)
        look = Look(run.test_readings, "export --ensemble", "asked for with --test") if test else None
        (found,) = measure([subject], dataset, look)
        return {
            **as_metrics(found, dataset),
            "members": members,
            "chosen_by": f"validation {OBJECTIVES[arguments.objective].label} in the search",
        }

    metrics = write_best(folder, model, measured)
    alone = max(member["val_accuracy"] for member in metrics["members"])
    progress.say(
        f"ensemble: val_accuracy {metrics['val_accuracy']:.4f} ({CHOSEN}), its best network alone {alone:.4f}"
        + ("" if metrics["val_accuracy"] > alone else "; averaging did not help")
    )
    return folder / "model.keras", metrics


def averaged(members: list[keras.Model]) -> keras.Model:
    """Return the model uint8 faces [B, 48, 48, 1] -> mean of the probabilities [B, 8] of `members`."""
    faces = keras.Input((48, 48, 1), dtype="uint8", name="face")
    outputs = []
    for i, member in enumerate(members):
        # The names of layers have to differ, and two members may be of one backbone.
        named = keras.Model(member.input, member.output, name=f"member_{i}")
        outputs.append(named(faces, training=False))
    return keras.Model(faces, layers.Average(name="mean")(outputs), name="ferplus_ensemble")


def _members(trials: list[TrialRecord], count: int) -> list[TrialRecord]:
    found = best_distinct(trials, count)
    if len(found) < count:
        raise InputError(
            f"--ensemble {count}: expected as many distinct configurations with a finished epoch, found {len(found)} in the study"
        )
    return found


def _member(
    trial: TrialRecord,
    run: RunDirectory,
    folder: Path,
    retraining: Retraining,
) -> Path:
    metrics = read_metrics(run.best_model.parent)
    if metrics is not None and metrics["trial"] == trial.number and run.best_model.exists():
        return run.best_model
    directory = folder / f"{trial.number:04d}"
    path, record = directory / "model.keras", directory / "retraining.json"
    seed, progress = retraining_seeds(retraining.arguments)[0], retraining.progress
    asked_for = {"epochs": retraining.epochs, "seed": seed}
    if path.exists() and _recorded(record) == asked_for:
        progress.say(f"trial {trial.number} has been retrained before")
        return path
    progress.say(
        f"retraining trial {trial.number} on the whole training split, up to {retraining.epochs} epochs"
    )
    recipe = Recipe.from_hyperparameters(trial.hyperparameters)
    retraining.train(recipe, directory, seed)
    write_json(record, asked_for)
    Checkpoints(directory).finish()
    return path


def _recorded(record: Path) -> dict[str, Any] | None:
    """What the retraining in a member's folder was asked for; None where there is none, or its record is damaged."""
    try:
        return read_json(record, {"epochs": int, "seed": int}, what="a retraining", otherwise="remove it")
    except InputError:
        return None
