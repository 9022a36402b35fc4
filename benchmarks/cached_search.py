"""The same search without the prefix cache, with an empty one, and with one that is full: time, ranking, winner.

    python benchmarks/cached_search.py --data PATH/TO/FERPLUS --folder FOLDER [--trials 20] [--epochs 3] [--subset 0.2] [--json]

The space `transfer` (dlib's face network), whose trials are drawn at random and have all their epochs, so that the three searches
try the same configurations. Told are the seconds of each search, from its data to its last trial, how many trials used the
cache, Kendall's rank correlation of the trials' scores with those of the search without it, and whether the best trial is the
same. Nothing is retrained and no test label is looked at. In FOLDER, a search that has been measured is not measured again: the
same command goes on after an interruption, with the search that was under way from its beginning.
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
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SEARCHES = {"without": ["--cache-gb", "0"], "cold": [], "warm": []}
"""In their order: the third finds what the second has left."""


def search(name: str, options: list[str], asked: argparse.Namespace) -> dict[str, Any]:
    """Run a search up to its retraining; return its seconds and, by trial, scores and whether the cache was used."""
    if name == "cold":  # it may have been interrupted before
        shutil.rmtree(asked.folder / "cache" / "prefix", ignore_errors=True)
    process = subprocess.Popen(
        [
            *(sys.executable, "-u", "run_search.py", "search", "--space", "transfer", "--fresh", "--no-test"),
            *("--data", asked.data, "--study", name, "--runs-dir", str(asked.folder)),
            *("--oracle", "random", "--pruner", "none", "--trials", str(asked.trials)),
            *(
                "--epochs",
                str(asked.epochs),
                "--subset",
                str(asked.subset),
                "--search-fraction",
                "1",
                *options,
            ),
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
    return {"seconds": ended - began, **told(asked.folder / name)}


def told(run: Path) -> dict[str, Any]:
    """Return the scores of the study in `run`, and which of its trials used the cache."""
    from search import Study

    trials = sorted(Study.open(run).view.trials, key=lambda trial: trial.number)
    return {
        "scores": [trial.score for trial in trials],
        "cached": [bool((trial.prefix_cache or {}).get("used")) for trial in trials],
    }


def compare(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what each search took and how its trials rank beside those of the search without the cache."""
    from scipy.stats import kendalltau

    plain = found["without"]["scores"]
    best = plain.index(max(plain))
    return {
        name: {
            "seconds": round(one["seconds"], 1),
            "cached": sum(one["cached"]),
            "kendall_tau": float(kendalltau(plain, one["scores"]).statistic),
            "same_winner": one["scores"].index(max(one["scores"])) == best,
        }
        for name, one in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="demo", help="FER+ or 'demo'")
    parser.add_argument("--folder", type=Path, required=True, help="for studies, cache and figures")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--subset", type=float, default=0.2, help="stratified part of every split")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    asked.folder = asked.folder.resolve()
    if asked.data != "demo":
        asked.data = str(Path(asked.data).resolve())
    asked.folder.mkdir(parents=True, exist_ok=True)
    known = asked.folder / "figures.json"
    found: dict[str, dict[str, Any]] = json.loads(known.read_text()) if known.exists() else {}
    for name, options in SEARCHES.items():
        if name not in found:
            found[name] = search(name, options, asked)
            known.write_text(json.dumps(found))
    figures = compare(found)
    if asked.json:
        print(json.dumps(figures))
        return
    for name, one in figures.items():
        print(
            f"{name:8} {one['seconds']:7.0f} s  {one['cached']:2} trials from the cache  "
            f"tau {one['kendall_tau']:.2f}  {'same winner' if one['same_winner'] else 'another winner'}"
        )


if __name__ == "__main__":
    main()
