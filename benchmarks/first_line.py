"""How long a fresh process takes to its first line and to the line of its first trial's first epoch, and what of it is not ours.

    python benchmarks/first_line.py [--rounds 9] [--json]

A round starts two processes, one after the other: the import of TensorFlow, Keras and Keras Tuner alone, and a demo search of one
trial that is ended when that line has come. What is ours is the time to it less the import and less the epoch itself, which the
line tells: arguments, data, database, the network's making, the first suggestion. The demo's data is decoded before the first
round.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMPORTS = "import tensorflow, keras, keras_tuner"


def imports() -> float:
    """Return the seconds that the libraries' import takes, the interpreter's start included."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def search(runs: Path, study: str) -> dict[str, float]:
    """Return the seconds to the first line and to the line of the first epoch, and the seconds of that epoch."""
    command = ["search", "--runs-dir", str(runs), "--study", study, "--trials", "1", "--epochs", "1"]
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-u", "run_search.py", *command, "--no-test", "--finalists", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    first = None
    for line in process.stdout:
        first = first or time.perf_counter() - began
        if found := re.search(r"trial 0 epoch 1/1.*, ([\d.]+) s$", line.rstrip()):
            told = time.perf_counter() - began
            process.kill()
            process.communicate()
            return {"first_line": first, "first_epoch_line": told, "epoch": float(found[1])}
    raise RuntimeError(f"{' '.join(command)}: ended without the line of an epoch")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        search(Path(folder), "warm-up")
        for number in range(asked.rounds):
            one = {"imports": imports(), **search(Path(folder), f"round-{number}")}
            one["ours"] = one["first_epoch_line"] - one["imports"] - one["epoch"]
            for name, seconds in one.items():
                figures.setdefault(name, []).append(round(seconds, 3))
    if asked.json:
        print(json.dumps(figures))
        return
    for name, seconds in figures.items():
        print(
            f"{name:18} {sorted(seconds)[len(seconds) // 2]:6.2f} s   {min(seconds):.2f} to {max(seconds):.2f}"
        )


if __name__ == "__main__":
    main()
