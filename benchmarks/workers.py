"""The same number of trials by one worker and by two, with the same number of threads in all.

    python benchmarks/workers.py [--data PATH] [--trials 8] [--epochs 3] [--subset 0.1] [--rounds 3] [--json]

Every trial trains the small backbone for all its epochs, so that the work is the same whatever is drawn. One worker computes with
all cores, each of two with half of them. The clock starts with the command and stops when the last trial ends; the seconds from
the first trial's begin are printed as well, for most of the rest is the start of the processes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from keras_tuner import HyperParameters


def alike(hp: HyperParameters) -> None:
    """Trials that differ in numbers which cost nothing."""
    hp.Fixed("backbone", "small")
    hp.Float("learning_rate", 1e-4, 1e-2, sampling="log")
    hp.Float("dropout", 0.0, 0.5)


def seconds(workers: int, folder: str, arguments: argparse.Namespace) -> tuple[float, float]:
    """Run a search; return the seconds from the command and from its first trial's begin to its last trial's end."""
    from search.study.run_directory import RunDirectory
    from search.study.view import read_study

    command = [
        sys.executable,
        str(ROOT / "run_search.py"),
        "search",
        "--study",
        str(workers),
        "--runs-dir",
        folder,
    ]
    command += [
        "--data",
        arguments.data,
        "--space",
        f"{Path(__file__).resolve()}:alike",
        "--oracle",
        "random",
    ]
    command += ["--pruner", "none", "--trials", str(arguments.trials), "--epochs", str(arguments.epochs)]
    command += ["--subset", str(arguments.subset), "--retrain-epochs", "1", "--workers", str(workers)]
    began = datetime.now()
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if finished.returncode:
        sys.exit(finished.stdout[-2000:])
    trials = read_study(RunDirectory.of(Path(folder), str(workers))).trials
    assert [trial.state for trial in trials] == ["complete"] * arguments.trials
    end = max(trial.ended for trial in trials if trial.ended)
    first = min(trial.started for trial in trials if trial.started)
    return (end - began).total_seconds(), (end - first).total_seconds()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--subset", type=float, default=0.1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rounds = []
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append({workers: seconds(workers, folder, arguments) for workers in (1, 2)})
    ratios = [statistics.median(one[1][which] / one[2][which] for one in rounds) for which in range(2)]
    if arguments.json:
        print(json.dumps({"rounds": rounds, "speed_up": ratios[0], "speed_up_from_first_trial": ratios[1]}))
        return
    for one in rounds:
        print(
            ", ".join(
                f"{workers} worker(s) {wall:.1f} s, {span:.1f} s from the first trial"
                for workers, (wall, span) in one.items()
            )
        )
    print(f"two workers against one: {ratios[0]:.2f} times as fast, {ratios[1]:.2f} from the first trial")


if __name__ == "__main__":
    main()
