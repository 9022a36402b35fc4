"""The same search without the prefix cache, with an empty one, and with one that is full: time, ranking, winner.

    python benchmarks/cached_search.py --data PATH/TO/FERPLUS --folder FOLDER [--trials 20] [--epochs 3] [--subset 0.2] [--json]

The space `transfer` (dlib's face network), whose trials are drawn at random and have all their epochs, so that the three searches
try the same configurations. Told are the seconds of each search, from its data to its last trial; how many trials used the
cache; the seconds of the trials over those of the same trials without the cache; Kendall's rank correlation of their scores with
those without it; and whether the best trial is the same. Ratio and correlation have 95 % intervals by a bootstrap over trials.
With --augmentation none the cached trials see what the others do; with another, faces that are varied by other random numbers.
Nothing is retrained and no test label is looked at. In FOLDER, a search that has been measured is not measured again: the same
command goes on after an interruption, with the search that was under way from its beginning.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SEARCHES = {"without": ["--cache-gb", "0"], "cold": [], "warm": []}
"""In their order: the third finds what the second has left."""


def search(name: str, options: list[str], asked: argparse.Namespace) -> float:
    """Run a search up to its retraining; return its seconds."""
    if name == "cold":  # it may have been interrupted before
        shutil.rmtree(asked.folder / "cache" / "prefix", ignore_errors=True)
    process = subprocess.Popen(
        [
            *(sys.executable, "-u", "run_search.py", "search", "--space", "transfer", "--fresh", "--no-test"),
            *("--data", asked.data, "--study", name, "--runs-dir", str(asked.folder)),
            *("--oracle", "random", "--pruner", "none", "--trials", str(asked.trials)),
            *("--epochs", str(asked.epochs), "--subset", str(asked.subset), "--search-fraction", "1"),
            *(("--set", f"augmentation={asked.augmentation}") if asked.augmentation else ()),
            *options,
        ],
        cwd=ROOT,
        env={**os.environ, "FERPLUS_CACHE": str(asked.folder / "cache")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    began = ended = 0.0
    for line in process.stdout:
        print(f"{name}: {line}", end="", file=sys.stderr)
        if line.startswith("data "):
            began = time.perf_counter()
        if line.startswith("the search has ended"):
            ended = time.perf_counter()
            process.send_signal(signal.SIGINT)
    process.wait()
    if not ended:
        raise SystemExit(f"the search {name} ended early")
    return ended - began


def told(run: Path) -> dict[str, list[Any]]:
    """Return, by trial, the scores and seconds in the study in `run`, and whether the cache was used."""
    from search import Study

    trials = sorted(Study.open(run).view.trials, key=lambda trial: trial.number)
    return {
        "scores": [trial.score for trial in trials],
        "seconds": [trial.seconds for trial in trials],
        "cached": [bool((trial.prefix_cache or {}).get("used")) for trial in trials],
    }


def compare(trials: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, Any]]:
    """Return how the trials of the searches with a cache, as `told`, do beside those of the search without."""
    from scipy.stats import kendalltau

    plain = trials["without"]

    def best(one: dict[str, list[Any]]) -> int:
        return one["scores"].index(max(one["scores"]))

    return {
        name: {
            "cached": sum(one["cached"]),
            "time_ratio": _with_interval(lambda a, b: a.sum() / b.sum(), one["seconds"], plain["seconds"]),
            "kendall_tau": _with_interval(
                lambda a, b: kendalltau(a, b).statistic, one["scores"], plain["scores"]
            ),
            "same_winner": best(one) == best(plain),
        }
        for name, one in trials.items()
        if name != "without"
    }


def _with_interval(
    statistic: Callable[[Any, Any], float], ours: list[float], theirs: list[float]
) -> list[float]:
    """[value, low, high] of a statistic of pairs."""
    from scipy.stats import bootstrap

    pairs = np.array(ours), np.array(theirs)
    drawn = bootstrap(
        pairs, statistic, paired=True, vectorized=False, method="percentile", n_resamples=2000, rng=0
    )
    low, high = drawn.confidence_interval
    return [round(float(value), 3) for value in (statistic(*pairs), low, high)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--folder", type=Path, required=True, help="for studies, cache and figures")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--subset", type=float, default=0.2, help="stratified part of every split")
    parser.add_argument("--augmentation", help="of all trials; as drawn without it")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    asked.folder = asked.folder.resolve()
    if asked.data != "demo":
        asked.data = str(Path(asked.data).resolve())
    asked.folder.mkdir(parents=True, exist_ok=True)
    known = asked.folder / "figures.json"
    seconds: dict[str, float] = json.loads(known.read_text()) if known.exists() else {}
    for name, options in SEARCHES.items():
        if name not in seconds:
            seconds[name] = search(name, options, asked)
            known.write_text(json.dumps(seconds))
    compared = compare({name: told(asked.folder / name) for name in SEARCHES})
    figures = {name: {"seconds": round(seconds[name], 1), **compared.get(name, {})} for name in SEARCHES}
    if asked.json:
        print(json.dumps(figures))
        return
    for name, one in figures.items():
        line = f"{name:8} {one['seconds']:7.0f} s"
        if name in compared:
            ratio, tau = (
                "{:.2f} [{:.2f}, {:.2f}]".format(*one[key]) for key in ("time_ratio", "kendall_tau")
            )
            line += f"  {one['cached']:2} trials from the cache  time {ratio}  tau {tau}  "
            line += "same winner" if one["same_winner"] else "another winner"
        print(line)


if __name__ == "__main__":
    main()
