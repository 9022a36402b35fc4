"""What the commands share: which study is meant, how much is said, what comes out."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from ferplus_data.console import log, logged_to, say
from search.study import options as o
from search.study.options import option

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from search.console.progress import Progress
    from search.study.run_directory import RunDirectory


@attrs.frozen(kw_only=True, slots=False)
class SayingOptions:
    """How much is said."""

    quiet: bool = option(o.FLAG, "Say nothing but the result.", o.SAYING, default=False, short="-q")
    verbose: bool = option(
        o.FLAG,
        "Show the logs of the libraries too, and where in the code a mistake was noticed.",
        o.SAYING,
        default=False,
        short="-v",
    )

    log_file: Path | None = option(
        o.path("FILE"),
        "Add every line that is said, with its time, and the warnings of the libraries to this file.",
        o.SAYING,
        unless_given="none",
    )


@attrs.frozen(kw_only=True, slots=False)
class StudyOptions(SayingOptions):
    """Which study is meant, among those in a folder."""

    study: str | None = option(
        o.text("NAME"),
        "Name of the study; its files are in RUNS_DIR/STUDY.",
        o.STUDY,
        unless_given="the one last searched or retrained",
    )
    runs_dir: Path = option(o.path("RUNS_DIR"), "Where studies are kept.", o.STUDY, default="runs")

    @property
    def run(self) -> RunDirectory:
        """The study's directory.

        Raises:
            InputError: There is none.
        """
        from search.study.run_directory import RunDirectory

        return (
            RunDirectory.of(self.runs_dir, self.study) if self.study else RunDirectory.latest(self.runs_dir)
        )


@attrs.frozen(kw_only=True, slots=False)
class StorageOptions(StudyOptions):
    """Which study is meant, and where it is stored."""

    storage: str | None = option(
        o.text("URL"),
        "Database shared by workers: sqlite:///FILE, postgresql+psycopg://..., or grpc://HOST:PORT of Optuna's proxy.",
        o.STUDY,
        resolve=lambda given: os.environ.get("FERPLUS_STORAGE") or None,
        optional=True,
        unless_given="a SQLite file in the study",
        environment="FERPLUS_STORAGE",
    )


class Reports(Protocol):
    """What writes reports; the package `reports` is above this one, so that it is handed in."""

    def live(
        self, run: RunDirectory, storage: str | None, progress: Progress
    ) -> AbstractContextManager[None]:
        """Have the report written now and then while the block runs, and once more if it ends early."""
        ...

    def write(self, run: RunDirectory, storage: str | None, form: str = "html") -> Path:
        """Write the report of the study in the format `form`; return where it is."""
        ...

    def watch(self, run: RunDirectory, storage: str | None, every: float) -> Path:
        """Write the report every `every` seconds until the study is finished; return where it is."""
        ...


def announce(options: StudyOptions, run: RunDirectory) -> None:
    """Say at once which study it is and where its files are, before the seconds that TensorFlow takes to start."""
    tell = log if options.quiet else say
    tell(f"study {run.study} in {run.path}, report {run.report}")
    tell(f"starting {os.environ.get('KERAS_BACKEND') or 'tensorflow'} ...")


@contextmanager
def logs(options: SayingOptions) -> Iterator[None]:
    """Show the logs of the libraries, and write the log file, as `options` say, while the block runs.

    Raises:
        InputError: The log file cannot be written.
    """
    if options.verbose:
        logging.basicConfig(level=logging.INFO)
    with logged_to(options.log_file):
        yield


def start(options: SayingOptions) -> None:
    """Make the process ready for networks."""
    if options.verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")
    from models.device.setup import prepare_device

    prepare_device()


def progress_of(options: SayingOptions, callbacks: Sequence[Any] = ()) -> Progress:
    """Return what shows progress on the screen, or nothing if `options` are quiet, and tells `callbacks`."""
    from rich.console import Console

    from search.console.notebook import NotebookProgress, in_notebook
    from search.console.progress import Progress

    kind = NotebookProgress if in_notebook() else Progress
    # In a notebook too as plain lines: rich's own way needs ipywidgets.
    return kind(Console(quiet=options.quiet, force_jupyter=False), callbacks)


def report_result(run: RunDirectory, report: Path, metrics: dict[str, Any]) -> None:
    """Say what a search has come to."""
    from search.study.best import CHOSEN
    from search.study.readings import read_readings

    said = f"val_accuracy {metrics['val_accuracy']:.4f} ({metrics['n_val']:,} faces, {CHOSEN})"
    if metrics["test_accuracy"] is None:
        said += ", test labels not looked at"
    else:
        said += (
            f", test_accuracy {metrics['test_accuracy']:.4f} ({metrics['n_test']:,} faces; the most frequent class alone: "
            f"{metrics['majority_class_rate']['test']:.4f}; reading {metrics.get('test_reading')} of "
            f"{len(read_readings(run.test_readings))} of the test labels)"
        )
    if metrics.get("asked_for_by_the_user"):
        said = f"trial {metrics['trial']}, asked for by the user: {said}"
    say(said)
    seeds = len(metrics["seeds"])
    if seeds > 1:
        spread = (
            f"{name} {mean:.4f} (standard deviation {metrics['deviation'][name]:.4f})"
            for name, mean in metrics["mean"].items()
            if mean is not None
        )
        say(f"mean of {seeds} seeds: {', '.join(spread)}")
    for name in ("improvement", "improvement_test"):
        if name in metrics:
            say(metrics[name]["statement"])
    say(f"report      {report}\ncheckpoint  {run.best_model}\nmetrics     {run.metrics}")
