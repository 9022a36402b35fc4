"""What a person sees while a search runs: a line per trial, a live bar within one, the time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NamedTuple

import optuna
from optuna.trial import FrozenTrial
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from ferplus_data.console import log
from models.metrics.objectives import DEFAULT_OBJECTIVE
from models.training.history import Epoch
from search.callbacks import Callbacks
from search.console.trial_lines import Goal, duration, standing, time_left, trial_line
from search.storages.trial_life import trials_of

_WORKERS_SHOWN = 20


class WorkerRow(NamedTuple):
    """A worker with a trial: its host and process, the trial's number, the epochs it has had of how many, and when, by
    `time.monotonic`, the worker was last heard of."""

    worker: str
    trial: int
    epoch: str
    heard: float


class _Bars(Bars):
    """Bars, and below them the workers."""

    workers: Sequence[WorkerRow] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.workers:
            yield _table(self.workers)


def _table(workers: Sequence[WorkerRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("worker", "trial", "epoch", "last heard of"):
        table.add_column(heading)
    now = time.monotonic()
    for row in workers[:_WORKERS_SHOWN]:
        table.add_row(row.worker, str(row.trial), row.epoch, f"{duration(now - row.heard)} ago")
    if len(workers) > _WORKERS_SHOWN:
        table.add_row(f"and {len(workers) - _WORKERS_SHOWN} more")
    return table


class Progress:
    """Writes to `console`: bars on a terminal, a line per epoch elsewhere. Use as a context manager.

    Attributes:
        on_line: Called after each trial's and each retraining's line; None: nothing.
        callbacks: Programs that are told of the search too.
        head, note: What is under way, and how its last epoch was.

    Args:
        console: Written to.
        callbacks: See above.
    """

    def __init__(self, console: Console, callbacks: Sequence[Any] = ()) -> None:
        self.console = console
        self.on_line: Callable[[], None] | None = None
        self.callbacks = Callbacks(callbacks)
        self._study: optuna.Study | None = None
        self._goal = Goal(0)
        self._bars = _Bars(
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
        self.note = ""
        self._begun = 0.0
        self._retraining_epochs = 0.0
        self.head = ""

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        log(text)
        self._bars.console.print(escape(text), emoji=False, highlight=False, soft_wrap=True)

    def follow(self, study: optuna.Study, goal: Goal, retraining_epochs: float = 0) -> None:
        """Tell of the trials of `study`, which has a `goal`; the retraining is worth that many epochs of a trial."""
        self._study, self._goal, self._retraining_epochs = study, goal, retraining_epochs

    def stands(self, name: str, study: optuna.Study, goal: Goal) -> None:
        """Say how far the study called `name` is from its `goal`."""
        objective = (study.metric_names or [DEFAULT_OBJECTIVE])[0].removeprefix("val_")
        self.say(f"study {name}: {standing(trials_of(study), goal, objective)}")

    def trial_begins(self, number: int, values: Mapping[str, Any]) -> None:
        self._begin(f"trial {number}")

    def retraining_begins(self, name: str) -> None:
        self._bars.workers = ()  # nobody looks after them any more
        self._begin(f"retraining, {name}")

    def batch_ends(self, epoch: int, epochs: int, batch: int, batches: int) -> None:
        self._bars.update(
            self._task,
            description=f"{self.head} epoch {epoch}/{epochs}",
            completed=(epoch - 1) * batches + batch,
            total=epochs * batches,
            note=self.note,
            visible=True,
        )

    def epoch_ends(self, epoch: Epoch, epochs: int) -> None:
        self.note = f"val {epoch.val_accuracy:.2%}"
        if not self.live:
            self.say(
                f"  {self.head} epoch {epoch.epoch}/{epochs}: loss {epoch.loss:.4f}, val_accuracy {epoch.val_accuracy:.4f}, "
                f"{epoch.seconds:.1f} s"
            )

    def trial_ends(self, number: int) -> None:
        """Print the trial's line: how it ended, its best epoch, the best so far, the time left."""
        seconds = time.monotonic() - self._begun
        self._bars.update(self._task, visible=False)
        if self._study is None:
            return
        trials = {trial.number: trial for trial in trials_of(self._study)}
        self.trial_seen(number, trials, self._goal, seconds, self.objective, here=1)
        if self.on_line is not None:
            self.on_line()

    def trial_seen(
        self,
        number: int,
        trials: Mapping[int, FrozenTrial],
        goal: Goal,
        seconds: float,
        objective: str,
        *,
        here: int = 0,
    ) -> None:
        """Print the line of trial `number` of `trials` after its `seconds`; `here` workers of this process are between two
        trials."""
        line = trial_line(number, trials, goal, seconds, objective)
        left = time_left([*trials.values()], goal, self._retraining_epochs, here=here)
        self.say(line if left is None else f"{line}, about {duration(left)} left")

    @property
    def live(self) -> bool:
        """Whether something is shown that changes, so that epochs need no lines."""
        return self.console.is_terminal

    @property
    def objective(self) -> str:
        """Name of what the followed study is searched for."""
        names = self._study.metric_names if self._study is not None else None
        return names[0].removeprefix("val_") if names else DEFAULT_OBJECTIVE

    def epoch_seen(self, number: int, epoch: int, epochs: int, score: float) -> None:
        """Tell of an epoch that another process has finished."""
        if not self.live:
            self.say(f"  trial {number} epoch {epoch}/{epochs}: val_{self.objective} {score:.4f}")

    def workers_seen(self, workers: Sequence[WorkerRow]) -> None:
        """Show workers of other processes below the bar, a row each."""
        self._bars.workers = workers

    def trials_seen(self, trials: Collection[FrozenTrial], goal: Goal, running: str) -> None:
        """Show how far the trials of all processes are."""
        self._bars.update(
            self._task,
            description=f"{'trials' if goal.budget is None else 'full trainings'} {goal.said(trials)}",
            completed=goal.done(trials),
            total=goal.total,
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
        self.head, self.note = head, ""
        self._bars.reset(self._task, total=1, description=head, note="", visible=True)
