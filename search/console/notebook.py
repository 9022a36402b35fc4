"""Progress in a notebook: a line a trial, and one line that changes while a trial runs."""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import TracebackType

from optuna.trial import FrozenTrial

from search.console.progress import Progress
from search.console.trial_lines import Goal


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


class NotebookProgress(Progress):
    """Prints lines, and shows how far a training is below them."""

    @property
    def live(self) -> bool:
        return True

    def __enter__(self) -> NotebookProgress:
        from IPython.display import display

        self._shown = display({"text/plain": ""}, raw=True, display_id=True)
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._show("")
        super().__exit__(kind, error, traceback)

    def batch_ends(self, epoch: int, epochs: int, batch: int, batches: int) -> None:
        super().batch_ends(epoch, epochs, batch, batches)
        self._show(f"{self.head} epoch {epoch}/{epochs}, {batch}/{batches}  {self.note}")

    def trials_seen(self, trials: Collection[FrozenTrial], goal: Goal, running: str) -> None:
        super().trials_seen(trials, goal, running)
        self._show(f"trials {goal.said(trials)}  {running}")

    def _show(self, text: str) -> None:
        if not self.console.quiet:
            self._shown.update({"text/plain": text}, raw=True)
