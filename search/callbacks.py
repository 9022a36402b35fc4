"""Callbacks: what programs are told of a search, and what takes part in a trial's training."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferplus_data.errors import InputError
from search.user_functions import load_function

if TYPE_CHECKING:
    from search.study.view import TrialRecord


@dataclass(frozen=True)
class Search:
    """A search that begins: the study's name, its folder, and the arguments as config.json holds them."""

    study: str
    directory: Path
    arguments: Mapping[str, Any]


class SearchCallback:
    """Told of a search in the process that was asked for it, also of trials that other processes run: if it runs trials itself,
    whenever an epoch of its own has ended. Every method does nothing until it is overridden. What one raises ends the search,
    which can be continued.

    Example:
        >>> class Best(SearchCallback):
        ...     def on_trial_end(self, trial):
        ...         print(trial.number, trial.score)
        >>> options = {"data": "demo", "callbacks": [Best()]}  # for tune(**options)
    """

    def on_search_begin(self, search: Search) -> None:
        """A search begins, or goes on."""

    def on_trial_begin(self, trial: TrialRecord) -> None:
        """A trial begins, or goes on after the epochs in `trial.values`."""

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        """Epoch number `epoch`, from 1, of a trial has ended. `logs` has the columns of its history.csv; of a trial on a machine
        whose files are not seen here, the objective alone."""

    def on_trial_end(self, trial: TrialRecord) -> None:
        """A trial has ended, or rests at a rung; it may then begin once more."""

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        """The search has ended: with the content of best/metrics.json, or early because of `error`."""


class Callbacks(SearchCallback):
    """Several callbacks as one.

    Args:
        callbacks: `SearchCallback`s, which are told in this order, and Keras callbacks, of which each trial gets a copy.

    Raises:
        InputError: One is neither.
    """

    def __init__(self, callbacks: Sequence[Any] = ()) -> None:
        self.search = [one for one in callbacks if isinstance(one, SearchCallback)]
        self.keras = [one for one in callbacks if not isinstance(one, SearchCallback)]
        for one in self.keras:
            if isinstance(one, type) or not hasattr(one, "on_epoch_end"):
                raise InputError(f"callbacks: expected Keras callbacks or SearchCallbacks, found {one!r:.80}")

    def for_trials(self, function: str | None) -> Callable[[], list[Any]]:
        """Return what makes the Keras callbacks of a trial: copies of those given, then what `function`, FILE.py:FUNCTION,
        returns.

        Raises:
            InputError: There is no such function.
        """
        make = None if function is None else load_function(function, "--callbacks")
        return lambda: [*copy.deepcopy(self.keras), *(make() if make else ())]

    @contextlib.contextmanager
    def told_of(self, search: Search) -> Iterator[dict[str, Any]]:
        """Tell that `search` begins and, after the block, that it has ended with what was put into the dict."""
        metrics: dict[str, Any] = {}
        self.on_search_begin(search)
        try:
            yield metrics
        except BaseException as error:
            self.on_search_end(None, error)
            raise
        self.on_search_end(metrics, None)

    def on_search_begin(self, search: Search) -> None:
        for one in self.search:
            one.on_search_begin(search)

    def on_trial_begin(self, trial: TrialRecord) -> None:
        self._tell(lambda one: one.on_trial_begin(trial))

    def on_epoch_end(self, trial: TrialRecord, epoch: int, logs: Mapping[str, float]) -> None:
        self._tell(lambda one: one.on_epoch_end(trial, epoch, logs))

    def on_trial_end(self, trial: TrialRecord) -> None:
        self._tell(lambda one: one.on_trial_end(trial))

    def on_search_end(self, metrics: Mapping[str, Any] | None, error: BaseException | None) -> None:
        for one in self.search:
            one.on_search_end(metrics, error)

    def _tell(self, told: Callable[[SearchCallback], None]) -> None:
        try:
            for one in self.search:
                told(one)
        except Exception as error:
            import keras_tuner  # which would take any other error for that of the trial that runs

            raise keras_tuner.errors.FatalRuntimeError(f"callback {one!r:.60}: {error}") from error
