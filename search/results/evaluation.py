"""A checkpoint against the validation and test splits of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.dataset import Dataset, load_dataset
from ferplus_data.labels import EMOTIONS
from models.metrics.scores import score
from models.serving.classifier import Classifier
from models.serving.runtimes import open_classifier
from search.study.config import read_arguments
from search.study.run_directory import RunDirectory

SPLITS = ("val", "test")


def evaluate_checkpoint(
    path: Path, *, data: str | None, run: RunDirectory | None, tta: bool = False
) -> dict[str, Any]:
    """Return the figures of the model in `path`, of any kind that `models.serving.runtimes.RUNTIMES` opens, on both splits.

    Args:
        path: The checkpoint.
        data: Data to evaluate on; None: the study's with its subset, or the demo without a study.
        run: The study that the checkpoint is from, if it is from one.
        tta: Whether to give also the figures of the mean over each face and its mirror image, under "tta".

    Returns:
        checkpoint, data, and what best/metrics.json calls by the same names: val_accuracy, test_accuracy, n_val, n_test, the
        same for new photographs, and per split interval, interval_new_photographs, macro_f1, majority_class_rate, per_class,
        confusion, calibration, votes, ties and photographs.
    """
    classify = open_classifier(path)
    options: dict[str, Any] = {}
    if data is None and run is not None and run.config.exists():
        arguments = read_arguments(run)
        data = arguments.data
        options = {"subset": arguments.subset, "dedupe": arguments.dedupe, "seed": arguments.seed}
    dataset = load_dataset(data or "demo", **options)
    figures: dict[str, Any] = {"checkpoint": str(path), "data": dataset.source, **_figures(classify, dataset)}
    if tta:
        figures["tta"] = {
            "averaged": "each face and its horizontal mirror image",
            **_figures(with_mirror_image(classify), dataset),
        }
    return figures


def with_mirror_image(classify: Classifier) -> Classifier:
    """Return a classifier that gives the mean of what `classify` says of each face and of its mirror image, left and right
    exchanged."""
    return lambda faces: np.mean(
        [classify(faces), classify(faces[:, :, ::-1].copy())], axis=0, dtype=np.float32
    )


def _figures(classify: Classifier, dataset: Dataset) -> dict[str, Any]:
    scores = {
        name: score(classify(getattr(dataset, name).pixels()), getattr(dataset, name)) for name in SPLITS
    }
    return of_splits(scores)


def of_splits(scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return `scores`, split -> `models.metrics.scores.score`, under the names of metrics.json."""
    figures: dict[str, Any] = {}
    for ending in ("", "_new_photographs"):
        figures |= {f"{split}_accuracy{ending}": scores[split][f"accuracy{ending}"] for split in SPLITS}
        figures |= {f"n_{split}{ending}": scores[split][f"n{ending}"] for split in SPLITS}
    by_split = (
        "interval", "interval_new_photographs", "macro_f1", "majority_class_rate", "per_class", "confusion", "calibration",
        "votes", "ties", "photographs",
    )  # fmt: skip
    return figures | {name: {split: scores[split][name] for split in SPLITS} for name in by_split}


def lines_of(figures: dict[str, Any]) -> list[str]:
    """Return the figures of `evaluate_checkpoint` as lines to read."""
    lines = [f"checkpoint {figures['checkpoint']}", f"data {figures['data']}"]
    for split in SPLITS:
        lines += _split_lines(figures, split)
    if "tta" in figures:
        for split in SPLITS:
            lines.append(
                f"with the mirror image averaged: {_headline(figures['tta'], split)}",
            )
    return lines


def _headline(figures: dict[str, Any], split: str) -> str:
    low, high = figures["interval"][split]
    return (
        f"{split}_accuracy {figures[f'{split}_accuracy']:.4f}  n {figures[f'n_{split}']}  interval {low:.4f} to {high:.4f}  "
        f"macro_f1 {figures['macro_f1'][split]:.4f}  ece {figures['calibration'][split]['ece']:.4f}"
    )


def _split_lines(figures: dict[str, Any], split: str) -> list[str]:
    lines = [_headline(figures, split)]
    new = figures[f"{split}_accuracy_new_photographs"]
    if new is not None:
        low, high = figures["interval_new_photographs"][split]
        lines.append(
            f"  new photographs {new:.4f}  n {figures[f'n_{split}_new_photographs']}  interval {low:.4f} to {high:.4f}"
        )
    counts = figures["confusion"][split]
    lines.append(
        f"  {'':10} precision  recall     f1  support   predicted: {' '.join(f'{e[:5]:>5}' for e in EMOTIONS)}"
    )
    for row, confused in zip(figures["per_class"][split], counts, strict=True):
        lines.append(
            f"  {row['emotion']:10} {row['precision']:9.3f}  {row['recall']:6.3f} {row['f1']:6.3f}  {row['support']:7}"
            f"              {' '.join(f'{n:5}' for n in confused)}"
        )
    return lines
