"""check: what a search would find, before it."""

from __future__ import annotations

from ferplus_data.console import say
from search.commands.command_line import BAD_INPUT, DONE
from search.commands.search import SearchOptions
from search.commands.study_options import start

EXAMPLES = ("check --data PATH/TO/FERPLUS", "check --data PATH --space transfer --timeout 3h")


def run(options: SearchOptions) -> int:
    """Look at data, labels, weights, device, disk, storage and time that a search with the same options would have; nothing is
    decoded, fetched or made."""
    arguments, directory = options.arguments, options.run
    start(options)
    from rich.table import Table
    from rich.text import Text

    from search.console.tables import show
    from search.readiness import WRONG, findings

    table = Table(box=None, show_header=False, pad_edge=False)
    wrong = 0
    for one in findings(arguments, directory, storage=options.storage, fresh=options.fresh):
        table.add_row(one.subject, one.state, Text(one.found, overflow="fold"))
        wrong += one.state == WRONG
    show(table)
    if wrong:
        say(f"{wrong} of these would keep a search from beginning")
    return BAD_INPUT if wrong else DONE
