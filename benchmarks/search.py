"""The same space, number of trials and epochs searched twice:

    plain  keras_tuner.RandomSearch with benchmarks/plain.py: the network whole in every step, compiled with Keras's
           defaults, fed image by image; no pruning, no cache
    ours   this project's search: TPE after the space's known recipes, successive halving, prefix
           cache, compiled networks kept between trials
    blind  ours without the known recipes, if the space has any: what is left without what is known beforehand

in two settings: `scratch`, the small space from random weights, and `transfer`, ResNet50 that starts from a weights file.
Without --weights the file is a stand-in: the network, trained once on one half of the training split; the search then runs on
the other half.

    python benchmarks/search.py [--data PATH] [--settings scratch transfer] [--seeds 0 1 2] [--trials N] [--epochs N]
                                [--subset F] [--standin FILE] [--json]

Each side runs in a process of its own, one after the other; its clock starts when its libraries are loaded. Printed are trials an
hour, the seconds to the plain search's best validation accuracy and the best validation accuracy of each, for every seed of the
searches. The test split is not read.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

    from ferplus_data.dataset import Split

DEFAULTS = {
    "scratch": {"trials": 8, "epochs": 4, "subset": 0.15},
    "transfer": {"trials": 10, "epochs": 12, "subset": 0.08},
}
SPACES = {"scratch": "small", "transfer": f"{Path(__file__).resolve().parent / 'transfer.py'}:transfer"}


def write_pair(folder: Path, train: Split, val: Split) -> None:
    """Write the two splits as FER+'s CSV pair. The reader's test split gets validation rows, which no one reads."""
    from ferplus_data.labels import VOTE_COLUMNS
    from ferplus_data.readers.kaggle_csv import PIXEL_FILES, VOTES_FILE

    folder.mkdir(parents=True)
    with (
        (folder / PIXEL_FILES[0]).open("w", newline="") as pixels,
        (folder / VOTES_FILE).open("w", newline="") as votes,
    ):
        pixel_rows, vote_rows = csv.writer(pixels), csv.writer(votes)
        pixel_rows.writerow(["emotion", "pixels", "Usage"])
        vote_rows.writerow(["Usage", "Image name", *VOTE_COLUMNS])
        number = 0
        for usage, split in (("Training", train), ("PublicTest", val), ("PrivateTest", val)):
            for image, counts in zip(split.pixels(), split.votes, strict=True):
                pixel_rows.writerow([0, " ".join(map(str, image.ravel())), usage])
                vote_rows.writerow([usage, f"fer{number:07d}.png", *counts.tolist()])
                number += 1


def prepare(setting: str, folder: Path, arguments: argparse.Namespace) -> tuple[Path, str]:
    """Write the data of a setting; return where, and the weights that trials start from."""
    from transfer import halves, pretrain

    from ferplus_data.dataset import load_dataset, stratified

    dataset = load_dataset(arguments.data)
    train = dataset.train
    weights = "none"
    if setting == "transfer" and arguments.weights:
        weights = arguments.weights
    elif setting == "transfer":
        weights = str((arguments.standin or folder / "standin.weights.h5").resolve())
        pretrain(dataset, Path(weights), arguments.standin_epochs)
        train = halves(dataset)[1]
    write_pair(
        folder / setting,
        stratified(train, arguments.subset, (0, 0)),
        stratified(dataset.val, arguments.subset, (0, 1)),
    )
    return folder / setting, weights


def plain(
    data: str, setting: str, weights: str, trials: int, epochs: int, seed: int, directory: str
) -> list[Any]:
    """RandomSearch; returns [seconds, trial, epoch, validation accuracy] of every epoch."""
    import keras
    import keras_tuner
    import numpy as np
    from plain import PlainBatches, plain_model

    from ferplus_data.dataset import load_dataset
    from models.optimization.class_weights import CLASS_WEIGHTS
    from models.optimization.lr_policies import LR_POLICIES
    from models.optimization.optimizers import make_optimizer
    from models.recipe import Recipe
    from search.oracles.space.search_space import SpaceModel
    from search.study.space import load_space

    start = time.perf_counter()
    dataset = load_dataset(data)
    events: list[Any] = []
    declare = SpaceModel(load_space(SPACES[setting]), {})

    class Plain(keras_tuner.HyperModel):
        def recipe(self, hp: HyperParameters) -> Recipe:
            declare.build(hp)
            return Recipe.from_hyperparameters(hp.values)

        def build(self, hp: HyperParameters) -> keras.Model:
            recipe = self.recipe(hp)
            model = plain_model(
                recipe.backbone,
                recipe.resolved_image_size,
                recipe.freeze_before,
                dropout=recipe.dropout,
                weights=weights,
            )
            model.compile(make_optimizer(recipe), "categorical_crossentropy", metrics=["accuracy"])
            return model

        def fit(self, hp: HyperParameters, model: keras.Model, *args: Any, **options: Any) -> Any:
            recipe = self.recipe(hp)
            size, split = recipe.resolved_image_size, dataset.train
            targets = split.targets(recipe.target)
            sample_weight = targets @ CLASS_WEIGHTS[recipe.class_weights](split.class_counts)
            targets = targets * (1 - recipe.label_smoothing) + recipe.label_smoothing / 8
            policy = LR_POLICIES[recipe.lr_policy]
            trial = len({event[1] for event in events})

            def rate(epoch: int, current: float) -> float:
                return policy(
                    recipe.learning_rate,
                    epoch=epoch + 0.5,
                    epochs=epochs,
                    val_losses=[],
                    **recipe.policy_parameters,
                )

            def note(epoch: int, logs: dict) -> None:
                events.append([time.perf_counter() - start, trial, epoch + 1, logs["val_accuracy"]])

            return model.fit(
                PlainBatches(
                    split,
                    size,
                    recipe.batch_size,
                    augmentation=recipe.augmentation,
                    targets=targets.astype(np.float32),
                    sample_weight=sample_weight.astype(np.float32),
                ),
                validation_data=PlainBatches(dataset.val, size, 256, augmentation=None),
                epochs=epochs,
                verbose=0,
                callbacks=[
                    *options.get("callbacks", []),
                    keras.callbacks.LearningRateScheduler(rate),
                    keras.callbacks.LambdaCallback(on_epoch_end=note),
                ],
            )

    class RandomSearch(keras_tuner.RandomSearch):
        def _configure_tensorboard_dir(self, *args: Any, **options: Any) -> None:
            """Keras Tuner 1.4.8 imports TensorBoard here, which TensorFlow no longer brings."""

    tuner = RandomSearch(
        Plain(),
        objective="val_accuracy",
        max_trials=trials,
        seed=seed,
        directory=directory,
        project_name="plain",
    )
    tuner.search(verbose=0)
    return events


def ours(
    data: str,
    setting: str,
    weights: str,
    trials: int,
    epochs: int,
    seed: int,
    directory: str,
    *,
    blind: bool = False,
) -> list[Any]:
    """This project's search, without the retraining; `blind` leaves the known recipes out. Returns the same."""
    from rich.console import Console

    from search import launch
    from search.console.progress import Progress
    from search.setup import prepare as prepare_search
    from search.study.arguments import SearchArguments
    from search.study.config import write_config
    from search.study.run_directory import RunDirectory
    from search.workers.time_budget import TimeBudget

    start = time.perf_counter()
    events: list[Any] = []

    class Noting(Progress):
        trial = -1

        def trial_begins(self, number: int, values: Any) -> None:
            self.trial = number
            super().trial_begins(number, values)

        def epoch_ends(self, epoch: Any, epochs: int) -> None:
            events.append([time.perf_counter() - start, self.trial, epoch.epoch, epoch.val_accuracy])
            super().epoch_ends(epoch, epochs)

    arguments = SearchArguments(
        data=data,
        space=SPACES[setting],
        oracle="tpe",
        pruner="halving",
        trials=trials,
        timeout=None,
        epochs=epochs,
        retrain_epochs=1,
        retrain_seeds=1,
        search_fraction=1.0,
        seed=seed,
        weights=weights,
        image_size=0,
        subset=1.0,
        dedupe=False,
    )
    run = RunDirectory.of(Path(directory), "blind" if blind else "ours")
    run.create()
    with Noting(Console(stderr=True)) as progress:
        prepared = prepare_search(arguments, progress)
        if blind:
            prepared = replace(prepared, oracle_settings=replace(prepared.oracle_settings, recipes=[]))
        write_config(run, arguments, prepared.dataset, prepared.space)
        budget = TimeBudget(None, retrain_epochs=0, retrain_rows=0)
        launch.run_trials(launch.Launch(arguments, run, None, budget, progress), prepared)
    return events


def side(name: str, *arguments: str) -> list[Any]:
    """Run one side in a process of its own and return its events."""
    command = [sys.executable, __file__, "--side", name, *arguments]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(finished.stdout.splitlines()[-1])


def compare(setting: str, seed: int, trials: int, events: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the figures of one seed from the `events` of each side."""
    best = max(event[3] for event in events["plain"])
    reached = {
        name: next((event[0] for event in of_side if event[3] >= best), None)
        for name, of_side in events.items()
    }
    return {
        "setting": setting,
        "seed": seed,
        "best": {name: max(event[3] for event in of_side) for name, of_side in events.items()},
        "seconds_to_best_plain": reached,
        "times_fewer_seconds": {
            name: reached["plain"] / seconds if seconds else None  # type: ignore[operator]
            for name, seconds in reached.items()
        },
        "seconds": {name: of_side[-1][0] for name, of_side in events.items()},
        "trials_an_hour": {name: trials * 3600 / of_side[-1][0] for name, of_side in events.items()},
        "events": events,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--settings", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--trials", type=int, help="default: 8; in the transfer setting 10")
    parser.add_argument("--epochs", type=int, help="default: 4; in the transfer setting 12")
    parser.add_argument(
        "--subset",
        type=float,
        help="stratified part of train and validation; default: 0.15, or 0.08 in the transfer setting",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--weights", help="of the transfer setting, in place of the stand-in")
    parser.add_argument("--standin", type=Path, help="where its weights are, or go if there are none yet")
    parser.add_argument("--standin-epochs", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", nargs=8, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    from models.device.setup import prepare_device

    prepare_device()
    if arguments.side:
        name, data, setting, weights, trials, epochs, seed, directory = arguments.side
        run = {"plain": plain, "ours": ours, "blind": partial(ours, blind=True)}[name]
        print(json.dumps(run(data, setting, weights, int(trials), int(epochs), int(seed), directory)))
        return
    results = []
    given = {
        name: getattr(arguments, name) for name in ("trials", "epochs", "subset") if getattr(arguments, name)
    }
    for setting in arguments.settings:
        vars(arguments).update({**DEFAULTS[setting], **given})
        sides = ["plain", "ours", *(["blind"] if setting == "scratch" else [])]
        for seed in arguments.seeds:
            with tempfile.TemporaryDirectory() as folder:
                data, weights = prepare(setting, Path(folder), arguments)
                options = [str(data), setting, weights, *map(str, (arguments.trials, arguments.epochs, seed))]
                events = {name: side(name, *options, folder) for name in sides}
            results.append(compare(setting, seed, arguments.trials, events))
            if not arguments.json:
                show(results[-1])
    if arguments.json:
        print(json.dumps(results, indent=2))


def show(result: dict[str, Any]) -> None:
    """Print a line for each side."""
    print(f"{result['setting']}, seed {result['seed']}:", flush=True)
    for name, best in result["best"].items():
        fewer = result["times_fewer_seconds"][name]
        reached = (
            f"{result['seconds_to_best_plain'][name]:.0f} s, {fewer:.1f} times fewer" if fewer else "never"
        )
        print(
            f"  {name:6} best validation accuracy {best:.4f}, {result['trials_an_hour'][name]:5.0f} trials an hour, "
            f"plain best reached after {reached}",
            flush=True,
        )


if __name__ == "__main__":
    main()
