"""A study at a glance, for a terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ferplus_data.errors import InputError
from models.hyperparameters import base_name
from models.metrics.objectives import DEFAULT_OBJECTIVE
from search.console.trial_lines import duration, short, varied
from search.study.best import CHOSEN
from search.study.view import StudyView, TrialRecord, best_trial

REFRESH_SECONDS = 2.0


def status_table(view: StudyView, top: int | None = None, sort: str | None = None) -> Group:
    """Return the study's counts, its best trial so far, and a row for each trial with the hyperparameters that differ.

    Args:
        view: The study.
        top: How many trials to show, by `sort`, or the best ones; None: all.
        sort: number, state, score, epochs, seconds or a hyperparameter; None: score with `top`, else number.

    Raises:
        InputError: There is nothing called `sort`.
    """
    counts = Counter(trial.state for trial in view.trials)
    best = best_trial(view.trials)
    metric = f"val_{view.config['arguments'].get('objective', DEFAULT_OBJECTIVE)}"
    lines = [f"study {view.name}: {_extent(view)}  " + "  ".join(f"{n} {s}" for s, n in counts.items())]
    if best is not None:
        by = f", suggested by: {best.source}" if best.source else ""
        lines.append(f"best {metric} {best.score:.4f}, {CHOSEN} (trial {best.number}{by})")
    if view.metrics is not None:
        lines.append(_retrained(view, view.metrics))
    configurations = [trial.hyperparameters for trial in view.trials]
    names = varied(configurations) if len(configurations) > 1 else list(dict.fromkeys(*configurations))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("trial", "state", metric, "epochs", "duration"):
        table.add_column(heading, justify="left" if heading == "state" else "right", overflow="fold")
    table.add_column("hyperparameters that differ, or error", ratio=1, overflow="fold")
    for trial in _sorted(view.trials, sort or ("number" if top is None else "score"))[:top]:
        seconds = trial.seconds
        values = [
            f"{name}={short(trial.hyperparameters[name])}" for name in names if name in trial.hyperparameters
        ]
        table.add_row(
            str(trial.number),
            trial.state,
            "" if trial.score is None else f"{trial.score:.4f}",
            str(max(trial.values, default=0)),
            "" if seconds is None else duration(seconds),
            Text(trial.error or "  ".join(values)),
        )
    return Group(*(Text(line) for line in lines), table)


def watch(show: Callable[[], tuple[Any, bool]], console: Console, every: float = REFRESH_SECONDS) -> None:
    """Have `console` show what `show` returns, in the same place, until it returns True beside it."""
    shown, finished = show()
    with Live(shown, console=console, auto_refresh=False) as live:
        while not finished:
            time.sleep(every)
            shown, finished = show()
            live.update(shown, refresh=True)


def _extent(view: StudyView) -> str:
    """How many trials there are, of how many, or what of the budget they have had."""
    asked = view.config["arguments"]
    if asked.get("budget") is None:
        return f"{len(view.trials)} of {asked['trials']} trials"
    spent = sum(len(trial.values) for trial in view.trials) / asked["epochs"]
    return f"{len(view.trials)} trials, {spent:.1f} of {asked['budget']:g} full trainings"


def _sorted(trials: Sequence[TrialRecord], sort: str) -> list[TrialRecord]:
    """The trials by `sort`: the best or largest first, but numbers and words upwards; those without it last. A hyperparameter may
    be named without its mark."""
    if sort == "score":
        return sorted(trials, key=lambda trial: (-trial.merit, trial.number))
    own: dict[str, Callable[[TrialRecord], Any]] = {
        "number": lambda trial: -trial.number,
        "state": lambda trial: trial.state,
        "epochs": lambda trial: max(trial.values, default=0),
        "seconds": lambda trial: trial.seconds,
    }
    known = {name for trial in trials for name in trial.hyperparameters}
    meant = {name for name in known if sort in (name, base_name(name))}
    if sort not in own and not meant:
        raise InputError(f"--sort {sort}: expected one of {', '.join(['score', *own, *sorted(known)])}")

    def hyperparameter(trial: TrialRecord) -> Any:
        return next((value for name, value in trial.hyperparameters.items() if name in meant), None)

    value = own.get(sort, hyperparameter)
    having = [trial for trial in trials if value(trial) is not None]
    words = any(isinstance(value(trial), str) for trial in having)
    ordered = sorted(
        having, key=lambda trial: str(value(trial)) if words else value(trial), reverse=not words
    )
    return [*ordered, *(trial for trial in trials if value(trial) is None)]


def _retrained(view: StudyView, metrics: dict[str, Any]) -> str:
    whose = (
        f"trial {metrics['trial']}, asked for by the user, " if metrics.get("asked_for_by_the_user") else ""
    )
    test = metrics["test_accuracy"]
    said = "not looked at" if test is None else f"{test:.4f}"
    if view.test_readings:
        said += f" (the test labels were looked at {len(view.test_readings)} times)"
    return f"{whose}retrained: val_accuracy {metrics['val_accuracy']:.4f}, {CHOSEN}; test_accuracy {said}"
