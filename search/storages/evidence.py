"""Results from elsewhere, such as another study, that a sampler is shown beside the trials of its own. They are no trials of the
study: nothing counts them, waits for them or compares a trial with them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

MOST = 150
"""Results of one source that are kept: the better half of them the best, the others from all the rest."""
_ATTRIBUTE = "evidence: "
"""How the user attribute of a study begins that holds the results of a source."""


@dataclass(frozen=True)
class Result:
    """A configuration of the study's space and what it came to.

    Attributes:
        values: Its hyperparameters, as the user knows them.
        scores: Epoch, of a full training of the study -> the objective.
        whole: Whether it had all its epochs.
    """

    values: Mapping[str, Any]
    scores: Mapping[int, float]
    whole: bool


def is_kept(study: optuna.Study, source: str) -> bool:
    """Whether the study has the results of `source`."""
    return _ATTRIBUTE + source in study.user_attrs


def keep(study: optuna.Study, source: str, results: Sequence[Result]) -> None:
    """Have every process that draws trials of `study` know the `results` of `source`, at most `MOST` of them."""
    sign = 1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else -1
    ranked = sorted(results, key=lambda one: -max(sign * score for score in one.scores.values()))
    others = ranked[MOST // 2 :]
    every = -(-len(others) // (MOST - MOST // 2)) or 1
    kept = [*ranked[: MOST // 2], *others[::every]]
    rows = [[dict(one.values), {str(e): s for e, s in one.scores.items()}, one.whole] for one in kept]
    study.set_user_attr(_ATTRIBUTE + source, rows)


def evidence_of(study: optuna.Study) -> list[FrozenTrial]:
    """Return the results that `study` has been given as trials, with negative numbers, which none of its own has."""
    kept = sorted((key, rows) for key, rows in study.user_attrs.items() if key.startswith(_ATTRIBUTE))
    every = [row for _, rows in kept for row in rows]
    return [_trial(number - len(every), *row) for number, row in enumerate(every)]


def is_evidence(trial: FrozenTrial) -> bool:
    """Whether the trial is a result from elsewhere."""
    return trial.number < 0


def _trial(number: int, values: dict[str, Any], scores: dict[str, float], whole: bool) -> FrozenTrial:
    reported = {int(epoch): score for epoch, score in scores.items()}
    now = datetime.datetime.now()
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.COMPLETE if whole else TrialState.PRUNED,
        value=reported[max(reported)],
        datetime_start=now,
        datetime_complete=now,
        params=values,
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values=reported,
    )
