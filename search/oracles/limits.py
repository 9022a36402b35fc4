"""When a search is over before its trials are: its budget is spent, nothing better comes, or what was found is good enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from search.storages.trial_life import State, best_of, state_of


@dataclass(frozen=True)
class Limits:
    """What ends a search, told from the trials of its study alone, so that all its workers count.

    Args:
        epochs: Of a full training.
        objective: Name in `models.metrics.objectives.OBJECTIVES`: what trials are judged by.
        budget: Full trainings: epochs spent, in whatever trial, over `epochs`; None: no limit.
        stop_after: Trials begun after the best complete one that may end or rest without a gain; None: no limit.
        stop_at: Value of a complete trial that is good enough; None: none is.

    Example:
        >>> study = optuna.create_study()
        >>> study.optimize(lambda trial: [trial.report(0.5, epoch) for epoch in range(1, 11)][0] or 0.5, n_trials=3)
        >>> Limits(epochs=10, budget=2.5).reached(study.get_trials())
        'the budget of 2.5 full trainings is spent: 30 epochs in 3 trials'
    """

    epochs: int
    objective: str = DEFAULT_OBJECTIVE
    budget: float | None = None
    stop_after: int | None = None
    stop_at: float | None = None

    def __bool__(self) -> bool:
        """Whether there is any."""
        return any(limit is not None for limit in (self.budget, self.stop_after, self.stop_at))

    def reached(self, trials: Sequence[FrozenTrial]) -> str | None:
        """Return why a search with these trials is over; None if it is not."""
        if self.budget is not None:
            spent = sum(len(trial.intermediate_values) for trial in trials)
            if spent >= self.budget * self.epochs:
                return f"the budget of {self.budget:g} full trainings is spent: {spent} epochs in {len(trials)} trials"
        if self.stop_at is None and self.stop_after is None:
            return None  # of a large study, looking for the best takes a while
        minimized = OBJECTIVES[self.objective].direction == "min"
        # One that rests may have a better value, but has not had the epochs that the complete ones are judged after.
        best = best_of((t for t in trials if state_of(t) == State.COMPLETE), minimized=minimized)
        if best is None:
            return None
        name = f"trial {best.number} (val_{self.objective} {best.value:.4f})"
        if self.stop_at is not None and not OBJECTIVES[self.objective].better(
            self.stop_at, best.value or 0.0
        ):
            return f"{name} has reached {self.stop_at:g}"
        if self.stop_after is not None and self._without_gain(trials, best) >= self.stop_after:
            return f"{self.stop_after} trials have brought no gain over {name}"
        return None

    def _without_gain(self, trials: Sequence[FrozenTrial], best: FrozenTrial) -> int:
        """How many trials were begun, or promoted, after the end of the best one and have since got as far as they were let."""
        assert best.datetime_complete is not None
        return sum(
            state_of(trial) in (State.COMPLETE, State.PRUNED, State.RESTING)
            and trial.datetime_start is not None
            and trial.datetime_start >= best.datetime_complete
            for trial in trials
        )
