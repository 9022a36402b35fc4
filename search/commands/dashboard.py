"""dashboard: optuna-dashboard on a study."""

from __future__ import annotations

import attrs

from ferplus_data.console import say
from search.commands.interruption import Interruptible
from search.commands.study_options import StorageOptions, start
from search.study import options as o
from search.study.options import option

EXAMPLES = ("dashboard --study mine --port 8888",)


@attrs.frozen(kw_only=True, slots=False)
class DashboardOptions(StorageOptions):
    """Of which study, and where."""

    port: int = option(o.whole(1, 65535), "Port on this machine.", o.OUTPUT, default=8080)


def run(options: DashboardOptions) -> int:
    """Serve optuna-dashboard on the study's storage, to look into a running search."""
    directory = options.run
    start(options)
    from search.console.dashboard import serve

    with Interruptible() as interruptible:
        serve(directory, options.storage, options.port, say=say)
    return interruptible.code
