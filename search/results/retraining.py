"""The best trials, trained once more on the whole training split, the best of them measured."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.shapes import read_json
from models.backbones.registry import BACKBONES
from models.metrics.objectives import DEFAULT_OBJECTIVE
from models.networks.compiled import Networks
from models.recipe import Recipe
from models.serving.model_files import save_model
from models.training.checkpoints import Checkpoints, remove_training
from models.training.history import Epoch
from models.training.loop import train
from models.training.settings import Listener
from search.console.progress import Progress
from search.results.finalists import Contenders
from search.results.measuring import Look, Measured, as_metrics, measure
from search.results.rivals import rivals_of, subjects_of
from search.results.successive_halving import MODEL, Retrained, SuccessiveHalving
from search.setup import training_settings
from search.study.arguments import SearchArguments
from search.study.best import CHOSEN, check_place, read_metrics, write_best
from search.study.predictions import SPLITS
from search.study.run_directory import RunDirectory
from search.study.view import TrialRecord
from search.workers import preemption

_SEED_OFFSET = 1_000_000
"""From the seed of the trials to the first of the retrainings."""

PUBLISHED_RECIPES = [asdict(figures) for backbone in BACKBONES.values() for figures in backbone.published]
"""What others report of hand-made recipes on the same backbones."""
_PLAN = {"asked_for": dict, "epochs": int}


@dataclass(frozen=True)
class Order:
    """What is to be retrained.

    Attributes:
        contenders: Whose configurations.
        epochs: Most of each training.
        by_the_user: Whether a user asked for the trial, and it is not the best by the search's own rule.
        look: At the test labels, which are not looked at without; all seeds are one.
        again: Whether one that has ended is done again, unless the test labels are all that it lacks.
    """

    contenders: Contenders
    epochs: int
    by_the_user: bool = False
    look: Look | None = None
    again: bool = False


def retrain(
    order: Order, dataset: Dataset, run: RunDirectory, arguments: SearchArguments, progress: Progress
) -> dict[str, Any]:
    """Retrain the finalists by successive halving, the last of them and the known recipe with every seed, choose configuration,
    seed and epoch by the objective, measure what was chosen, and write best/model.keras, best/predictions.npz and
    best/metrics.json.

    A retraining of the same trials that was interrupted is continued with the epochs it was planned for; of one that ended
    without a look at the test labels, the models are measured.

    Returns:
        The content of metrics.json.

    Raises:
        InputError: best/ holds files under the same names that no retraining wrote.
    """
    seeds, look = retraining_seeds(arguments), order.look
    asked_for = order.contenders.asked_for(seeds, arguments.retrain_epochs)
    numbers = [str(trial.number) for trial in order.contenders.all]
    named = f"trials {', '.join(numbers)}" if numbers[1:] else f"trial {numbers[0]}"
    check_place(run.best_model.parent)
    done = _done(run, asked_for, order)
    if done is not None:
        progress.say(f"{named}: retrained before")
        if not _lacks_test(done, look):
            return done
        write_json(run.retraining_plan, {"asked_for": asked_for, "epochs": done["epochs"]})
    epochs = _plan(run, asked_for, order.epochs)
    began = time.monotonic()
    if done is None:
        progress.say(f"retraining {named} on the whole training split, up to {epochs} epochs")
    gc.collect()  # the networks of the trials
    retraining = Retraining(dataset, arguments, epochs, progress)

    def train_one(trial: TrialRecord, seed: int, until: int | None) -> Retrained:
        recipe = Recipe.from_hyperparameters(trial.hyperparameters)
        name = f"trial {trial.number}, seed {seed}" if numbers[1:] else f"seed {seed}"
        return retraining.train(recipe, run.retraining(trial.number, seed), seed, until=until, name=name)

    halving = SuccessiveHalving(
        order.contenders, train_one, seeds=seeds, epochs=epochs, objective=arguments.objective
    )
    best = halving.run()
    told = {
        **halving.told(dataset.val),
        "asked_for_by_the_user": order.by_the_user,
        "objective": arguments.objective,
        "epochs": epochs,
        "retraining": asked_for,
    }
    trained = time.monotonic() - began + (done or {}).get("times", {}).get("retraining", 0.0)
    progress.say(
        "retraining done; the test labels are " + ("not looked at" if look is None else "looked at now, once")
    )
    metrics = _write(halving, best, {**told, "times": {"retraining": trained}}, dataset, run, look)
    run.retraining_plan.unlink()
    for directory in run.retrainings():
        Checkpoints(directory).finish()
    return metrics


def _write(
    halving: SuccessiveHalving,
    trial: TrialRecord,
    told: dict[str, Any],
    dataset: Dataset,
    run: RunDirectory,
    look: Look | None,
) -> dict[str, Any]:
    """Measure the networks of `trial` of every seed, and on the test split those that it is compared with; write the one of the
    best seed and the figures of all with what else is `told`; return the content of metrics.json."""
    began = time.monotonic()
    trainings, best_seed = halving.trainings(trial), halving.best_seed(trial)
    rivals = rivals_of(halving, trial, told)
    measured = dict(zip(trainings, measure(subjects_of(halving, trial), dataset, look, rivals), strict=True))
    told["times"]["evaluation"] = time.monotonic() - began
    return write_best(
        run.best_model.parent,
        trainings[best_seed].model,  # as it is, so that the ledger names the file by its sum
        lambda _: {
            **as_metrics(measured[best_seed], dataset),
            **_of_trial(trial, trainings, measured, best_seed, told["objective"]),
            **told,
        },
        measured[best_seed].predictions,
    )


def retraining_seeds(arguments: SearchArguments) -> list[int]:
    """Return the seeds of the retrainings. No trial has had one of them: the best trial is the best of many also by the luck of
    its seed, and what that adds is not to be counted twice."""
    return [(arguments.seed + _SEED_OFFSET + i) % 2**32 for i in range(arguments.retrain_seeds)]


@dataclass(frozen=True)
class Retraining:
    """How configurations are trained again, alone or as members of an ensemble: on the whole training split of `dataset` up to
    `epochs`, as a study of `arguments` trains. `networks` stay compiled from one to the next."""

    dataset: Dataset
    arguments: SearchArguments
    epochs: int
    progress: Progress
    networks: Networks = field(default_factory=Networks)

    def train(
        self, recipe: Recipe, directory: Path, seed: int, *, until: int | None = None, name: str = ""
    ) -> Retrained:
        """Train `recipe` in `directory`, or continue what was interrupted there, up to epoch `until`; where that is None, to the
        end, and save the model of the epoch that is best by the objective as model.keras beside its checkpoints. People know the
        training by its `name`."""
        arguments, progress, name = self.arguments, self.progress, name or f"seed {seed}"
        before = Checkpoints(directory, objective=arguments.objective)
        ended = (directory / MODEL).is_file() if until is None else len(before.history) >= until
        if ended and before.best is not None:
            return Retrained(directory, before.history, before.best)
        progress.retraining_begins(name)

        def on_epoch(epoch: Epoch) -> bool:
            if epoch.epoch > len(before.history):
                progress.epoch_ends(epoch, self.epochs)
            return epoch.epoch == until

        def on_batch(epoch: int, batch: int, batches: int) -> None:
            preemption.check()
            progress.batch_ends(epoch, self.epochs, batch, batches)

        training = train(
            recipe,
            self.dataset,
            directory=directory,
            epochs=self.epochs,
            settings=training_settings(arguments, recipe.backbone, seed=seed),
            networks=self.networks,
            listener=Listener(on_epoch, on_batch),
        )
        if until is None:
            save_model(training.model, directory / MODEL)
        best = training.best
        progress.training_ends(
            f"retraining, {name}: val_{arguments.objective} {best.metrics[arguments.objective]:.4f}, {CHOSEN}, at epoch "
            f"{best.epoch} of {len(training.history)}"
        )
        return Retrained(directory, training.history, best)


def _done(run: RunDirectory, asked_for: dict[str, Any], order: Order) -> dict[str, Any] | None:
    """The content of metrics.json, if it is of the retraining that is asked for and that is not to be done again."""
    found = None if run.retraining_plan.exists() else read_metrics(run.best_model.parent)
    if found is None or found.get("retraining") != asked_for or not run.best_model.exists():
        return None
    return None if order.again and not _lacks_test(found, order.look) else found


def _lacks_test(metrics: dict[str, Any], look: Look | None) -> bool:
    lacking = metrics["test_accuracy"] is None or (
        "improvement" in metrics and "improvement_test" not in metrics  # by a version before
    )
    return look is not None and lacking


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


def _of_trial(
    trial: TrialRecord,
    trainings: Mapping[int, Retrained],
    measured: Mapping[int, Measured],
    best_seed: int,
    objective: str,
) -> dict[str, Any]:
    """What metrics.json has of a configuration that was retrained with several seeds."""
    figures = {seed: one.figures for seed, one in measured.items()}
    of_seeds = {
        f"{split}_{name}": [
            figures[seed][split]["objectives"][name] for seed in trainings if split in figures[seed]
        ]
        for name in dict.fromkeys([DEFAULT_OBJECTIVE, objective])
        for split in SPLITS
    }
    return {
        "hyperparameters": trial.hyperparameters,
        "trial": trial.number,
        "trial_score": trial.score,
        "best_epoch": trainings[best_seed].best.epoch,
        "best_seed": best_seed,
        "mean": {name: fmean(values) if values else None for name, values in of_seeds.items()},
        "deviation": {name: stdev(values) if len(values) > 1 else None for name, values in of_seeds.items()},
        "seeds": [
            {
                "seed": seed,
                "val_accuracy": figures[seed]["val"]["accuracy"],
                "test_accuracy": figures[seed].get("test", {}).get("accuracy"),
                "objectives": {split: of_split["objectives"] for split, of_split in figures[seed].items()},
                "best_epoch": training.best.epoch,
            }
            for seed, training in trainings.items()
        ],
        "seed_recipes": PUBLISHED_RECIPES,
    }
