"""Questions about a study's trials that figures, tables and the page share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from search.study.view import TrialRecord, by_merit

STATES = ("complete", "pruned", "failed", "running", "resting", "released", "queued")
"""Every state a trial can have, in the order in which reports list them."""
STOPPED = ("pruned", "resting")
"""States of a trial that was stopped before its epochs were up, for good or until it is promoted."""


def count_states(trials: Sequence[TrialRecord]) -> dict[str, int]:
    """Number of trials in each of STATES; states without a trial count 0."""
    found = Counter(trial.state for trial in trials)
    return {state: found[state] for state in STATES}


def scored(trials: Sequence[TrialRecord], state: str) -> list[TrialRecord]:
    """Trials in `state` that have a score, by number."""
    chosen = [trial for trial in trials if trial.state == state and trial.score is not None]
    return sorted(chosen, key=lambda trial: trial.number)


def judged(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The complete and the stopped trials that have a score, by number: what a comparison of configurations counts."""
    states = ("complete", *STOPPED)
    chosen = [trial for trial in trials if trial.state in states and trial.score is not None]
    return sorted(chosen, key=lambda trial: trial.number)


def best_first(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials by the search's own rule, `search.study.view.by_merit`, then those that it does not rank by number."""
    ranked = by_merit(trials)
    known = {trial.number for trial in ranked}
    return ranked + sorted((one for one in trials if one.number not in known), key=lambda one: one.number)


def first_line(error: str | None) -> str:
    """The line of an error text that names the reason: a traceback's last line, otherwise the first."""
    lines = [line.strip() for line in (error or "").splitlines() if line.strip()]
    if not lines:
        return ""
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
