"""Studies of ours as tasks: `benchmarks/oracles.py --record STUDY` writes the curves of one to benchmarks/curves/STUDY.json."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.simulator.tasks import Task, full_scores
from ferplus_data.errors import InputError
from models.metrics.objectives import OBJECTIVES

FOLDER = Path(__file__).parents[1] / "curves"
_FEWEST = 20
"""Complete trials without which a table says nothing about its space."""


def names(folder: Path) -> list[str]:
    """Return the recorded studies: those kept here, and those in `folder`."""
    paths = {path.stem: path for place in (folder, FOLDER) for path in sorted(place.glob("*.json"))}
    return [f"recorded-{name}" for name in paths]


def load(name: str, folder: Path) -> Task:
    """Return the task `name`: a configuration has the curve of the nearest recorded one, by the study's objective; a loss counts
    as exp(-loss)."""
    file = name.partition("-")[2] + ".json"
    path = folder / file if (folder / file).exists() else FOLDER / file
    try:
        content = json.loads(path.read_text())
        space, trials, objective = content["space"], content["trials"], content["objective"]
        recorded = np.array([trial["metrics"][objective] for trial in trials], float)
        if OBJECTIVES[objective.removeprefix("val_")].direction == "min":
            recorded = np.exp(-recorded)
        values = [trial["values"] for trial in trials]
        distances = Distances(space, values)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected what benchmarks/oracles.py --record writes, found {error!r}"
        ) from error

    def curves(asked: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return recorded[[int(distances.to(one).argmin()) for one in asked]]

    full = full_scores(recorded)
    return Task(
        name,
        recorded.shape[1],
        curves,
        float(full.max()),
        float(np.median(full)),
        declare=lambda hp: declare(space, hp),
    )


def record(run: Path) -> Path:
    """Write the curves of the study in the run directory `run`; return the file.

    Raises:
        InputError: It has too few trials with all their epochs.
    """
    from ferplus_data.files import write_text
    from search.study.run_directory import RunDirectory
    from search.study.view import read_study

    study = read_study(RunDirectory(run))
    config = study.config
    objective, epochs = f"val_{study.objective_name}", config["arguments"]["epochs"]
    complete = [trial for trial in study.trials if len(trial.values) == epochs]
    if len(complete) < _FEWEST:
        raise InputError(
            f"--record {run}: expected {_FEWEST} trials or more with all {epochs} epochs, found {len(complete)}; search with "
            "--oracle random --pruner none"
        )
    content = {
        "study": study.name,
        "objective": objective,
        "space": config["space"],
        "trials": [
            {"values": t.hyperparameters, "metrics": _metrics(t, objective, epochs)} for t in complete
        ],
    }
    path = FOLDER / f"{study.name}.json"
    lines = [json.dumps(trial) for trial in content.pop("trials")]
    write_text(path, json.dumps(content)[:-1] + ', "trials": [\n' + ",\n".join(lines) + "\n]}\n")
    return path


def _metrics(trial: Any, objective: str, epochs: int) -> dict[str, list[float]]:
    """The trial's curves by name: of the objective as the study has it, of others as far as its history.csv is whole."""
    import pandas as pd

    found = {objective: [value for _, value in sorted(trial.values.items())]}
    path = trial.directory / "history.csv"
    if path.exists():
        history = pd.read_csv(path)
        if len(history) == epochs:
            numbers = history.select_dtypes("number").drop(columns="epoch", errors="ignore")
            found |= {str(name): column.tolist() for name, column in numbers.items()}
    return {name: [round(float(value), 5) for value in values] for name, values in found.items()}


def declare(space: Sequence[Mapping[str, Any]], hp: Any) -> None:
    """Declare the recorded `space`, a list of hyperparameters as config.json has it, on a `keras_tuner.HyperParameters`."""
    for one in space:
        with contextlib.ExitStack() as scopes:
            for parent, values in one["conditions"]:
                scopes.enter_context(hp.conditional_scope(parent, list(values)))
            _declare(one, hp)


def _declare(one: Mapping[str, Any], hp: Any) -> None:
    name, kind = one["name"], one["kind"]
    if kind in ("float", "int") and one["values"] is None:
        kinds = {"float": hp.Float, "int": hp.Int}
        kinds[kind](name, one["low"], one["high"], step=one["step"], sampling=one["scale"])
    elif kind in ("float", "int", "choice"):
        hp.Choice(name, one["values"], ordered=one["ordered"])
    elif kind == "boolean":
        hp.Boolean(name)
    else:
        hp.Fixed(name, one["values"][0])


class Distances:
    """How far configurations of a conditional space are from the recorded ones.

    The squared distance adds for each hyperparameter the squared difference of the positions in its range (on its scale; by order
    for ordered choices), and 1 for two categories that differ or where only one of the two has it.
    """

    def __init__(self, space: Sequence[Mapping[str, Any]], recorded: Sequence[Mapping[str, Any]]) -> None:
        self._space = [one for one in space if one["kind"] != "fixed"]
        self._table = np.array([self._row(values) for values in recorded])
        self._categories = np.array([not one["ordered"] for one in self._space])

    def to(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the squared distance of each recorded configuration to `values`, (n,)."""
        row = self._row(values)
        apart = (self._table - row) ** 2
        apart = np.where(self._categories & (self._table != row), 1.0, apart)
        apart = np.where(np.isnan(self._table) != np.isnan(row), 1.0, apart)
        return np.nan_to_num(apart, nan=0.0).sum(axis=1)

    def _row(self, values: Mapping[str, Any]) -> list[float]:
        return [
            _position(one, values[one["name"]]) if one["name"] in values else math.nan for one in self._space
        ]


def _position(one: Mapping[str, Any], value: Any) -> float:
    """Where `value` is in its range, 0 to 1; of a category its index."""
    if one["values"] is not None:
        index = one["values"].index(value)
        return index / max(len(one["values"]) - 1, 1) if one["ordered"] else float(index)
    low, high, value = float(one["low"]), float(one["high"]), float(value)
    if one["scale"] == "log":
        low, high, value = math.log(low), math.log(high), math.log(value)
    return (value - low) / (high - low) if high > low else 0.0
