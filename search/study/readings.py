"""test_readings.jsonl: every time that test labels were looked at, a line each.

A file of lines that only grows, also when the study is begun over: what was seen stays seen.
"""

from __future__ import annotations

import contextlib
import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import stdev
from typing import Any

from ferplus_data.errors import InputError
from ferplus_data.files import write_text
from ferplus_data.files.locks import locked
from search.study.run_directory import RunDirectory

_LOCK = ".test_readings.lock"


def ledger_of(checkpoint: Path) -> Path:
    """Return where a look at the test labels with the model in `checkpoint` is written down: in the run directory that it lies
    in, or beside it where it lies in none.

    Example:
        >>> ledger_of(Path("elsewhere/model.onnx")).as_posix()  # in no run directory
        'elsewhere/test_readings.jsonl'
    """
    return (study_around(checkpoint) or RunDirectory(checkpoint.parent)).test_readings


def study_around(checkpoint: Path) -> RunDirectory | None:
    """Return the run directory of the study that the file `checkpoint` lies in, None if it lies in none."""
    for folder in checkpoint.absolute().parents:
        if (folder / "config.json").is_file():
            run = RunDirectory(folder)
            with contextlib.suppress(InputError):  # another program's file of that name
                run.read_config()
                return run
    return None


def append_reading(
    ledger: Path,
    *,
    command: str,
    why: str,
    models: Sequence[Mapping[str, Any]],
    n: int,
    accuracy: float,
    compared_with: Sequence[Mapping[str, Any]] = (),
) -> int:
    """Add a line to `ledger`, whole or not at all, beside what other processes add, and return its number from 1.

    Args:
        ledger: Made if need be.
        command: That looked.
        why: In a few words.
        models: Of each what tells it, such as sha256, trial and seed, and its accuracy.
        n: Test rows.
        accuracy: The mean over the models.
        compared_with: The same of other models, which were looked at for the difference.
    """
    line: dict[str, Any] = {
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": command,
        "why": why,
        "models": [dict(model) for model in models],
        "n": n,
        "accuracy": accuracy,
        "deviation": _deviation(models),
    }
    if compared_with:
        line["compared_with"] = [dict(model) for model in compared_with]
    with locked(ledger.with_name(_LOCK), every=0.02):
        lines = _lines(ledger)
        write_text(ledger, "".join(f"{one}\n" for one in (*lines, json.dumps(line))))
        return len(lines) + 1


def read_readings(ledger: Path) -> list[dict[str, Any]]:
    """Return the lines of `ledger`, the earliest first, none if there is no such file. A damaged line is a reading of which
    nothing is known: an empty dict."""
    return [_parsed(line) for line in _lines(ledger)]


def described(readings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line of words for each of `readings`: its models, by which command, when, and what was seen."""
    return [_described(one) if one else "a line that cannot be read" for one in readings]


def _deviation(models: Sequence[Mapping[str, Any]]) -> float | None:
    """Standard deviation (n - 1) of the accuracies over seeds; None for fewer than two."""
    by_seed = {model["seed"]: model["accuracy"] for model in models if "seed" in model}
    return stdev(by_seed.values()) if len(by_seed) > 1 else None


def _described(reading: Mapping[str, Any]) -> str:
    models, others = _models(reading.get("models")), _models(reading.get("compared_with"))
    trials = _trials(models)
    names = list(dict.fromkeys(str(model["file"]) for model in models if model.get("file") is not None))
    whose = " and ".join(
        filter(None, (f"trial {', '.join(trials)}" if trials else "", ", ".join(names))) or ("a model",)
    )
    seeds = len({model.get("seed") for model in models if model.get("seed") is not None})
    accuracy = reading.get("accuracy")
    seen = f"{accuracy:.4f}" if isinstance(accuracy, float) else "not told"
    spread = reading.get("deviation")
    mean = f" on average over {seeds} seeds" if seeds > 1 else ""
    if mean and isinstance(spread, float):
        mean += f", standard deviation {spread:.4f}"
    if others:
        mean += f", compared with trial {', '.join(_trials(others))}"
    return f"{whose}, by {reading.get('command')}, {str(reading.get('when'))[:10]}: {seen}{mean}"


def _models(listed: Any) -> list[Mapping[str, Any]]:
    return [model for model in listed if isinstance(model, Mapping)] if isinstance(listed, list) else []


def _trials(models: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(model["trial"]) for model in models if model.get("trial") is not None))


def _lines(ledger: Path) -> list[str]:
    try:
        text = ledger.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()]


def _parsed(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
