"""What freezing costs and saves: accuracy and time of fine-tuning dlib's face network against the freeze index.

    KERAS_BACKEND=jax python benchmarks/freeze_index.py --data PATH/TO/FERPLUS --epochs 3 --csv freeze_index.csv
    python benchmarks/freeze_index.py --csv freeze_index.csv --draw freeze_index.svg

The known recipe of the space `transfer`, each freeze index once with each of --seeds, without the prefix cache. Rows are added to
the file as they are measured, and those it has are not measured again.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

BACKBONE = "dlib_face"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument(
        "--freeze", nargs="+", type=int, help="freeze indices; the backbone's choices without it"
    )
    parser.add_argument("--fraction", type=float, default=1.0, help="of the training split")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--weights", default="dlib")
    parser.add_argument("--csv", type=Path, required=True)
    parser.add_argument("--draw", type=Path, help="draw what the file holds there, and measure nothing")
    asked = parser.parse_args()
    if asked.draw:
        draw(asked.csv, asked.draw)
    else:
        measure(asked)


def measure(asked: argparse.Namespace) -> None:
    """Train with each freeze index and seed, and add a row for each."""
    from models.device.setup import prepare_device

    prepare_device()
    from ferplus_data.dataset import load_dataset, stratified
    from models.backbones.registry import BACKBONES

    dataset = load_dataset(asked.data)
    rows = stratified(dataset.train_without_copies, asked.fraction, (0, 0))
    known = {(int(row["freeze_before"]), int(row["seed"])) for row in read(asked.csv)}
    for seed in asked.seeds:
        for freeze_before in asked.freeze or BACKBONES[BACKBONE].freeze_choices:
            if (freeze_before, seed) not in known:
                add(asked.csv, trained(freeze_before, seed, rows, dataset, asked))


def trained(
    freeze_before: int, seed: int, rows: Any, dataset: Any, asked: argparse.Namespace
) -> dict[str, Any]:
    """Train once; return a row of the file."""
    import keras

    from models.device.precision import resolve_precision
    from models.networks.build import build_model
    from models.recipe import Recipe
    from models.training.loop import train
    from models.training.settings import Settings
    from spaces.transfer import RECIPES

    keras.backend.clear_session()
    recipe = Recipe.from_hyperparameters({**RECIPES["transfer-soft"], "freeze_before": freeze_before})
    settings = Settings(
        weights=asked.weights, seed=seed, precision=resolve_precision("auto")[0], train_split=rows
    )
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        training = train(recipe, dataset, directory=Path(folder), epochs=asked.epochs, settings=settings)
    trainable = build_model(recipe).trainable_variables
    return {
        "freeze_before": freeze_before,
        "seed": seed,
        "trainable": sum(int(keras.ops.size(variable)) for variable in trainable),
        "rows": len(rows),
        "val_faces": len(dataset.val),
        "epochs": asked.epochs,
        "val_accuracy": round(training.best.val_accuracy, 5),
        "macro_f1": round(training.best.metrics["macro_f1"], 5),
        "first_epoch_s": round(training.history[0].seconds, 2),
        "epoch_s": round(min(epoch.seconds for epoch in training.history), 2),
        "all_s": round(time.perf_counter() - began, 1),
    }


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows of the file, none if there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def add(path: Path, row: dict[str, Any]) -> None:
    """Add a row to the file, and to what is printed."""
    print(row, flush=True)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        if new:
            writer.writeheader()
        writer.writerow(row)


def draw(source: Path, picture: Path) -> None:
    """Draw validation accuracy with its 95 % interval over faces, and the seconds of an epoch, against the freeze index; with
    several seeds, their means."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    from models.metrics.intervals import wilson

    found: dict[int, list[dict[str, str]]] = {}
    for row in read(source):
        found.setdefault(int(row["freeze_before"]), []).append(row)
    choices = sorted(found, key=lambda choice: choice or -(10**6))
    accuracy = [mean([float(row["val_accuracy"]) for row in found[choice]]) for choice in choices]
    seconds = [mean([float(row["epoch_s"]) for row in found[choice]]) for choice in choices]
    faces = int(found[choices[0]][0]["val_faces"])
    bounds = zip(*(wilson(share, faces) for share in accuracy), strict=True)
    low, high = ([100 * bound for bound in side] for side in bounds)
    places = range(len(choices))
    pyplot.rcParams["svg.fonttype"] = "none"  # text as text: a smaller file
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    axes.fill_between(places, low, high, alpha=0.15, linewidth=0)
    axes.plot(places, [100 * share for share in accuracy], marker="o", markersize=4)
    axes.set(xlabel="freeze index: layers before it are frozen (0: none)", ylabel="validation accuracy, %")
    axes.set_xticks(places, [str(choice) for choice in choices], rotation=45)
    other = axes.twinx()
    other.plot(places, seconds, color="C1", marker="s", markersize=4, linestyle="--")
    other.set_ylabel("seconds an epoch (dashed)")
    other.set_ylim(bottom=0)
    figure.savefig(picture)
    pyplot.close(figure)


if __name__ == "__main__":
    main()
