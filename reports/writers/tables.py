"""A study's trials and metrics as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ferplus_data.files.owned import check_owned, write_owned
from reports.analysis.answer.claims import honest
from reports.analysis.answer.headline import asked_for
from reports.analysis.selection import CHOSEN, corrected
from reports.analysis.trials import count_states
from reports.hyperparameters.declared import hyperparameters
from reports.hyperparameters.importance import importances
from reports.writers.redaction import without_passwords
from search.study.view import StudyView, TrialRecord

TRIAL_COLUMNS = ("number", "state", "score", "epochs", "started", "ended", "seconds", "worker", "error")


def trial_row(trial: TrialRecord) -> dict[str, Any]:
    """One trial as JSON-ready values under TRIAL_COLUMNS; hyperparameters and values are not in it."""
    return {
        "number": trial.number,
        "state": trial.state,
        "score": trial.score,
        "epochs": len(trial.values),
        "started": _moment(trial.started),
        "ended": _moment(trial.ended),
        "seconds": trial.seconds,
        "worker": trial.worker,
        "error": trial.error,
    }


def as_dict(view: StudyView) -> dict[str, Any]:
    """The study as JSON-ready values: study, config, counts, trials, metrics, test_readings, selection and so on."""
    view = without_passwords(view)
    trials = [
        {
            **trial_row(trial),
            "hyperparameters": trial.hyperparameters,
            "values": {str(epoch): value for epoch, value in sorted(trial.values.items())},
        }
        for trial in view.trials
    ]
    return _strict(
        {
            "study": view.name,
            "config": view.config,
            "counts": count_states(view.trials),
            "trials": trials,
            "metrics": view.metrics,
            "test_readings": view.test_readings,
            "selection": selection_of(view),
            "importances": [asdict(one) for one in importances(view)],
            "retraining": {name: frame.to_dict("records") for name, frame in view.histories.items()},
        }
    )


def selection_of(view: StudyView) -> dict[str, Any]:
    """What was chosen on validation rows and is measured on them, by its place in `as_dict`; whether a user asked for the trial;
    and the best trial's accuracy corrected for the choice, None where it cannot be told."""
    found = corrected(view)
    chosen_by = ("val_accuracy", "trial_score")  # of the objective, on the validation rows
    metrics = view.metrics or {}
    validation = [f"metrics.{name}" for name in metrics if any(one in name for one in chosen_by)]
    places = {"val_accuracy": "val_accuracy", "objectives": "objectives.val"}
    known = {name for seed in metrics.get("seeds") or [] for name in seed}
    return {
        CHOSEN: [
            "trials[].score",
            "trials[].values",
            *validation,
            *(f"metrics.seeds[].{place}" for name, place in places.items() if name in known),
        ],
        "honest": honest(view),
        "asked_for_by_the_user": asked_for(view),
        "bias_corrected": None if found is None else asdict(found),
    }


def write_json(view: StudyView, path: Path) -> Path:
    """Writes `as_dict` as strict JSON (NaN and infinities become null) to `path`, which it returns."""
    return write_owned(path, json.dumps(as_dict(view), indent=1, allow_nan=False, default=str) + "\n")


def write_csv(view: StudyView, path: Path) -> Path:
    """Writes the trials to `path`, which it returns, and metrics, once there are some, to NAME_metrics.csv.

    Trials: TRIAL_COLUMNS, then one column per hyperparameter named hyperparameter.NAME, empty where a trial
    does not have it. Metrics: columns metric, value; nested keys joined by dots.
    """
    view = without_passwords(view)
    names = [parameter.name for parameter in hyperparameters(view.trials)]
    rows = [
        {**trial_row(trial), **{f"hyperparameter.{k}": v for k, v in trial.hyperparameters.items()}}
        for trial in view.trials
    ]
    beside = path.with_name(f"{path.stem}_metrics.csv")
    check_owned(beside)
    _write_rows(path, [*TRIAL_COLUMNS, *(f"hyperparameter.{name}" for name in names)], rows)
    if view.metrics is not None:
        flat = [{"metric": key, "value": value} for key, value in _flat("", view.metrics)]
        _write_rows(beside, ["metric", "value"], flat)
    return path


def _write_rows(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return write_owned(path, text.getvalue())


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _flat(prefix: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        items: list[tuple[str, Any]] = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return [(prefix, value)]
    return [leaf for key, item in items for leaf in _flat(f"{prefix}.{key}" if prefix else key, item)]


def _strict(value: Any) -> Any:
    """`value` with numpy scalars unwrapped and what JSON cannot say (NaN, infinities) as None."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if hasattr(value, "item") and callable(value.item):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
