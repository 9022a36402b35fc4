"""A table on the screen, and as lines in the log file."""

from __future__ import annotations

from rich.console import Console, RenderableType

from ferplus_data.console import log


def show(table: RenderableType) -> None:
    """Print `table`, and add its lines to the log file, if there is one."""
    console = Console(record=True, force_jupyter=False)
    console.print(table)
    log(console.export_text())
