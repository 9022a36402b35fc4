"""Models on the validation split, and on the test split for whoever has its labels looked at and written down."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferplus_data.dataset import Dataset, Split
from ferplus_data.files.owned import sha256_of
from models.metrics.scores import score
from models.serving.classifier import Classifier
from search.study.predictions import SPLITS, Predictions
from search.study.readings import append_reading

BY_SPLIT = (
    "interval", "interval_new_photographs", "macro_f1", "objectives", "majority_class_rate", "per_class", "confusion",
    "calibration", "votes", "ties", "photographs",
)  # fmt: skip
"""Figures of `models.metrics.scores.score` that metrics.json holds by split under their own names."""


@dataclass(frozen=True)
class Subject:
    """A model that is measured, and what tells it in the ledger: sha256, and trial, seed or file."""

    classify: Classifier
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """A look at the test labels: into which ledger it is written, which command looks, and why."""

    ledger: Path
    command: str
    why: str


@dataclass(frozen=True)
class Rivals:
    """Models that are shown the test rows in the same look, to be compared with the others.

    Attributes:
        subjects: The models.
        compare: Called with what the others and what these said of the test rows, float32 [N, 8] of each, and those rows.
    """

    subjects: Sequence[Subject]
    compare: Callable[[Sequence[NDArray[np.float32]], Sequence[NDArray[np.float32]], Split], None]


@dataclass(frozen=True)
class Measured:
    """What came out for one model.

    Attributes:
        figures: split -> `models.metrics.scores.score`; without "test" where its labels were not looked at.
        predictions: the same splits -> what was said of their rows.
        reading: number of the line in the ledger, from 1; None where there is none.
    """

    figures: dict[str, dict[str, Any]]
    predictions: dict[str, Predictions]
    reading: int | None


def measure(
    subjects: Sequence[Subject], dataset: Dataset, look: Look | None, rivals: Rivals | None = None
) -> list[Measured]:
    """Measure each of `subjects` on the validation split, and on the test split if there is a `look`, which is one line in its
    ledger for all of them and their `rivals`."""
    faces = dataset.val_of_any_protocol.pixels()
    found = [_of("val", subject.classify(faces), dataset.val_of_any_protocol) for subject in subjects]
    if look is None:
        return [Measured(*one, None) for one in found]
    faces = dataset.test_of_any_protocol.pixels()
    said = [subject.classify(faces) for subject in subjects]
    tests, reading = _look_at_test(said, [subject.about for subject in subjects], dataset, look, rivals)
    return [
        Measured(val[0] | test[0], val[1] | test[1], reading) for val, test in zip(found, tests, strict=True)
    ]


def sha256_of_model(path: Path) -> str:
    """The sha256 (hex) of the model file `path`; of a folder, of the sums and names of its files."""
    if path.is_file():
        return sha256_of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = "".join(f"{sha256_of(file)}  {file.relative_to(path).as_posix()}\n" for file in files)
    return hashlib.sha256(lines.encode("utf-8", errors="surrogateescape")).hexdigest()


_Found = tuple[dict[str, dict[str, Any]], dict[str, Predictions]]


def _look_at_test(
    said: Sequence[NDArray[np.float32]],
    about: Sequence[Mapping[str, Any]],
    dataset: Dataset,
    look: Look,
    rivals: Rivals | None,
) -> tuple[list[_Found], int]:
    """The one place where a model meets the test labels; what is seen is in the ledger before anyone is told."""
    others = rivals.subjects if rivals else ()
    said_by_others = [one.classify(dataset.test_of_any_protocol.pixels()) for one in others]
    labelled = dataset.test_of_any_protocol.reveal_labels()
    found = [_of("test", probabilities, labelled) for probabilities in said]
    accuracies = [figures["test"]["accuracy"] for figures, _ in found]
    of_others = [score(probabilities, labelled)["accuracy"] for probabilities in said_by_others]
    reading = append_reading(
        look.ledger,
        command=look.command,
        why=look.why,
        models=[{**one, "accuracy": accuracy} for one, accuracy in zip(about, accuracies, strict=True)],
        compared_with=[{**one.about, "accuracy": a} for one, a in zip(others, of_others, strict=True)],
        n=len(dataset.test),
        accuracy=fmean(accuracies),
    )
    if rivals is not None:
        kept = labelled.labels >= 0
        rivals.compare(
            [one[kept] for one in said], [one[kept] for one in said_by_others], labelled.take(kept)
        )
    return found, reading


def _of(name: str, probabilities: NDArray[np.float32], rows: Split) -> _Found:
    kept = rows.labels >= 0
    return (
        {name: score(probabilities, rows)},
        {name: Predictions.of(probabilities[kept], rows.take(kept))},
    )


def as_metrics(measured: Measured, dataset: Dataset, *, chosen: bool = True) -> dict[str, Any]:
    """Return `measured` under the names of metrics.json. What was not measured on the test split is None, or missing where a
    figure is by split. `chosen` tells whether the model was chosen by the validation split."""
    scores = measured.figures
    found: dict[str, Any] = {}
    for ending in ("", "_new_photographs"):
        for split in SPLITS:
            of_split = scores.get(split, {})
            found[f"{split}_accuracy{ending}"] = of_split.get(f"accuracy{ending}")
            found[f"n_{split}{ending}"] = of_split.get(f"n{ending}")
    found |= {name: {split: scores[split][name] for split in scores} for name in BY_SPLIT}
    rules = dict.fromkeys(rule for of_split in scores.values() for rule in of_split["protocols"])
    return found | {
        "protocol": dataset.protocol,
        "protocols": {
            rule: {
                split: of_split["protocols"][rule]
                for split, of_split in scores.items()
                if rule in of_split["protocols"]
            }
            for rule in rules
        },
        "labels_source": dataset.labels_source,
        "chosen_on_these_rows": ["val"] if chosen else [],
        "test_reading": measured.reading,
    }
