"""Training steps with TensorFlow's one kernel for Adam (models/optimization/optimizers.py) and with Keras's operations, in turns.

    python benchmarks/adam.py [--rounds 30] [--steps 5] [--json]

What follows the frozen prefix of ResNet50 at 96 pixels before -12, and the whole small network at 48, batches of 64 in memory. A
round is some steps of the one and as many of the other; its ratio is how many times as fast the kernel was.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.device.setup import prepare_device  # noqa: E402

prepare_device()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.results import summary  # noqa: E402
from models.networks.build import build_model  # noqa: E402
from models.networks.split import cut_position, split_model  # noqa: E402
from models.optimization.optimizers import OPTIMIZERS  # noqa: E402
from models.recipe import Recipe  # noqa: E402

BATCH = 64
CASES = {
    "ResNet50 before -12, 96 pixels": Recipe(backbone="resnet50", freeze_before=-12, image_size=96),
    "small, all layers, 48 pixels": Recipe(backbone="small", image_size=48),
}


def trained(recipe: Recipe, optimizer: keras.optimizers.Optimizer) -> keras.Model:
    """Return what follows the frozen prefix of the recipe's network, or all of it, compiled."""
    model = build_model(recipe)
    position = cut_position(model, recipe.freeze_before)
    if position is not None:
        model = split_model(model, position)[1]
    model.compile(optimizer, "categorical_crossentropy")
    return model


def ratios(recipe: Recipe, rounds: int, steps: int) -> list[float]:
    """Return, a round each, seconds with Keras's operations over seconds with the kernel."""
    models = [
        trained(recipe, keras.optimizers.Adam(1e-4)),
        trained(recipe, OPTIMIZERS["adam"](recipe)),
    ]
    rng = np.random.default_rng(0)
    shape = models[0].input_shape[1:]
    given = rng.integers(0, 256, (BATCH, *shape)).astype(models[0].inputs[0].dtype)
    targets = np.eye(8, dtype=np.float32)[rng.integers(0, 8, BATCH)]
    found = []
    for number in range(rounds + 2):  # the first two trace and warm up
        seconds = {}
        for index in (0, 1) if number % 2 else (1, 0):
            began = time.perf_counter()
            for _ in range(steps):
                models[index].train_on_batch(given, targets)
            seconds[index] = time.perf_counter() - began
        found.append(seconds[0] / seconds[1])
    return found[2:]


def main() -> None:
    """Print the ratios with their intervals."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the ratios as JSON")
    arguments = parser.parse_args()
    for name, recipe in CASES.items():
        values = ratios(recipe, arguments.rounds, arguments.steps)
        median, (low, high) = summary(values)
        if arguments.json:
            print(json.dumps({"claim": name, "values": [round(value, 4) for value in values]}))
        else:
            print(
                f"{name}: {median:.3f} times as fast, 95 % interval {low:.3f} to {high:.3f}, {len(values)} rounds"
            )


if __name__ == "__main__":
    main()
