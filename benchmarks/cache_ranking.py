"""Does the prefix cache rank configurations as training without it does?

A dozen configurations, drawn at random from the transfer space of benchmarks/transfer.py, are each trained twice from the same
weights (the stand-in described there): on fresh augmentation, and on cached activations of `--views` augmented views. Printed is
Spearman's rank correlation of their best validation accuracies.

    python benchmarks/cache_ranking.py --data PATH [--configurations 12] [--epochs 6] [--views 4] [--subset 0.1]
                                       [--standin FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from models.device.setup import prepare_device  # noqa: E402

prepare_device()

import keras_tuner  # noqa: E402
import numpy as np  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402
from transfer import halves, pretrain, transfer  # noqa: E402

from ferplus_data.dataset import load_dataset, stratified  # noqa: E402
from models.frozen_prefix.activations import Caching  # noqa: E402
from models.frozen_prefix.cache import PrefixCache  # noqa: E402
from models.networks.compiled import Networks  # noqa: E402
from models.recipe import Recipe  # noqa: E402
from models.training.loop import train  # noqa: E402
from models.training.settings import Settings  # noqa: E402


def draw(count: int, seed: int) -> list[Recipe]:
    """Recipes at random from the space."""
    hp = keras_tuner.HyperParameters()
    transfer(hp)
    rng = np.random.default_rng(seed)
    recipes = []
    for _ in range(count):
        values = {one.name: one.random_sample(int(rng.integers(2**31))) for one in hp.space}
        recipes.append(Recipe.from_hyperparameters(values))
    return recipes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--configurations", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--views", type=int, default=4)
    parser.add_argument("--subset", type=float, default=0.1, help="stratified part of the other half")
    parser.add_argument("--standin", type=Path, help="where its weights are, or go if there are none yet")
    parser.add_argument("--standin-epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    dataset = load_dataset(arguments.data)
    pairs = []
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        weights = arguments.standin or folder / "standin.weights.h5"
        pretrain(dataset, weights, arguments.standin_epochs)
        split = stratified(halves(dataset)[1], arguments.subset, (0, 0))
        networks = Networks()
        caching = Caching(PrefixCache(folder / "cache"), views=arguments.views)
        for number, recipe in enumerate(draw(arguments.configurations, arguments.seed)):
            accuracies = []
            for name, used in (("uncached", None), ("cached", caching)):
                training = train(
                    recipe,
                    dataset,
                    directory=folder / f"{number}-{name}",
                    epochs=arguments.epochs,
                    settings=Settings(weights=str(weights), train_split=split),
                    networks=networks,
                    caching=used,
                )
                if training.cached != (used is not None):
                    print(f"configuration {number} did not use the cache", file=sys.stderr)
                accuracies.append(training.best.val_accuracy)
            pairs.append(accuracies)
            if not arguments.json:
                print(
                    f"{number:3} freeze {recipe.freeze_before:4} lr {recipe.learning_rate:.1e} {recipe.augmentation:6} "
                    f"uncached {accuracies[0]:.4f} cached {accuracies[1]:.4f}",
                    flush=True,
                )
    correlation = spearmanr(*np.array(pairs).T).statistic
    if arguments.json:
        print(json.dumps({"pairs": pairs, "spearman": correlation}))
    else:
        print(f"Spearman's rank correlation of {len(pairs)} configurations: {correlation:.3f}")


if __name__ == "__main__":
    main()
