"""A study at a glance, for a terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from models.metrics.objectives import DEFAULT_OBJECTIVE
from search.study.best import CHOSEN
from search.study.view import StudyView, best_trial, by_merit


def status_table(view: StudyView, top: int | None = None) -> Group:
    """Return the study's counts, its best trial so far, and a row for each trial, or for the `top` best ones."""
    counts = Counter(trial.state for trial in view.trials)
    asked = view.config["arguments"]["trials"]
    best = best_trial(view.trials)
    metric = f"val_{view.config['arguments'].get('objective', DEFAULT_OBJECTIVE)}"
    lines = [
        f"study {view.name}: {len(view.trials)} of {asked} trials  "
        + "  ".join(f"{n} {s}" for s, n in counts.items())
    ]
    if best is not None:
        by = f", suggested by: {best.source}" if best.source else ""
        lines.append(f"best {metric} {best.score:.4f}, {CHOSEN} (trial {best.number}{by})")
    if view.metrics is not None:
        lines.append(_retrained(view, view.metrics))
    table = Table()
    for heading in ("trial", "state", metric, "epochs", "seconds", "hyperparameters or error"):
        table.add_column(heading)
    for trial in view.trials if top is None else by_merit(view.trials)[:top]:
        seconds = (trial.ended - trial.started).total_seconds() if trial.ended and trial.started else None
        table.add_row(
            str(trial.number),
            trial.state,
            "" if trial.score is None else f"{trial.score:.4f}",
            str(max(trial.values, default=0)),
            "" if seconds is None else f"{seconds:.0f}",
            Text(
                trial.error
                or "  ".join(f"{name}={_short(value)}" for name, value in trial.hyperparameters.items())
            ),
        )
    return Group(*(Text(line) for line in lines), table)


def _retrained(view: StudyView, metrics: dict[str, Any]) -> str:
    whose = (
        f"trial {metrics['trial']}, asked for by the user, " if metrics.get("asked_for_by_the_user") else ""
    )
    test = metrics["test_accuracy"]
    said = "not looked at" if test is None else f"{test:.4f}"
    if view.test_readings:
        said += f" (the test labels were looked at {len(view.test_readings)} times)"
    return f"{whose}retrained: val_accuracy {metrics['val_accuracy']:.4f}, {CHOSEN}; test_accuracy {said}"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
