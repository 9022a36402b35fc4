"""What a row of the table of trials expands to, as data for the page's script."""

from __future__ import annotations

from typing import Any

from reports.analysis.commands import trial_command
from reports.analysis.hyperparameters import shown
from search.study.view import StudyView, TrialRecord


def details(view: StudyView) -> dict[str, dict[str, Any]]:
    """Number -> hyperparameters as text, curve ([epoch, accuracy] pairs), error, worker, times and the command that runs
    the trial's configuration again."""
    return {str(trial.number): _of_trial(view, trial) for trial in view.trials}


def _of_trial(view: StudyView, trial: TrialRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "hyperparameters": {name: shown(value) for name, value in trial.hyperparameters.items()},
        "curve": [[epoch, round(value, 4)] for epoch, value in sorted(trial.values.items())],
        "directory": f"trials/{trial.directory.name}",
    }
    if trial.hyperparameters:
        found["command"] = trial_command(view, trial)
    if trial.error:
        found["error"] = trial.error
    if trial.worker:
        found["worker"] = trial.worker
    if trial.times:
        found["times"] = {kind: f"{seconds:.1f} s" for kind, seconds in trial.times.items()}
    if trial.prefix_cache is not None:
        cache = trial.prefix_cache
        found["cache"] = (
            f"used, about {cache.get('seconds_saved') or 0:.0f} s saved"
            if cache.get("used")
            else f"not used: {cache.get('reason')}"
        )
    return found
