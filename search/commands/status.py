"""status: a study at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from search.commands.study_options import StorageOptions, start
from search.study import options as o
from search.study.options import option

if TYPE_CHECKING:
    from rich.console import Group

EXAMPLES = (
    "status",
    "status --top 10 --sort learning_rate",
    "status --watch --study big --storage postgresql+psycopg://HOST/DATABASE",
)


@attrs.frozen(kw_only=True, slots=False)
class StatusOptions(StorageOptions):
    """Of which study, which trials, how often."""

    top: int | None = option(
        o.whole(1, 1_000_000),
        "Show this many trials, the best ones or the first by --sort.",
        o.OUTPUT,
        unless_given="all",
    )
    sort: str | None = option(
        o.text("NAME"),
        "Order by number, state, score, epochs, seconds, or a hyperparameter; the best or highest first, numbers upwards.",
        o.OUTPUT,
        unless_given="number; with --top by score",
    )
    watch: bool = option(
        o.FLAG, "Show it again every two seconds until the study is finished.", o.OUTPUT, default=False
    )


def run(options: StatusOptions) -> None:
    """Show a study, also while it runs."""
    directory = options.run  # before what takes seconds to import
    start(options)
    from rich.console import Console

    from search.console.status import status_table, watch
    from search.console.tables import show
    from search.study.view import read_study

    def look() -> tuple[Group, bool]:
        view = read_study(directory, options.storage)
        return status_table(view, top=options.top, sort=options.sort), view.finished

    if options.watch:  # what changes in its place is no line for the log file
        watch(look, Console())
    else:
        show(look()[0])
