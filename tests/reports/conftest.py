"""Synthetic studies in every state a report can meet, without training anything."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from models.metrics.scores import calibration
from search.study.predictions import Predictions
from search.study.view import StudyView, TrialRecord

KINDS = ("full", "running", "one trial", "none finished", "only failures", "no trials")
EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
COUNTS = {
    "train": [9509, 7399, 3291, 3121, 2097, 111, 510, 115],
    "val": [1250, 882, 427, 356, 290, 26, 60, 14],
    "test": [1170, 906, 415, 398, 280, 15, 78, 13],
}
RECIPES = [
    {
        "model": "ResNet50",
        "weights": "VGGFace2",
        "val_accuracy": 0.880,
        "test_accuracy": 0.865,
        "source": "seed README",
    },
    {
        "model": "SENet50",
        "weights": "VGGFace2",
        "val_accuracy": 0.873,
        "test_accuracy": 0.858,
        "source": "seed README",
    },
]
PACE = {"resnet50": 18.0, "senet50": 34.0}
"""Seconds of training of an epoch."""
START = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)


def sample_hyperparameters(rng: random.Random) -> dict[str, Any]:
    """A draw from a space like the full FER+ one: conditions on the backbone and on the LR policy."""
    backbone = rng.choice(["resnet50", "senet50"])
    policy = rng.choice(["plateau", "step", "cosine", "constant"])
    chosen: dict[str, Any] = {"backbone": backbone}
    depths = [0, -12, -25, -41, -51] if backbone == "resnet50" else [0, -21, -39, -57]
    chosen[f"freeze_before@{backbone}"] = rng.choice(depths)
    chosen["dropout"] = round(rng.uniform(0.0, 0.6), 3)
    chosen["learning_rate"] = 10 ** rng.uniform(-5, -2)
    chosen["lr_policy"] = policy
    if policy == "plateau":
        chosen["plateau_factor"] = round(rng.uniform(0.1, 0.8), 2)
        chosen["plateau_patience"] = rng.randint(1, 6)
    if policy == "step":
        chosen["step_epochs"] = rng.randint(3, 12)
    if policy == "cosine":
        chosen["warmup_epochs"] = rng.randint(0, 4)
    chosen["class_weights"] = rng.choice(
        ["baseline", "none", "balanced", "sqrt_balanced", "effective_number"]
    )
    chosen["weight_decay"] = rng.choice([0.0, 1e-5, 1e-4, 1e-3, 1e-2])
    chosen["batch_size"] = rng.choice([16, 32, 64, 128])
    chosen["augmentation"] = rng.choice(["none", "light", "baseline", "strong"])
    return chosen


def _declared(name: str, kind: str, *, conditions: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    described = {"values": None, "ordered": True, "low": None, "high": None, "step": None, "scale": "linear"}
    return {"name": name, "kind": kind, **described, "conditions": conditions or [], **more}


SPACE = [
    _declared("backbone", "choice", values=["resnet50", "senet50"], ordered=False),
    _declared(
        "freeze_before@resnet50",
        "choice",
        values=[0, -12, -25, -41, -51],
        conditions=[["backbone", ["resnet50"]]],
    ),
    _declared(
        "freeze_before@senet50", "choice", values=[0, -21, -39, -57], conditions=[["backbone", ["senet50"]]]
    ),
    _declared("dropout", "float", low=0.0, high=0.6),
    _declared("learning_rate", "float", low=1e-5, high=1e-2, scale="log"),
    _declared("lr_policy", "choice", values=["plateau", "step", "cosine", "constant"], ordered=False),
    _declared("plateau_factor", "float", low=0.1, high=0.8, conditions=[["lr_policy", ["plateau"]]]),
    _declared("plateau_patience", "int", low=1, high=6, conditions=[["lr_policy", ["plateau"]]]),
    _declared("step_epochs", "int", low=3, high=12, conditions=[["lr_policy", ["step"]]]),
    _declared("warmup_epochs", "int", low=0, high=4, conditions=[["lr_policy", ["cosine"]]]),
    _declared(
        "class_weights",
        "choice",
        values=["baseline", "none", "balanced", "sqrt_balanced", "effective_number"],
        ordered=False,
    ),
    _declared("weight_decay", "choice", values=[0.0, 1e-5, 1e-4, 1e-3, 1e-2]),
    _declared("batch_size", "choice", values=[16, 32, 64, 128]),
    _declared("augmentation", "choice", values=["none", "light", "baseline", "strong"], ordered=False),
]
"""As config.json holds it."""


def _quality(chosen: dict[str, Any]) -> float:
    off = abs(math.log10(chosen["learning_rate"]) + 3.2)
    return (
        0.87
        - 0.05 * off**2
        - 0.1 * abs(chosen["dropout"] - 0.3)
        - 0.03 * (chosen["class_weights"] == "baseline")
    )


def make_trial(number: int, state: str, rng: random.Random, directory: Path, epochs: int = 12) -> TrialRecord:
    drawn = sorted((sample_hyperparameters(rng) for _ in range(3)), key=_quality)
    chosen = drawn[{"pruned": 0, "complete": 2}.get(state, 1)]
    ran = {"complete": epochs, "pruned": rng.randint(1, epochs - 1), "failed": rng.choice([0, 2])}
    ran |= {"running": 3, "queued": 0}
    top = max(0.3, _quality(chosen))
    values = {e: top - 0.4 * math.exp(-e / 2.5) + rng.gauss(0, 0.006) for e in range(1, ran[state] + 1)}
    started = START + timedelta(minutes=7 * number)
    ended = (
        started + timedelta(seconds=41 * ran[state] + 9)
        if state in ("complete", "pruned", "failed")
        else None
    )
    error = (
        "Traceback (most recent call last):\n  File ...\nResourceExhaustedError: out of memory"
        if state == "failed"
        else None
    )
    return TrialRecord(
        number=number,
        state=state,
        hyperparameters=chosen,
        score=max(values.values(), default=None),
        values=values,
        started=None if state == "queued" else started,
        ended=ended,
        worker=None if state == "queued" else f"worker-{number % 4}",
        error=error,
        directory=directory / "trials" / f"{number:04}",
        times={
            "build": 2.0,
            "training": PACE[chosen["backbone"]] * ran[state],
            "validation": 6.0 * ran[state],
            "oracle": 0.2,
        },
        prefix_cache={"used": number % 3 == 0, "reason": "trains all layers", "seconds_saved": 12.5},
    )


def make_predictions(split: str, seed: int) -> Predictions:
    """Predictions for the split's official counts, right in about six rows of seven, ten votes each."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(8), COUNTS[split])
    logits = rng.normal(0, 0.7, (len(labels), 8))
    logits[np.arange(len(labels)), labels] += 2.2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    chances = np.full((len(labels), 10), 0.02)
    chances[np.arange(len(labels)), labels] = 0.82
    votes = rng.multinomial(10, chances)
    votes[np.arange(len(labels)), labels] += 10
    return Predictions(
        probabilities.astype(np.float32),
        labels.astype(np.int64),
        votes.astype(np.uint8),
        np.arange(len(labels), dtype=np.int64),
        rng.random(len(labels)) < 0.08,
        rng.integers(0, 256, (len(labels), 48, 48), dtype=np.uint8),
    )


def make_states(kind: str, trials: int, rng: random.Random) -> list[str]:
    if kind == "no trials":
        return []
    if kind == "one trial":
        return ["complete"]
    if kind == "only failures":
        return ["failed"] * min(trials, 4)
    if kind == "none finished":
        return ["running", "running", "queued"]
    states = rng.choices(["complete", "pruned", "failed"], weights=[55, 38, 7], k=trials)
    states[:3] = ["complete", "pruned", "failed"]
    if kind == "running":
        states[-3:] = ["running", "running", "queued"]
    return states


def make_metrics(best: TrialRecord, predictions: dict[str, Predictions]) -> dict[str, Any]:
    confusion = {
        split: confusion_matrix(said.labels, said.predicted, labels=range(8))
        for split, said in predictions.items()
    }
    accuracy = {split: float(np.trace(m) / m.sum()) for split, m in confusion.items()}
    per_class = {split: _per_class(m) for split, m in confusion.items()}
    return {
        "val_accuracy": accuracy["val"],
        "test_accuracy": accuracy["test"],
        "val_accuracy_new_photographs": accuracy["val"] - 0.004,
        "test_accuracy_new_photographs": accuracy["test"] - 0.006,
        "n_val": 3305,
        "n_test": 3275,
        "n_val_new_photographs": 3047,
        "n_test_new_photographs": 3018,
        "hyperparameters": best.hyperparameters,
        "trial": best.number,
        "trial_score": best.score,
        "epochs": 20,
        "best_epoch": 14,
        "seeds": [
            {
                "seed": s,
                "val_accuracy": accuracy["val"] - 0.003 * s,
                "test_accuracy": accuracy["test"] + d,
                "best_epoch": 14 + s,
            }
            for s, d in enumerate((0.0, -0.0061, 0.0024))
        ],
        "per_class": per_class,
        "confusion": {split: m.tolist() for split, m in confusion.items()},
        "macro_f1": {split: float(np.mean([row["f1"] for row in rows])) for split, rows in per_class.items()},
        "majority_class_rate": {"val": 1250 / 3305, "test": 1170 / 3275},
        "calibration": {
            split: calibration(said.probabilities, said.labels) for split, said in predictions.items()
        },
        "seed_recipes": RECIPES,
    }


def _per_class(matrix: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for index, emotion in enumerate(EMOTIONS):
        hits = matrix[index, index]
        precision = float(hits / max(1, matrix[:, index].sum()))
        recall = float(hits / max(1, matrix[index].sum()))
        f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        support = int(matrix[index].sum())
        rows.append(
            {"emotion": emotion, "precision": precision, "recall": recall, "f1": f1, "support": support}
        )
    return rows


def make_history(seed: int, epochs: int = 20) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    epoch = np.arange(1, epochs + 1)
    decay = np.exp(-epoch / 4)
    return pd.DataFrame(
        {
            "epoch": epoch,
            "loss": 0.25 + 1.4 * decay + rng.normal(0, 0.01, epochs),
            "accuracy": 0.93 - 0.5 * decay,
            "val_loss": 0.45 + 1.1 * decay + rng.normal(0, 0.02, epochs),
            "val_accuracy": 0.87 - 0.4 * decay + rng.normal(0, 0.005, epochs),
            "learning_rate": 1e-3 * 0.5 ** (epoch // 6),
            "seconds": 41.0,
        }
    )


def make_config(name: str, trials: int) -> dict[str, Any]:
    return {
        "version": 1,
        "space": SPACE,
        "study": name,
        "created": "2026-03-04T09:29:41+00:00",
        "arguments": {
            "data": "data/fer plus",
            "space": "ferplus",
            "oracle": "tpe",
            "pruner": "median",
            "trials": trials,
            "timeout": None,
            "epochs": 12,
            "seed": 7,
            "weights": "vggface2",
            "image_size": 224,
            "subset": 1.0,
            "dedupe": False,
            "retrain_seeds": 3,
            "pins": {"optimizer": "adam"},
        },
        "versions": {
            "python": "3.11.9",
            "tensorflow": "2.21.0",
            "keras": "3.15.0",
            "keras-tuner": "1.4.8",
            "optuna": "5.0.0",
        },
        "machine": {"cpu": "AMD EPYC 9B14", "cores": 2, "memory_gb": 15.6, "gpus": []},
        "data": {
            "source": "fer2013.csv + fer2013new.csv",
            "fingerprint": "9f2c" * 16,
            "counts": COUNTS,
            "splits": {
                split: {
                    "rows": sum(counts),
                    "in_training": sum(counts) // 13,
                    "votes": [7 * count for count in counts] + [90, 10],
                    "agreement": [0, 0, 40, 60, 200, 300, 400, 500, 600, 900],
                }
                for split, counts in COUNTS.items()
            },
        },
        "git_commit": "4be1f0c9d2a7",
    }


def make_view(
    kind: str = "full", *, trials: int = 60, seed: int = 0, directory: Path = Path("runs/faces")
) -> StudyView:
    rng = random.Random(seed)
    records = [make_trial(n, state, rng, directory) for n, state in enumerate(make_states(kind, trials, rng))]
    metrics = None
    histories: dict[str, pd.DataFrame] = {}
    predictions: dict[str, Predictions] = {}
    if kind in ("full", "one trial"):
        best = max((t for t in records if t.state == "complete"), key=lambda t: t.score or 0.0)
        predictions = {split: make_predictions(split, seed) for seed, split in enumerate(("val", "test"))}
        metrics = make_metrics(best, predictions)
        if kind == "one trial":
            metrics["seeds"] = metrics["seeds"][:1]
        histories = {f"seed {row['seed']}": make_history(row["seed"]) for row in metrics["seeds"]}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return StudyView(
        name="faces",
        directory=directory,
        config=make_config("faces", trials),
        trials=records,
        metrics=metrics,
        histories=histories,
        study=optuna.create_study(direction="maximize"),
        predictions=predictions,
    )


@pytest.fixture(scope="session")
def study_of() -> Callable[..., StudyView]:
    """`make_view`: a synthetic study of the kind asked for."""
    return make_view


@pytest.fixture(scope="session")
def as_loss() -> Callable[[StudyView], StudyView]:
    """Takes a study for one of a loss, 2 less what each score was."""

    def mirrored(view: StudyView) -> StudyView:
        trials = [
            replace(
                trial,
                score=None if trial.score is None else 2 - trial.score,
                values={epoch: 2 - value for epoch, value in trial.values.items()},
                minimized=True,
            )
            for trial in view.trials
        ]
        arguments = {**view.config["arguments"], "objective": "nll_majority"}
        return replace(view, trials=trials, config={**view.config, "arguments": arguments})

    return mirrored


@pytest.fixture(params=KINDS)
def view(request: pytest.FixtureRequest) -> StudyView:
    """One synthetic study of each kind."""
    return make_view(request.param)
