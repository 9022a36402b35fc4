"""worker: trials of a study that others run too."""

from __future__ import annotations

import attrs

from search.commands.interruption import Interruptible
from search.commands.study_options import StorageOptions, announce, progress_of, start
from search.study import options as o
from search.study.options import option

EXAMPLES = ("worker --study big --runs-dir /shared/runs --workers auto",)


@attrs.frozen(kw_only=True, slots=False)
class WorkerOptions(StorageOptions):
    """Whose trials to run, and in how many processes."""

    data: str | None = option(
        o.text("DATA"),
        "Where the study's data is on this machine.",
        o.INPUT,
        unless_given="where it was begun",
    )
    workers: int | str = option(
        o.COUNT_OR_AUTO,
        "Processes that run trials, on a GPU (or a share of the CPU) each; auto: one for each GPU.",
        o.WORKERS,
        default=1,
    )


def run(options: WorkerOptions) -> int:
    """Run trials of a study beside its other workers, on any machine that reaches its storage."""
    with Interruptible() as interruptible:
        announce(options, options.run)
        start(options)
        from search.launch import join

        with progress_of(options) as progress:
            join(
                options.run,
                storage=options.storage,
                data=options.data,
                workers=options.workers,
                progress=progress,
            )
    return interruptible.code
