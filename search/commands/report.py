"""report: a study on a page."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ferplus_data.console import say
from ferplus_data.errors import InputError
from search.commands.interruption import Interruptible
from search.commands.study_options import Reports, StorageOptions, start
from search.study import options as o
from search.study.options import option

EXAMPLES = ("report", "report --study mine --format csv", "report --watch")


@attrs.frozen(kw_only=True, slots=False)
class ReportOptions(StorageOptions):
    """Of which study, in which form."""

    format: str = option(
        o.choice("reports.WRITERS"), "png: a picture per figure, with kaleido.", o.OUTPUT, default="html"
    )
    watch: bool = option(
        o.FLAG, "Write the page again and again until the study is finished.", o.OUTPUT, default=False
    )
    every: float = option(
        o.number(least=1, most=86400), "Seconds between two writings of --watch.", o.OUTPUT, default=15
    )

    def __attrs_post_init__(self) -> None:
        if self.watch and self.format != "html":
            raise InputError(f"--watch: expected --format html, found {self.format}")


def run(options: ReportOptions, reports: Callable[[], Reports]) -> int:
    """Write the report of a finished or running study."""
    directory = options.run
    start(options)
    if not options.watch:
        say(str(reports().write(directory, options.storage, options.format)))
        return 0
    with Interruptible() as interruptible:
        say(
            f"{directory.report} is written every {options.every:g} s until the study is finished; Ctrl-C ends it"
        )
        say(str(reports().watch(directory, options.storage, options.every)))
    return interruptible.code
