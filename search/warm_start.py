"""What is known before a search begins: the trials of another study, or results in a CSV file."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna

from ferplus_data.errors import InputError
from models.hyperparameters import base_name, canonical, canonical_values
from models.recipe import Recipe, all_own_parameters, default_of, hyperparameter_names
from search.oracles.space.search_space import recipe_values
from search.setup import Prepared
from search.storages.evidence import Result, is_kept, keep
from search.study.arguments import SearchArguments
from search.study.config import read_arguments
from search.study.run_directory import RunDirectory
from search.study.space import parse_value
from search.study.view import read_study

_PREFIX = "hyperparameter."
"""Before the hyperparameters in the CSV of a report."""
_OF_A_REPORT = ("number", "state", "epochs", "started", "ended", "seconds", "worker", "error")
"""Columns of the CSV of a report that are none of a result."""
_Found = tuple[list[Result], int]
"""Results in the space, and how many there were."""


def warm_start(
    study: optuna.Study,
    arguments: SearchArguments,
    prepared: Prepared,
    run: RunDirectory,
    storage: str | None,
    say: Callable[[str], None],
) -> None:
    """Tell the oracles of `study` what the sources in `arguments.warm_start` hold, each once.

    A source is the name of a study beside the one in `run`, the folder of one, or a CSV file. Of it those results are told whose
    configuration is a point of this search's space. Epochs of another length are counted in parts of a full training.

    Raises:
        InputError: A source is none, is of another objective, or nothing in it lies in the space.
    """
    for source in arguments.warm_start:
        if is_kept(study, source):
            continue
        if source.lower().endswith(".csv"):
            results, count = _of_csv(Path(source), arguments, prepared)
        else:
            results, count = _of_study(source, arguments, prepared, run, storage)
        if not results:
            raise InputError(
                f"--warm-start {source}: expected results in the space of this search, found {count} that are not"
            )
        keep(study, source, results)
        say(f"warm start from {source}: {len(results)} of {count} results lie in the space of this search")


def _of_study(
    source: str, arguments: SearchArguments, prepared: Prepared, run: RunDirectory, storage: str | None
) -> _Found:
    folder = Path(source)
    other = RunDirectory(folder) if (folder / "config.json").exists() else _beside(run, source)
    if other.path.resolve() == run.path.resolve():
        raise InputError(f"--warm-start {source}: expected another study than the one that is searched")
    told = read_arguments(other)
    if told.objective != arguments.objective:
        raise InputError(
            f"--warm-start {source}: expected a study of the objective {arguments.objective}, found one of {told.objective}"
        )
    trials = [
        trial
        for trial in read_study(other, None if other.database.exists() else storage).trials
        if trial.values
    ]
    found = []
    for trial in trials:
        point = _point(trial.hyperparameters, prepared)
        scores = {
            max(1, round(epoch * arguments.epochs / told.epochs)): value
            for epoch, value in sorted(trial.values.items())
            if math.isfinite(value)
        }
        if point is not None and scores:
            found.append(Result(point, scores, trial.state == "complete"))
    return found, len(trials)


def _beside(run: RunDirectory, source: str) -> RunDirectory:
    other = RunDirectory.of(run.path.parent, source)
    if not other.config.exists():
        raise InputError(
            f"--warm-start {source}: expected a study in {run.path.parent}, the folder of one, or a CSV file, found none"
        )
    return other


def _point(values: Mapping[str, Any], prepared: Prepared) -> dict[str, Any] | None:
    """The configuration of this search's space that is the same recipe as `values`, None if there is none."""
    hp, pins = prepared.oracle_settings.hyperparameters, prepared.model.pins
    try:
        recipe = Recipe.from_hyperparameters(values)
        known = {base_name(one.name): default_of(base_name(one.name)) for one in hp.space}
        known |= {base_name(name): canonical(name, value) for name, value in values.items()}
        filled = recipe_values(hp, known, pins)
        return filled if Recipe.from_hyperparameters(filled) == recipe else None
    except InputError:  # of a version that knew other values
        return None


def _of_csv(path: Path, arguments: SearchArguments, prepared: Prepared) -> _Found:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file, restkey="", restval="")
            columns = [name.strip() for name in table.fieldnames or []]
            rows = [{name.strip(): str(value).strip() for name, value in row.items()} for row in table]
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--warm-start {path}: expected a CSV file, found: {reason}") from error
    score, names = _columns(path, columns, arguments.objective)
    found, count = [], 0
    for line, row in enumerate(rows, 2):
        if row.get("state", "complete") != "complete" or not row[score]:
            continue
        count += 1
        given = {names[column]: parse_value(row[column]) for column in names if row[column]}
        point = _filled(canonical_values(given), prepared)
        if point is not None:
            found.append(Result(point, {arguments.epochs: _number(row[score], path, line, score)}, True))
    return found, count


def _columns(path: Path, columns: list[str], objective: str) -> tuple[str, dict[str, str]]:
    """The column with the objective, and column -> hyperparameter."""
    scores = [name for name in columns if name in (objective, f"val_{objective}", "score")]
    known = {*hyperparameter_names(), *all_own_parameters()}
    names = {
        name: name.removeprefix(_PREFIX) for name in columns if base_name(name.removeprefix(_PREFIX)) in known
    }
    strange = [name for name in columns if name not in names and name not in (*scores, *_OF_A_REPORT)]
    if len(scores) != 1 or not names or strange:
        raise InputError(
            f"--warm-start {path}: expected a column {objective} and columns of hyperparameters, found "
            f"{', '.join(strange or columns) or 'no line'}"
        )
    return scores[0], names


def _filled(given: Mapping[str, Any], prepared: Prepared) -> dict[str, Any] | None:
    """The configuration of the space that has the values `given`, and its defaults beside them; None if there is none."""
    filled = recipe_values(prepared.oracle_settings.hyperparameters, given, prepared.model.pins)
    having = {base_name(name): value for name, value in filled.items()}
    inside = all(name in filled or base_name(name) in having for name in given) and all(
        filled.get(name, having.get(base_name(name))) == value for name, value in given.items()
    )
    return filled if inside else None


def _number(text: str, path: Path, line: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"--warm-start {path}, line {line}: expected a number in {column}, found {text[:40]!r}"
        )
    return value
