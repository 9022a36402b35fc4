"""How much memory a worker takes.

growth  its resident size before and after `--trainings` short trainings, in turn of kinds that need compiled networks of their
        own, one more than are kept
peak    the most that a search of one trial, retraining and report take with all of `--data` and the small backbone

    python benchmarks/memory.py [--data PATH] [--trainings 100] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.device.setup import prepare_device  # noqa: E402

prepare_device()

from ferplus_data.dataset import load_dataset  # noqa: E402
from models.networks.compiled import KEPT, Networks  # noqa: E402
from models.recipe import Recipe  # noqa: E402
from models.training.loop import train  # noqa: E402


def resident() -> float:
    """MB of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak(data: str) -> float:
    """MB, at the most, of a process that searches with one epoch and one trial."""
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, str(Path(__file__).resolve().parents[1] / "run_search.py"), "search"]
        options = ["--data", data, "--runs-dir", folder, "--space", "small", "--set", "backbone=small"]
        short = ["--trials", "1", "--epochs", "1", "--retrain-epochs", "1"]
        subprocess.run([*program, *options, *short], check=True, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--trainings", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    highest = peak(arguments.data)
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
        "peak_MB": highest,
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{arguments.trainings} trainings: {begin:.0f} MB to {sizes[-1]:.0f} MB")
    print(f"a search of all data: {highest:.0f} MB at the most")


if __name__ == "__main__":
    main()
