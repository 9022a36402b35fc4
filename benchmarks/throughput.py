"""Images a second of training, side by side in one run:

    a  the plain way: the whole network in every step, fed image by image, compiled with Keras's defaults (benchmarks/plain.py)
    b  ours, uncached: the whole network, augmented batches from the memory-mapped store
    c  ours, cached: what follows the frozen prefix, on activations read from the cache

    python benchmarks/throughput.py [--image-size 96] [--backbones resnet50 senet50] [--seconds 2] [--rounds 7] [--json]

The three take turns, `--rounds` times, and the fastest of each counts: a shared machine falls into slower gears for seconds at a
time, and never into a faster one. It also prints what it takes to make the cache, how fast augmented batches come from the
store, and how near `fit` comes to the step rate on one batch that stays in memory.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from models.device.setup import prepare_device  # noqa: E402

prepare_device()

import keras  # noqa: E402
import numpy as np  # noqa: E402
from plain import PlainBatches, plain_model  # noqa: E402

from ferplus_data.augment import AUGMENTATIONS  # noqa: E402
from ferplus_data.batches import Batches  # noqa: E402
from ferplus_data.dataset import Split, load_dataset  # noqa: E402
from models.backbones.registry import BACKBONES, HEAD_ONLY  # noqa: E402
from models.frozen_prefix.activations import CHUNK, ActivationBatches  # noqa: E402
from models.frozen_prefix.cache import PrefixCache  # noqa: E402
from models.networks.compiled import Network  # noqa: E402
from models.recipe import Recipe  # noqa: E402

FREEZE = {"resnet50": (-51, -41, -25, -12, HEAD_ONLY), "senet50": (-39, -41, -25, -12, HEAD_ONLY)}
UNIQUE = 256  # images whose activations are computed; a cached epoch reads as many copies as it needs
FER_PLUS = 26_153 + 3_305
MakeBatches = Callable[[int], keras.utils.PyDataset]
Sides = dict[str, tuple[keras.Model, MakeBatches]]
"""Name -> model, and images -> its batches of so many."""


def rate(model: keras.Model, batches: MakeBatches, images: int) -> float:
    """Images/s of one epoch of `fit` over `images` images."""
    data = batches(images)
    start = time.perf_counter()
    model.fit(data, shuffle=False, verbose=0)
    return images / (time.perf_counter() - start)


def tiled(split: Split, images: int) -> Split:
    return split.take(np.arange(images) % len(split))


def measure(backbone: str, freeze_before: int, split: Split, arguments: argparse.Namespace) -> dict[str, Any]:
    keras.utils.clear_session()
    batch = arguments.batch_size
    size = arguments.image_size or BACKBONES[backbone].default_image_size
    recipe = Recipe(backbone=backbone, image_size=size, freeze_before=freeze_before, batch_size=batch)
    plain = plain_model(backbone, size, freeze_before)
    plain.compile(keras.optimizers.Adam(beta_1=0.5), "categorical_crossentropy", metrics=["accuracy"])
    network = Network(recipe, weights="none", seed=0, precision="float32")
    network.begin(recipe, fuse=16)
    sides: Sides = {
        "plain": (
            plain,
            lambda n: PlainBatches(
                tiled(split, min(n, len(split))),
                size,
                batch,
                augmentation="baseline",
                repeat=-(-n // len(split)),
            ),
        ),
        "uncached": (
            network.model,
            lambda n: Batches(
                tiled(split, n),
                batch_size=batch,
                targets=tiled(split, n).targets("majority"),
                augmentation="baseline",
            ),
        ),
    }
    result: dict[str, Any] = {"backbone": backbone, "freeze_before": freeze_before, "image_size": size}
    with tempfile.TemporaryDirectory() as directory:
        if network.prefix is not None:
            told, sides["cached"] = cached_side(network, split, batch, Path(directory))
            result |= told
        seen = in_turns(sides, arguments)
    fastest = {name: max(rates) for name, rates in seen.items()}
    result |= {f"{name}_images_per_s": value for name, value in fastest.items()}
    result |= {f"{name}_to_plain": fastest[name] / fastest["plain"] for name in set(sides) - {"plain"}}
    result["rounds"] = seen
    result["resident_share"] = {}
    if freeze_before in (0, HEAD_ONLY):
        result["resident_share"] = resident_share(network, sides, arguments)
    return result


def cached_side(
    network: Network, split: Split, batch: int, directory: Path
) -> tuple[dict[str, Any], tuple[keras.Model, MakeBatches]]:
    """What the cache of the prefix costs, and what follows the prefix with its batches."""
    cache = PrefixCache(directory, max_bytes=20 * 10**9)
    faces = split.pixels()[:UNIQUE]
    run(network, faces[:CHUNK])
    start = time.perf_counter()
    unique = np.concatenate([run(network, faces[i : i + CHUNK]) for i in range(0, UNIQUE, CHUNK)])
    told = {
        "build_images_per_s": UNIQUE / (time.perf_counter() - start),
        "cache_GB_per_view_of_ferplus": unique[0].size * 2 * FER_PLUS / 1e9,
        "cut": network.prefix.layers[-1].name,  # type: ignore[union-attr]
    }

    def cached(n: int) -> keras.utils.PyDataset:
        rows = tiled(split, n)

        def chunks() -> Iterator[np.ndarray]:
            for begin in range(0, n, UNIQUE):
                yield unique[: min(UNIQUE, n - begin)]

        activations = cache.get({"rows": n}, n, chunks)
        targets = rows.targets("majority")
        return ActivationBatches(rows, lambda epoch: activations, batch_size=batch, targets=targets)

    return told, (network.suffix, cached)


def in_turns(sides: Sides, arguments: argparse.Namespace) -> dict[str, list[float]]:
    """Images/s of each side in each round, over as many images as take about the seconds asked for."""
    batch, images = arguments.batch_size, {}
    for name, (model, batches) in sides.items():
        rate(model, batches, 4 * batch)  # traces
        images[name] = 4 * batch
        for _ in range(
            2 if name == "cached" else 1
        ):  # a fast side's first estimate is mostly the start of an epoch
            seconds = arguments.seconds / batch
            images[name] = max(4, round(rate(model, batches, images[name]) * seconds)) * batch
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, (model, batches) in sides.items():
            seen[name].append(rate(model, batches, images[name]))
    return seen


def run(network: Network, faces: np.ndarray) -> np.ndarray:
    return np.asarray(network.prefix.predict_on_batch(faces), np.float32)  # type: ignore[union-attr]


class Resident(keras.utils.PyDataset):
    """The first batch of another data set, as often as it has batches."""

    def __init__(self, batches: keras.utils.PyDataset) -> None:
        super().__init__()
        self.batch, self.count = batches[0], len(batches)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple:
        return self.batch


def resident_share(network: Network, sides: Sides, arguments: argparse.Namespace) -> dict[str, float]:
    """The rate of `fit` as a share of the same model's on one batch that stays in memory, fastest of each."""
    shares = {}
    for name in ("uncached", "cached"):
        if name in sides:
            model, batches = sides[name]
            wanted = rate(model, batches, 8 * arguments.batch_size) * arguments.seconds
            count = max(8, round(wanted / arguments.batch_size)) * arguments.batch_size
            pairs = [
                (rate(model, batches, count), rate(model, lambda n, b=batches: Resident(b(n)), count))
                for _ in range(arguments.rounds)
            ]
            ours, resident = (max(rates) for rates in zip(*pairs, strict=True))
            shares[name] = ours / resident
    return shares


def loader_rates(split: Split, seconds: float) -> dict[str, float]:
    """Images/s from the store to augmented uint8 batches, per augmentation, in one thread."""
    rates = {}
    for augmentation in AUGMENTATIONS:
        batches = Batches(split, batch_size=64, targets=split.targets("majority"), augmentation=augmentation)
        batches[0]
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            count += len(batches[count // 64 % len(batches)][0])
        rates[augmentation] = count / (time.perf_counter() - start)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--backbones", nargs="+", default=list(FREEZE), choices=list(BACKBONES))
    parser.add_argument("--freeze", nargs="+", type=int, help="instead of the published indices")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement, roughly")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    split = load_dataset(arguments.data).train
    loader = loader_rates(split, arguments.seconds / 2)
    if not arguments.json:
        print(
            "store to augmented batch, one thread: " + ", ".join(f"{n} {r:,.0f}/s" for n, r in loader.items())
        )
        print(
            "  backbone freeze |     a plain  b uncached  c cached | b/a   c/a    | build img/s  GB/view  of resident b c"
        )
    results = []
    for backbone in arguments.backbones:
        for freeze_before in arguments.freeze or FREEZE.get(backbone, BACKBONES[backbone].freeze_choices):
            r = measure(backbone, freeze_before, split, arguments)
            results.append(r)
            if not arguments.json:
                print(
                    f"{backbone:>10} {freeze_before:6} | {r['plain_images_per_s']:11.1f} {r['uncached_images_per_s']:11.1f} "
                    f"{r.get('cached_images_per_s', math.nan):9.1f} | {r['uncached_to_plain']:5.2f} "
                    f"{r.get('cached_to_plain', math.nan):7.2f} | {r.get('build_images_per_s', math.nan):11.1f} "
                    f"{r.get('cache_GB_per_view_of_ferplus', math.nan):8.3f} "
                    + " ".join(f"{share:6.1%}" for share in r["resident_share"].values()),
                    flush=True,
                )
    ratios = [r["cached_to_plain"] for r in results if "cached_to_plain" in r]
    summary = {
        "uncached_to_plain_lowest": min(r["uncached_to_plain"] for r in results),
        "cached_to_plain_geometric_mean": statistics.geometric_mean(ratios) if ratios else None,
        "cached_to_plain_lowest": min(ratios, default=None),
    }
    if arguments.json:
        print(json.dumps({"loader": loader, "results": results, **summary}, indent=2))
    else:
        print(
            ", ".join(
                f"{name.replace('_', ' ')} {value:.2f}"
                for name, value in summary.items()
                if value is not None
            )
        )


if __name__ == "__main__":
    main()
