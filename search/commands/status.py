"""status: a study at a glance."""

from __future__ import annotations

from search.commands.study_options import StorageOptions

EXAMPLES = ("status", "status --study big --storage postgresql+psycopg://HOST/DATABASE")


def run(options: StorageOptions) -> None:
    """Show a study, also while it runs."""
    directory = options.run  # before what takes seconds to import
    from rich.console import Console

    from search.console.status import status_table
    from search.study.view import read_study

    Console().print(status_table(read_study(directory, options.storage)))
