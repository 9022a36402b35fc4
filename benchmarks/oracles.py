"""Search methods on recorded learning curves: which oracle and pruner find the best configuration for a budget.

    python benchmarks/oracles.py --curves FOLDER --tasks lcbench-3945,taskset-0 --methods default,random+halving

Each study is the real oracle on a virtual clock with `--workers` workers; no network is trained and TensorFlow is not loaded.
Printed are means over tasks and seeds of the normalised regret of what would be retrained, 0 for the best known configuration and
1 for a median random one, with 95 % intervals from a paired bootstrap. A budget is counted in full trainings:
all epochs spent over those of one full training.

FOLDER holds lcbench/ (the surrogate of LCBench as YAHPO Gym publishes it) or taskset/ (tables of TaskSet), or both. Studies
recorded in benchmarks/curves, if there are any, are always among the tasks; `--record STUDY` adds one. `--log FILE` keeps every
study's result as it ends; the same command goes on from there after an interruption.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

sys.path.insert(0, str(Path(__file__).parents[1]))

from ferplus_data.errors import InputError  # noqa: E402

_UNLIMITED = 10**6


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    asked = _parser().parse_args(arguments)
    try:
        if asked.record:
            from benchmarks.simulator.recorded import record

            print(f"written: {record(asked.record)}")
            return 0
        return _compare(asked)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        kept = (
            f"; what has ended is in {asked.log}"
            if asked.log
            else "; --log FILE would have kept what had ended"
        )
        print(f"\ninterrupted{kept}", file=sys.stderr)
        return 130


def _compare(asked: argparse.Namespace) -> int:
    from benchmarks.simulator import output
    from benchmarks.simulator.methods import method
    from benchmarks.simulator.tasks import task_loaders

    if asked.curves is None and not asked.tasks:
        raise InputError("--curves: expected a folder with lcbench/ or taskset/ in it, found nothing")
    makers = {name: method(name) for name in asked.methods}
    tasks = task_loaders(asked.tasks, asked.curves or Path("."))
    log = Log(asked.log)
    regrets: dict[str, dict[float, dict[tuple[str, int], float]]] = {
        name: {budget: {} for budget in asked.budgets} for name in makers
    }
    studies = [(task, seed, name) for task in tasks for seed in range(asked.seeds) for name in makers]
    loaded: dict[str, Any] = {}
    for done, (task, seed, name) in enumerate(studies):
        _progress(f"{done}/{len(studies)} {name} on {task}, seed {seed}")
        key = [name, task, seed, asked.telling, asked.workers, asked.trials]
        found = log.get(key, asked.budgets)
        if found is None:
            if task not in loaded:  # one at a time
                loaded = {task: tasks[task]()}
            found = _study(loaded[task], seed, makers[name], asked)
            log.add(key, asked.budgets, found)
        for budget, value in zip(asked.budgets, found, strict=True):
            regrets[name][budget][task, seed] = value
    _progress("")
    if asked.csv:
        output.write_csv(asked.csv, regrets, telling=asked.telling, workers=asked.workers)
    if asked.picture:
        title = f"{len(tasks)} tasks, {asked.seeds} seeds, {asked.workers} workers, told {asked.telling}"
        output.draw(asked.picture, regrets, title=title)
    if asked.json:
        means = output.means(regrets)
        print(json.dumps({n: {f"{b:g}": m._asdict() for b, m in of.items()} for n, of in means.items()}))
    else:
        print(output.table(regrets))
    return 0


def _study(task: Any, seed: int, make: Callable[..., Any], asked: argparse.Namespace) -> list[float]:
    """Run one study; return its regret at each budget."""
    from benchmarks.simulator.scores import regrets
    from benchmarks.simulator.study import run_study
    from benchmarks.simulator.tellings import tell

    told = tell(task, asked.telling)
    # Another seed for each pair of task and seed, the same for every method.
    drawn = zlib.crc32(f"{task.name} {seed}".encode()) % 10**6
    with tempfile.TemporaryDirectory(prefix="oracles-") as folder:
        budget = max(asked.budgets)
        oracle = make(told, drawn, asked.trials or _UNLIMITED, budget, Path(folder))
        retrained = run_study(oracle, told, workers=asked.workers, budget=budget)
    return regrets(retrained, asked.budgets, epochs=task.epochs, best=task.best, median=task.median)


class Log:
    """Results of studies that have ended, a JSON line each. One with a larger budget is another study: what an oracle draws may
    depend on it.

    Raises:
        InputError: The file is not of that kind.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[tuple[str, float], dict[str, float]] = {}
        for number, line in enumerate(path.read_text().splitlines() if path and path.exists() else [], 1):
            try:
                key, found = json.loads(line)
                largest = max(map(float, found))
                self._known.setdefault((json.dumps(key), largest), {}).update(found)
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"--log {path}, line {number}: expected a study's result, found {line[:60]!r}"
                ) from error

    def get(self, key: list[Any], budgets: list[float]) -> list[float] | None:
        """Return the regrets at `budgets` of the study `key` with the largest of them, None if it has not been run for all."""
        found = self._known.get((json.dumps(key), max(budgets)), {})
        return [found[f"{b:g}"] for b in budgets] if all(f"{b:g}" in found for b in budgets) else None

    def add(self, key: list[Any], budgets: list[float], found: list[float]) -> None:
        """Keep the regrets `found` at `budgets` of the study `key`."""
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(
                    json.dumps([key, {f"{b:g}": round(v, 6) for b, v in zip(budgets, found, strict=True)}])
                    + "\n"
                )


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--curves", type=_folder, metavar="FOLDER", help="with lcbench/ or taskset/ in it")
    add(
        "--tasks",
        type=_names,
        default=[],
        metavar="NAME,...",
        help="lcbench-3945,taskset-0,recorded-small; all without it",
    )
    add(
        "--methods",
        type=_names,
        default=["default", "random+halving"],
        metavar="NAME,...",
        help="ORACLE, ORACLE+PRUNER, default, asha, optuna",
    )
    add(
        "--telling",
        choices=["plain", "conditional", "choices", "idle"],
        default="plain",
        help="how a task is declared",
    )
    add(
        "--budgets", type=_budgets, default=[5.0, 10.0, 20.0, 50.0], metavar="N,...", help="in full trainings"
    )
    add("--workers", type=_count, default=1, metavar="N", help="that train at the same time")
    add("--seeds", type=_count, default=1, metavar="N", help="studies of each method on each task")
    add(
        "--trials",
        type=_count,
        metavar="N",
        help="most trials of a study, as --trials of a search; without end by default",
    )
    add("--json", action="store_true", help="print one object, {method: {budget: {mean, lo, hi, n}}}")
    add("--csv", type=_file, metavar="FILE", help="write the means there")
    add("--picture", type=_file, metavar="FILE", help="draw them there; .svg or .png")
    add("--log", type=_file, metavar="FILE", help="keep each study's result, and take from it what it has")
    add(
        "--record",
        type=Path,
        metavar="STUDY",
        help="write the curves of the study in this run directory to benchmarks/curves",
    )
    return parser


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise argparse.ArgumentTypeError(f"expected names with commas between them, found {text!r}")
    return names


def _budgets(text: str) -> list[float]:
    try:
        budgets = sorted({float(part) for part in text.split(",")})
    except ValueError:
        budgets = [0.0]
    if not all(0 < budget <= 10_000 for budget in budgets):
        raise argparse.ArgumentTypeError(
            f"expected numbers above 0 and up to 10,000 with commas between them, found {text!r}"
        )
    return budgets


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, found {text!r}")
    return int(text)


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"expected a folder, found no such one as {text}")
    return Path(text)


def _file(text: str) -> Path:
    if not Path(text).absolute().parent.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, found {text}")
    return Path(text)


if __name__ == "__main__":
    # The oracles need Keras Tuner and it some Keras: to load TensorFlow's takes longer than a study.
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the matrices are small
    sys.exit(main())
