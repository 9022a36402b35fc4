"""enqueue: a configuration of one's own, for a study that exists."""

from __future__ import annotations

from typing import Any

import attrs

from ferplus_data.console import say
from search.commands.study_options import StorageOptions, start
from search.study import options as o
from search.study.options import option
from search.study.space import parse_pins

EXAMPLES = ("enqueue dropout=0.4 learning_rate=0.001 --study big",)


@attrs.frozen(kw_only=True, slots=False)
class EnqueueOptions(StorageOptions):
    """What is to be tried, and in which study."""

    values: dict[str, Any] = option(
        o.Kind("NAME=VALUE", parse_pins),
        "A hyperparameter and its value, as the space has them; what is not named has the space's default.",
        o.SEARCH,
        positional=True,
    )


def run(options: EnqueueOptions) -> None:
    """Queue a configuration in a study, also while it runs; it is the next one that a worker begins."""
    directory = options.run
    start(options)
    from search.queueing import enqueue

    number = enqueue(directory, options.values, storage=options.storage)
    say(f"trial {number} of study {directory.study} is queued")
