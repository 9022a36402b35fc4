"""What a person sees while a search runs: a line per trial, a live bar within one, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from models.training.history import Epoch
from search.callbacks import Callbacks
from search.storages.trial_life import State, state_of, trials_of


class Progress:
    """Writes to `console`: bars on a terminal, a line per epoch elsewhere. Use as a context manager.

    Attributes:
        on_line: Called after each trial's and each retraining's line; None: nothing.
        callbacks: Programs that are told of the search too.
    """

    def __init__(self, console: Console, callbacks: Sequence[Any] = ()) -> None:
        self.console = console
        self.on_line: Callable[[], None] | None = None
        self.callbacks = Callbacks(callbacks)
        self._study: optuna.Study | None = None
        self._trials = 0
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", total=1, note="", visible=False)
        self._note = ""
        self._begun = 0.0
        self._durations: list[float] = []
        self._head = ""

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(escape(text), emoji=False, highlight=False, soft_wrap=True)

    def follow(self, study: optuna.Study, trials: int) -> None:
        """Tell of the trials of `study`, of which there will be `trials`."""
        self._study, self._trials = study, trials

    def trial_begins(self, number: int, values: Mapping[str, Any]) -> None:
        self._begin(f"trial {number}")

    def retraining_begins(self, name: str) -> None:
        self._begin(f"retraining, {name}")

    def batch_ends(self, epoch: int, epochs: int, batch: int, batches: int) -> None:
        self._bars.update(
            self._task,
            description=f"{self._head} epoch {epoch}/{epochs}",
            completed=(epoch - 1) * batches + batch,
            total=epochs * batches,
            note=self._note,
            visible=True,
        )

    def epoch_ends(self, epoch: Epoch, epochs: int) -> None:
        self._note = f"val {epoch.val_accuracy:.2%}"
        if not self.console.is_terminal:
            self.say(
                f"  {self._head} epoch {epoch.epoch}/{epochs}: loss {epoch.loss:.4f}, val_accuracy {epoch.val_accuracy:.4f}, "
                f"{epoch.seconds:.1f} s"
            )

    def trial_ends(self, number: int) -> None:
        """Print the trial's line: how it ended, its best epoch, the best so far, the time left."""
        self._durations.append(time.monotonic() - self._begun)
        self._bars.update(self._task, visible=False)
        if self._study is None:
            return
        trials = {trial.number: trial for trial in trials_of(self._study)}
        done = sum(state_of(trial).ended for trial in trials.values())
        remaining = max(self._trials - done, 0) * sum(self._durations) / len(self._durations)
        line = trial_line(number, trials, self._trials, self._durations[-1], self._objective)
        self.say(f"{line}, about {duration(remaining)} left")
        if self.on_line is not None:
            self.on_line()

    @property
    def _objective(self) -> str:
        names = self._study.metric_names if self._study is not None else None
        return names[0].removeprefix("val_") if names else DEFAULT_OBJECTIVE

    def epoch_seen(self, number: int, epoch: int, epochs: int, score: float) -> None:
        """Tell of an epoch that another process has finished."""
        if not self.console.is_terminal:
            self.say(f"  trial {number} epoch {epoch}/{epochs}: val_{self._objective} {score:.4f}")

    def trials_seen(self, done: int, trials: int, running: str) -> None:
        """Show how far the trials of all processes are."""
        self._bars.update(
            self._task,
            description=f"trials {done}/{trials}",
            completed=done,
            total=trials,
            note=running,
            visible=True,
        )

    def training_ends(self, text: str) -> None:
        """Print the line of a finished retraining."""
        self._bars.update(self._task, visible=False)
        self.say(text)
        if self.on_line is not None:
            self.on_line()

    def _begin(self, head: str) -> None:
        self._begun = time.monotonic()
        self._head, self._note = head, ""
        self._bars.reset(self._task, total=1, description=head, note="", visible=True)


_OUTCOMES = {State.COMPLETE: "done", State.RESTING: "rests"}
"""How a line calls the state of a trial, where not by its name."""


def trial_line(
    number: int,
    trials: Mapping[int, FrozenTrial],
    asked: int,
    seconds: float,
    objective: str = DEFAULT_OBJECTIVE,
) -> str:
    """Return the line of trial `number` of `trials`, which has ended after `seconds`; `asked` is how many there will be."""
    trial = trials[number]
    highest = OBJECTIVES[objective].direction == "max" if objective in OBJECTIVES else True
    best_of = max if highest else min
    score = best_of(trial.intermediate_values.values(), default=None)
    state = state_of(trial)
    done = sum(state_of(t).ended for t in trials.values())
    complete = {
        n: t.value for n, t in trials.items() if state_of(t) == State.COMPLETE and t.value is not None
    }
    best = best_of(complete, key=lambda n: complete[n], default=None)
    outcome = _OUTCOMES.get(state, state.value)
    parts = [
        f"trial {number:>3} {outcome:<6} {done}/{asked}",
        f"val_{objective} {score:.4f} after {len(trial.intermediate_values)} epochs"
        if score is not None
        else "no epoch",
    ]
    if state == State.FAILED:
        parts.append(str(trial.user_attrs.get("error", ""))[:160])
    if "ended_early" in trial.user_attrs:
        parts.append(f"ended early, {trial.user_attrs['ended_early']}")
    if best is not None:
        parts.append(f"best {complete[best]:.4f} (trial {best})")
    return "  ".join([*parts, f"{seconds:.0f} s"])


def duration(seconds: float) -> str:
    """Return `seconds` as a person says it: 45 s, 12 min, 3 h 05 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
