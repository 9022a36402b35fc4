"""A checkpoint against the validation split of a data set, and its test split if that is asked for."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.dataset import load_dataset
from ferplus_data.errors import InputError
from ferplus_data.labels import EMOTIONS
from models.serving.classifier import Classifier
from models.serving.runtimes import open_classifier
from search.results.measuring import Look, Subject, as_metrics, measure, sha256_of_model
from search.study.best import CHOSEN, read_metrics
from search.study.config import load, read_arguments
from search.study.predictions import SPLITS
from search.study.readings import described, ledger_of, read_readings, study_around
from search.study.run_directory import RunDirectory


def evaluate_checkpoint(
    path: Path, *, data: str | None, run: RunDirectory | None, tta: bool = False, test: bool = False
) -> dict[str, Any]:
    """Return the figures of the model in `path`, of any kind that `models.serving.runtimes.RUNTIMES` opens.

    Args:
        path: The checkpoint.
        data: Data to evaluate on; None: the study's with its subset, or the demo without a study.
        run: The study that the checkpoint is from, if it is from one.
        tta: Whether to give also the figures of the mean over each face and its mirror image, under "tta".
        test: Whether to look at the test labels too, which is written into the study's ledger, or beside the checkpoint.

    Returns:
        checkpoint, data, and what `search.results.measuring.as_metrics` gives; test_readings, the ledger in words, if `test`.
    """
    classify = open_classifier(path)
    if data is None and run is not None and run.config.exists():
        dataset = load(read_arguments(run))
    else:
        dataset = load_dataset(data or "demo")
    ledger, study = ledger_of(path), study_around(path)
    look = Look(ledger, "evaluate", "asked for with --test") if test else None
    about = {"file": path.name, "sha256": sha256_of_model(path)} | _trial_of(path)
    subjects = [Subject(classify, about)]
    if tta:
        subjects.append(Subject(with_mirror_image(classify), {**about, "averaged": _MIRRORED}))
    found = [as_metrics(one, dataset, chosen=study is not None) for one in measure(subjects, dataset, look)]
    figures: dict[str, Any] = {"checkpoint": str(path), "data": dataset.source, **found[0]}
    if tta:
        figures["tta"] = {"averaged": _MIRRORED, **found[1]}
    if test:
        figures["test_readings"] = described(read_readings(ledger))
    return figures


def _trial_of(path: Path) -> dict[str, Any]:
    """Which trial the model in `path` is of, if the metrics.json beside it are of that file."""
    with contextlib.suppress(InputError):  # damaged: not known
        metrics = read_metrics(path.parent, of_one_trial=False) if path.is_file() else None
        if (
            metrics is not None
            and metrics.get("model_sha256") == sha256_of_model(path)
            and "trial" in metrics
        ):
            return {"trial": metrics["trial"]}
    return {}


_MIRRORED = "each face and its horizontal mirror image"


def with_mirror_image(classify: Classifier) -> Classifier:
    """Return a classifier that gives the mean of what `classify` says of each face and of its mirror image, left and right
    exchanged."""
    return lambda faces: np.mean(
        [classify(faces), classify(faces[:, :, ::-1].copy())], axis=0, dtype=np.float32
    )


def lines_of(figures: dict[str, Any]) -> list[str]:
    """Return the figures of `evaluate_checkpoint` as lines to read."""
    splits = [split for split in SPLITS if figures[f"{split}_accuracy"] is not None]
    lines = [
        f"checkpoint {figures['checkpoint']}",
        f"data {figures['data']}, labels from {figures['labels_source']}",
    ]
    for split in splits:
        lines += _split_lines(figures, split)
    if "tta" in figures:
        for split in splits:
            lines.append(
                f"with the mirror image averaged: {_headline(figures['tta'], split)}",
            )
    if "test" in splits:
        readings = figures["test_readings"]
        lines.append(f"test labels: reading {figures['test_reading']} of {len(readings)}, of")
        lines += [f"  {number}. {one}" for number, one in enumerate(readings, start=1)]
    else:
        lines.append("test labels: not looked at; --test does, and writes it down")
    return lines


def _headline(figures: dict[str, Any], split: str) -> str:
    low, high = figures["interval"][split]
    return (
        f"{split}_accuracy {figures[f'{split}_accuracy']:.4f}  n {figures[f'n_{split}']}  interval {low:.4f} to {high:.4f}  "
        f"macro_f1 {figures['macro_f1'][split]:.4f}  ece {figures['calibration'][split]['ece']:.4f}"
        + (f"  ({CHOSEN})" if split in figures["chosen_on_these_rows"] else "")
    )


def _split_lines(figures: dict[str, Any], split: str) -> list[str]:
    lines = [_headline(figures, split)]
    new = figures[f"{split}_accuracy_new_photographs"]
    if new is not None:
        low, high = figures["interval_new_photographs"][split]
        of_new = figures["photographs"][split]["new_photographs"]
        at_mix, (least, most) = of_new["accuracy_at_full_mix"], of_new["accuracy_at_full_mix_interval"]
        lines += [
            f"  new photographs {new:.4f}  n {figures[f'n_{split}_new_photographs']}  interval {low:.4f} to {high:.4f}  "
            f"macro_f1 {of_new['macro_f1']:.4f}",
            f"  new photographs, weighted to the expressions' shares of all rows {at_mix:.4f}  interval {least:.4f} to "
            f"{most:.4f}",
        ]
    for rule, of_rule in figures["protocols"].items():
        if split in of_rule and rule != figures["protocol"]:
            one = of_rule[split]
            low, high = one["interval"]
            lines.append(
                f"  rows of {rule} {one['accuracy']:.4f}  n {one['n']}  interval {low:.4f} to {high:.4f}"
            )
    ties = figures["ties"][split]
    if ties["n"] and ties["accuracy_without"] is not None:
        lines.append(
            f"  without the {ties['n']} two-way ties {ties['accuracy_without']:.4f}, with either tied label accepted "
            f"{ties['accuracy_either']:.4f}"
        )
    votes = figures["votes"][split]
    lines.append(
        f"  against the votes: nll {votes['nll_votes']:.4f} (at least {votes['nll_votes_floor']:.4f}), brier "
        f"{votes['brier_votes']:.4f} (at least {votes['brier_votes_floor']:.4f})"
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
