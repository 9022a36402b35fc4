"""The search of the front door, with all that the command `search` takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferplus_data.errors import InputError
from search.commands.search import SearchOptions
from search.commands.study_options import logs, progress_of, start
from search.library.study import Study

if TYPE_CHECKING:
    import keras_tuner

    from spaces.space import Space


def tune(
    *,
    data: str = "demo",
    space: str | Space | Callable[[keras_tuner.HyperParameters], None] | None = None,
    callbacks: Sequence[Any] = (),
    quiet: bool = False,
    **options: Any,
) -> Study:
    """Search, retrain the finalists, read the test split once, report; return the study. The same call continues it.

    Args:
        data: Folder with FER+, or "demo" for generated faces.
        space: As for --space, a `spaces.space.Space`, or a function that declares on a `keras_tuner.HyperParameters`; of one
            that no module holds, what it declares is kept in RUNS_DIR/spaces.
        callbacks: Keras callbacks, of which every trial gets a copy, and `search.callbacks.SearchCallback`s. With several
            workers, which are processes of their own, Keras callbacks are named by `callbacks="FILE.py:FUNCTION"`.
        quiet: Whether nothing is said.
        options: Every other option of the command `search`, with its name there: trials, timeout, study, runs_dir, workers,
            pins={"backbone": "small"} for --set, fresh=True.

    Raises:
        InputError: An option or the data is not usable.
        NoTrialCompleted: No trial finished an epoch.
        KeyboardInterrupt: Interrupted; the same call continues.

    Example:
        >>> tune(data="demo", subset=0.1, trials=2, epochs=2, finalists=0, study="first", quiet=True).name
        'first'
    """
    runs_dir = Path(options.get("runs_dir", "runs"))
    given = {"data": data, "quiet": quiet, **options}
    if isinstance(callbacks, str):
        given["callbacks"], callbacks = callbacks, ()
    if space is not None:
        from search.oracles.space.space_file import name_of

        given["space"] = name_of(space, runs_dir / "spaces")
    chosen = SearchOptions(**given)
    progress = progress_of(chosen, [*callbacks, *chosen.trackers])
    if progress.callbacks.keras and (chosen.workers > 1 or chosen.engine != "local"):
        raise InputError(
            "callbacks: expected FILE.py:FUNCTION with several workers, which are processes of their own, found Keras callbacks"
        )
    start(chosen)
    from reports.reporting import StudyReports
    from search.launch import search

    run, reports = chosen.run, StudyReports()
    with logs(chosen), progress, reports.live(run, chosen.storage, progress):
        search(chosen.arguments, run, storage=chosen.storage, fresh=chosen.fresh, progress=progress)
        reports.write(run, chosen.storage)
    return Study(run, chosen.storage)
