"""How much memory a process keeps between trials: its resident size before and after `--trainings` short trainings, in turn of
four kinds that need compiled networks of their own, more than are kept.

    python benchmarks/memory.py [--trainings 100] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.device import prepare_device  # noqa: E402

prepare_device()

from ferplus_data.dataset import load_dataset  # noqa: E402
from models.network import KEPT, Networks  # noqa: E402
from models.recipe import Recipe  # noqa: E402
from models.training import train  # noqa: E402


def resident() -> float:
    """MB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trainings", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    dataset = load_dataset("demo", subset=0.05)
    networks = Networks()
    # One kind more than is kept, so that in every turn one is compiled and one is let go.
    recipes = [Recipe(backbone="small", image_size=16 + 2 * i, freeze_before=-3) for i in range(KEPT + 1)]
    sizes = []
    with tempfile.TemporaryDirectory() as directory:
        for number in range(arguments.trainings + len(recipes)):
            train(
                recipes[number % len(recipes)],
                dataset,
                directory=Path(directory) / str(number),
                epochs=1,
                networks=networks,
            )
            sizes.append(resident())
    begin = sizes[len(recipes) - 1]
    result = {
        "trainings": arguments.trainings,
        "resident_MB": [begin, sizes[-1]],
        "growth_MB": sizes[-1] - begin,
    }
    print(
        json.dumps(result)
        if arguments.json
        else f"{arguments.trainings} trainings: {begin:.0f} MB to {sizes[-1]:.0f} MB"
    )


if __name__ == "__main__":
    main()
