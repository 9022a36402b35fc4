"""Training steps a second of the small backbones on a CPU under the settings that models/device/setup.py chooses between (oneDNN,
whether freed memory is kept), with XLA, which Keras keeps off there, and in bfloat16.

    python benchmarks/cpu_settings.py [--backbones small small_se] [--batches 40] [--rounds 3] [--json]

Each setting runs in a process of its own, in turn, `--rounds` times; the median counts, and only the ratios of one run mean
anything. `--json` gives the images/s of every round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "as chosen": {"TF_ENABLE_ONEDNN_OPTS": "1", "KEEP": "1", "XLA": "0"},
    "without oneDNN": {"TF_ENABLE_ONEDNN_OPTS": "0", "KEEP": "1", "XLA": "0"},
    "freed memory given back": {"TF_ENABLE_ONEDNN_OPTS": "1", "KEEP": "0", "XLA": "0"},
    "with XLA": {"TF_ENABLE_ONEDNN_OPTS": "1", "KEEP": "1", "XLA": "1"},
    "in bfloat16": {"TF_ENABLE_ONEDNN_OPTS": "1", "KEEP": "1", "XLA": "0", "PRECISION": "bfloat16"},
}


def measure(backbone: str, batches: int) -> None:
    """Print images/s of training steps through `fit` on faces in memory, after one epoch to warm up."""
    sys.path.insert(0, str(ROOT))
    import time

    from models.device import setup as device

    if os.environ["KEEP"] == "0":
        device.keep_freed_memory = lambda: None
    device.prepare_device()
    import numpy as np

    from models.device.precision import dtype_policy
    from models.networks.build import build_model, compile_model
    from models.optimization.optimizers import make_optimizer
    from models.recipe import Recipe

    recipe = Recipe(backbone=backbone, optimizer="adamw", batch_size=64)
    with dtype_policy(os.environ.get("PRECISION", "float32")):
        model = build_model(recipe)
    compile_model(model, make_optimizer(recipe))
    model.jit_compile = os.environ["XLA"] == "1"
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (64 * batches, 48, 48, 1)).astype(np.uint8)
    targets = np.eye(8, dtype=np.float32)[rng.integers(0, 8, len(faces))]
    model.fit(faces, targets, batch_size=64, verbose=0)
    start = time.perf_counter()
    model.fit(faces, targets, batch_size=64, verbose=0)
    print(len(faces) / (time.perf_counter() - start))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backbones", nargs="+", default=["small", "small_se"])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(arguments.measure, arguments.batches)
    results: dict[str, dict[str, list[float]]] = {}
    for backbone in arguments.backbones:
        rates: dict[str, list[float]] = {name: [] for name in SETTINGS}
        for _ in range(arguments.rounds):
            for name, setting in SETTINGS.items():
                command = [
                    sys.executable,
                    __file__,
                    "--measure",
                    backbone,
                    "--batches",
                    str(arguments.batches),
                ]
                output = subprocess.run(
                    command, env={**os.environ, **setting}, capture_output=True, text=True, check=True
                )
                rates[name].append(float(output.stdout.split()[-1]))
        results[backbone] = rates
    if arguments.json:
        print(json.dumps(results, indent=2))
        return None
    for backbone, rates in results.items():
        medians = {name: statistics.median(seen) for name, seen in rates.items()}
        for name, rate in medians.items():
            print(
                f"{backbone:9} {name:25} {rate:7.0f} images/s  {rate / medians['as chosen']:.2f} of the chosen"
            )
    return None


if __name__ == "__main__":
    main()
