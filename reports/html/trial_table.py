"""The table of all trials: a column a hyperparameter, best first, and what a row opens to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from reports.analysis.commands import trial_command
from reports.analysis.trials import best_first, first_line
from reports.analysis.words import duration_words
from reports.figures.slices import in_order
from reports.hyperparameters.declared import shown
from reports.hyperparameters.explanations import explanation, title
from reports.hyperparameters.families import families, member
from search.study.view import StudyView, TrialRecord, best_trial


@dataclass(frozen=True)
class Cell:
    """A cell as text, and as the number that it is sorted and filtered by, None where it is none."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """A trial's row; `cells` are its hyperparameters in the order of the table's columns."""

    trial: TrialRecord
    best: bool
    duration: Cell
    cells: tuple[Cell, ...]
    error: str


@dataclass(frozen=True)
class TrialTable:
    """All trials, the best first by the search's own rule.

    Attributes:
        columns: hyperparameter -> whether it holds numbers; families as one, the most important first; those that are the same in
            every trial are no columns.
        constants: these, with their value as text.
        rows: one per trial.
    """

    columns: dict[str, bool]
    constants: dict[str, str]
    rows: tuple[Row, ...]


def trial_table(view: StudyView) -> TrialTable:
    """The table of all trials of `view`."""
    all_of_them = {one.name: one for one in families(view.trials, view.config.get("space"))}
    constant = {
        name: shown(one.choices[0])
        for name, one in all_of_them.items()
        if len(one.choices) == 1 and not one.absent and len(view.trials) > 1
    }
    first = [one.name for one in in_order(view)]
    names = [name for name in [*first, *(n for n in all_of_them if n not in first)] if name not in constant]
    best = best_trial(view.trials)
    rows = [
        Row(
            trial,
            best is not None and trial.number == best.number,
            Cell(duration_words(trial.seconds), trial.seconds),
            tuple(_cell(trial, name) for name in names),
            first_line(trial.error),
        )
        for trial in best_first(view.trials)
    ]
    return TrialTable(
        {name: all_of_them[name].kind != "categorical" for name in names}, constant, tuple(rows)
    )


def _cell(trial: TrialRecord, name: str) -> Cell:
    found = member(trial.hyperparameters, name)
    if found is None:
        return Cell("–")
    value = found[1]
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return Cell(shown(value), value if number else None)


def details(view: StudyView) -> dict[str, dict[str, Any]]:
    """Number -> what the trial's row opens to, as data for the page's script: hyperparameters as text, curve ([epoch, score]
    pairs), error, worker, times and the command that runs the trial's configuration again."""
    return {str(trial.number): _of_trial(view, trial) for trial in view.trials}


def meanings(view: StudyView) -> dict[str, str]:
    """Hyperparameter -> its name in words and a few words on it, once for all trials."""
    names = dict.fromkeys(name for trial in view.trials for name in trial.hyperparameters)
    return {name: ": ".join(filter(None, (title(name), explanation(name)))) for name in names}


def _of_trial(view: StudyView, trial: TrialRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hyperparameters": {name: shown(value) for name, value in trial.hyperparameters.items()},
        "curve": [[epoch, round(value, 4)] for epoch, value in sorted(trial.values.items())],
        "directory": f"trials/{trial.directory.name}",
    }
    frozen = member(trial.hyperparameters, "freeze_before")
    if frozen is not None:
        found["frozen"] = explanation("freeze_before", frozen[1])
    if trial.hyperparameters:
        found["command"] = trial_command(view, trial)
    if trial.error:
        found["error"] = trial.error
    if trial.worker:
        found["worker"] = trial.worker
    if trial.times:
        found["times"] = {kind: duration_words(seconds) for kind, seconds in trial.times.items()}
    if trial.prefix_cache is not None:
        cache = trial.prefix_cache
        found["cache"] = (
            f"used, about {duration_words(cache.get('seconds_saved') or 0)} saved"
            if cache.get("used")
            else f"not used: {cache.get('reason')}"
        )
    return found
