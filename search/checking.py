"""A checkpoint against the validation and test splits of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ferplus_data.dataset import load_dataset
from models.evaluation import evaluate
from models.saved import load_model
from search.config import read_arguments
from search.run_directory import RunDirectory


def evaluate_checkpoint(path: Path, *, data: str | None, run: RunDirectory | None) -> list[str]:
    """Return lines with the figures of the .keras model in `path`.

    Args:
        path: The checkpoint.
        data: Data to evaluate on; None: the study's with its subset, or the demo without a study.
        run: The study that the checkpoint is from, if it is from one.
    """
    model = load_model(path)
    options: dict[str, Any] = {}
    if data is None and run is not None and run.config.exists():
        arguments = read_arguments(run)
        data = arguments.data
        options = {"subset": arguments.subset, "dedupe": arguments.dedupe, "seed": arguments.seed}
    dataset = load_dataset(data or "demo", **options)
    lines = [f"checkpoint {path}", f"data {dataset.source}"]
    for name in ("val", "test"):
        figures = evaluate(model, getattr(dataset, name))
        without = figures["accuracy_without_twins"]
        lines.append(
            f"{name}_accuracy {figures['accuracy']:.4f}  n {figures['n']}  macro_f1 {figures['macro_f1']:.4f}  "
            + (
                f"without training twins {without:.4f}  n {figures['n_without_twins']}"
                if without is not None
                else ""
            )
        )
        for row in figures["per_class"]:
            lines.append(
                f"  {row['emotion']:10} precision {row['precision']:.3f}  recall {row['recall']:.3f}  f1 {row['f1']:.3f}  "
                f"support {row['support']}"
            )
    return lines
