"""What pruning and the prefix cache saved."""

from __future__ import annotations

from dataclasses import dataclass

from reports.analysis.trials import duration
from search.study.view import StudyView


@dataclass(frozen=True)
class Pruning:
    """Epochs that pruned trials did not run, of those that all ended trials could have run, and the seconds they would
    have taken at the pace of each trial's own epochs."""

    trials: int
    epochs: int
    possible: int
    seconds: float


@dataclass(frozen=True)
class Caching:
    """Trials whose training used stored prefix activations, of those that recorded it, and the seconds they estimate to
    have saved; `reasons` says why the others did not, with their number."""

    used: int
    recorded: int
    seconds: float
    reasons: dict[str, int]


def pruning(view: StudyView) -> Pruning | None:
    """What pruning saved; None while no trial has been pruned or the epochs of a trial are not known."""
    planned = (view.config.get("arguments") or {}).get("epochs")
    pruned = [trial for trial in view.trials if trial.state == "pruned" and trial.values]
    if not planned or not pruned:
        return None
    left = {trial.number: max(0, planned - len(trial.values)) for trial in pruned}
    ended = [trial for trial in view.trials if trial.state in ("complete", "pruned")]
    seconds = sum((duration(trial) or 0.0) / len(trial.values) * left[trial.number] for trial in pruned)
    return Pruning(len(pruned), sum(left.values()), planned * len(ended), seconds)


def caching(view: StudyView) -> Caching | None:
    """What the prefix cache saved; None where no trial recorded whether it used one."""
    recorded = [trial.prefix_cache for trial in view.trials if trial.prefix_cache is not None]
    if not recorded:
        return None
    reasons: dict[str, int] = {}
    for one in recorded:
        if not one.get("used"):
            reason = str(one.get("reason") or "no reason given")
            reasons[reason] = reasons.get(reason, 0) + 1
    used = sum(bool(one.get("used")) for one in recorded)
    return Caching(
        used, len(recorded), sum(float(one.get("seconds_saved") or 0) for one in recorded), reasons
    )
