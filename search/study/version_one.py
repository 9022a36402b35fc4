"""Studies of this program's first version, which are reported and not continued: a trial of theirs could be several rows."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState


def is_version_one(study: optuna.Study) -> bool:
    """Whether `study` was begun by the first version."""
    config = study.user_attrs.get("config")
    return "made_by" not in study.user_attrs and isinstance(config, dict) and config.get("version") == 1


def trials_of_version_one(study: optuna.Study) -> list[tuple[int, FrozenTrial, dict[str, Any]]]:
    """Return (number, trial, hyperparameters) of every trial. One whose worker was gone was failed and queued again as another
    row, which named the first of them; the last that did not fail stands for all, under the number of the first."""
    standing: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if "discarded" not in trial.user_attrs:
            number = int(trial.system_attrs.get("failed_trial", trial.number))
            if number not in standing or standing[number].state == TrialState.FAIL:
                standing[number] = trial
    return [
        (number, trial, trial.user_attrs.get("hyperparameters", {})) for number, trial in standing.items()
    ]
