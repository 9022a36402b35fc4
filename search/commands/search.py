"""search: trials, retraining, report."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import attrs

from search.callbacks import SearchCallback
from search.commands.interruption import Interruptible
from search.commands.study_options import Reports, StorageOptions, announce, progress_of, report_result, start
from search.study import options as o
from search.study.arguments import SearchArguments
from search.study.options import option
from search.study.run_directory import RunDirectory
from search.study.space import default_study_name

EXAMPLES = (
    "search",
    "search --data PATH/TO/FERPLUS --trials 100 --timeout 12h",
    "search --data PATH --space my_space.py:mine --set backbone=resnet50 --study mine",
)


@attrs.frozen(kw_only=True, slots=False)
class SearchOptions(StorageOptions, SearchArguments):
    """What to search, and which study it is."""

    study: str = option(
        o.text("NAME"),
        "Name of the study; the same name continues it.",
        o.STUDY,
        resolve=lambda given: default_study_name(given.data, given.space),
        unless_given="the data's and the space's",
    )
    fresh: bool = option(
        o.FLAG,
        "Start the study over instead of continuing it.",
        o.STUDY,
        default=False,
        off="--resume",
    )

    dry_run: bool = option(
        o.FLAG,
        "Look at what the search would find, as the command check does, and end.",
        o.STUDY,
        default=False,
    )

    tensorboard: str | None = option(
        o.text("FOLDER"),
        "Write each trial's curves and hyperparameters, and the best model's figures, for TensorBoard.",
        o.OUTPUT,
        unless_given="none",
    )
    mlflow: str | None = option(
        o.text("URI"),
        "Record each trial, and the best model, in MLflow: http://HOST:PORT, sqlite:///FILE or a folder.",
        o.OUTPUT,
        unless_given="none",
    )
    wandb: str | None = option(
        o.text("PROJECT"),
        "Record each trial, and the best model, in this project of Weights & Biases.",
        o.OUTPUT,
        unless_given="none",
    )
    notify: str | None = option(
        o.text("URL"),
        'Post {"text": ...} there when the search has ended.',
        o.OUTPUT,
        resolve=lambda given: os.environ.get("FERPLUS_NOTIFY") or None,
        optional=True,
        unless_given="nobody",
        environment="FERPLUS_NOTIFY",
    )

    @property
    def trackers(self) -> list[SearchCallback]:
        """What follows the search elsewhere.

        Raises:
            InputError: A package is not installed, or a place cannot be one.
        """
        from search.tracking import TRACKERS, trackers

        return trackers({name: getattr(self, name) for name in TRACKERS})

    @property
    def arguments(self) -> SearchArguments:
        """What config.json holds of them."""
        return SearchArguments(**{name: getattr(self, name) for name in o.options_of(SearchArguments)})

    @property
    def run(self) -> RunDirectory:
        """The study's directory, which need not exist."""
        return RunDirectory.of(Path(self.runs_dir), self.study)


def run(options: SearchOptions, reports: Callable[[], Reports]) -> int:
    """Search, retrain the finalists, look at the test labels once, report, save."""
    if options.dry_run:
        from search.commands import check

        return check.run(options)
    arguments, directory, trackers = options.arguments, options.run, options.trackers
    with Interruptible() as interruptible:
        announce(options, directory)
        start(options)
        from search.launch import search

        with progress_of(options, trackers) as progress, reports().live(directory, options.storage, progress):
            metrics = search(
                arguments, directory, storage=options.storage, fresh=options.fresh, progress=progress
            )
            if metrics is not None:
                report_result(directory, reports().write(directory, options.storage), metrics)
    return interruptible.code
