"""Training on a GPU: images a second of a few hundred steps, uncached and on cached activations, and peak GPU memory.

    KERAS_BACKEND=jax python benchmarks/accelerator.py --backbone resnet50 --freeze -51 --precision float32 bfloat16

Each step is one of `fit`, from the memory-mapped store through augmentation to the device. Random weights unless --weights names
others; the demo's faces unless --data names others: neither changes the speed. One JSON line for each freeze index and precision.
Peak memory is that of the process until then, so name one freeze index and one precision where memory counts; JAX alone tells it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from models.device.setup import prepare_device  # noqa: E402

prepare_device()

import keras  # noqa: E402
import numpy as np  # noqa: E402

from ferplus_data.batches import Batches  # noqa: E402
from ferplus_data.dataset import Split, load_dataset  # noqa: E402
from models.backbones.registry import BACKBONES  # noqa: E402
from models.device.precision import PRECISIONS  # noqa: E402
from models.frozen_prefix.activations import CHUNK, ActivationBatches  # noqa: E402
from models.frozen_prefix.cache import PrefixCache  # noqa: E402
from models.networks.compiled import Network  # noqa: E402
from models.recipe import Recipe  # noqa: E402

WARM_UP = 8  # steps, which compile
UNIQUE = 256  # images whose activations are computed; a cached epoch reads as many copies as it needs


def seconds_of(model: keras.Model, batches: keras.utils.PyDataset) -> float:
    """Seconds of one epoch of `fit`."""
    began = time.perf_counter()
    model.fit(batches, shuffle=False, verbose=0)
    return time.perf_counter() - began


def measure(freeze_before: int, precision: str, split: Split, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the rates and sizes of training the backbone with this freeze index."""
    recipe = Recipe(
        backbone=asked.backbone,
        image_size=asked.image_size or BACKBONES[asked.backbone].default_image_size,
        freeze_before=freeze_before,
        batch_size=asked.batch_size,
        optimizer="adamw",
        augmentation="light",
    )
    network = Network(recipe, weights=asked.weights, seed=0, precision=precision)
    network.begin(recipe, fuse=8)
    found: dict[str, Any] = {
        "backbone": asked.backbone,
        "image_size": recipe.image_size,
        "freeze_before": freeze_before,
        "precision": precision,
        "batch_size": asked.batch_size,
        "steps": asked.steps,
        "parameters": network.parameters,
        "trainable": sum(int(np.prod(v.shape)) for v in network.model.trainable_variables),
    }

    def rate(model: keras.Model, batches: Callable[[int], keras.utils.PyDataset], steps: int) -> list[float]:
        found.setdefault("compile_seconds", []).append(round(seconds_of(model, batches(WARM_UP)), 2))
        seconds = [seconds_of(model, batches(steps)) for _ in range(asked.rounds)]
        return [round(steps * asked.batch_size / one, 1) for one in seconds]

    def rows(steps: int) -> Split:
        return split.take(np.arange(steps * asked.batch_size) % len(split))

    def faces(steps: int) -> keras.utils.PyDataset:
        options: dict[str, Any] = {"batch_size": asked.batch_size, "augmentation": "light"}
        return Batches(rows(steps), targets=rows(steps).targets("majority"), **options)

    found["uncached_images_per_s"] = rate(network.model, faces, asked.steps)
    if network.prefix is not None and not asked.uncached:
        with tempfile.TemporaryDirectory() as folder:
            cached = cached_batches(network, rows, PrefixCache(Path(folder), max_bytes=10**11), asked, found)
            found["cached_images_per_s"] = rate(network.suffix, cached, asked.cached_steps)
    found["peak_gb"] = peak_gb()
    return found


def cached_batches(
    network: Network,
    rows: Callable[[int], Split],
    cache: PrefixCache,
    asked: argparse.Namespace,
    found: dict[str, Any],
) -> Callable[[int], keras.utils.PyDataset]:
    """Return a maker of batches of the prefix's activations, and put into `found` how fast those were computed."""
    assert network.prefix is not None
    prefix, pixels = network.prefix, rows(UNIQUE).pixels()[:UNIQUE]
    prefix.predict_on_batch(pixels[:CHUNK])
    began = time.perf_counter()
    unique = np.concatenate(
        [
            np.asarray(prefix.predict_on_batch(pixels[i : i + CHUNK]), np.float32)
            for i in range(0, UNIQUE, CHUNK)
        ]
    )
    found["activations_per_s"] = round(UNIQUE / (time.perf_counter() - began), 1)

    def batches(steps: int) -> keras.utils.PyDataset:
        split = rows(steps)

        def chunks() -> Iterator[np.ndarray]:
            for begin in range(0, len(split), UNIQUE):
                yield unique[: min(UNIQUE, len(split) - begin)]

        activations = cache.get({"rows": len(split)}, len(split), chunks)
        targets = split.targets("majority")
        return ActivationBatches(
            split, lambda epoch: activations, batch_size=asked.batch_size, targets=targets
        )

    return batches


def peak_gb() -> float | None:
    """The most GPU memory that JAX has held in this process, in GB; None for another backend or device."""
    if keras.backend.backend() != "jax":
        return None
    import jax

    statistics = jax.local_devices()[0].memory_stats() or {}
    return round(statistics["peak_bytes_in_use"] / 1e9, 3) if "peak_bytes_in_use" in statistics else None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--backbone", default="resnet50", choices=list(BACKBONES))
    parser.add_argument(
        "--freeze", nargs="+", type=int, help="freeze indices; the backbone's choices without it"
    )
    parser.add_argument("--precision", nargs="+", default=["float32"], choices=list(PRECISIONS))
    parser.add_argument("--weights", default="none")
    parser.add_argument("--image-size", type=int, default=0, help="0: the backbone's own")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument(
        "--cached-steps", type=int, default=100, help="fewer: 5 GB of activations are soon reached"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--uncached", action="store_true", help="leave the cached side out")
    asked = parser.parse_args()
    split = load_dataset(asked.data).train
    for freeze_before in asked.freeze or BACKBONES[asked.backbone].freeze_choices:
        for precision in asked.precision:
            print(json.dumps(measure(freeze_before, precision, split, asked)), flush=True)


if __name__ == "__main__":
    main()
