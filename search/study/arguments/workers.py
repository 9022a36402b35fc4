"""The options of a search that say who runs its trials."""

from __future__ import annotations

import attrs

from search.storages import GRACE_SECONDS, MAX_DEATHS
from search.study import options as o
from search.study.options import option

YEAR = 366 * 86400.0
"""Seconds; more is a slip of the keyboard."""


@attrs.frozen(kw_only=True, slots=False)
class WorkerArguments:
    """Processes, GPUs and machines, and what becomes of trials whose worker dies. Trials stay comparable under any of them."""

    gpus_per_trial: int = option(
        o.whole(1, 1024), "GPUs that each worker trains a trial on.", o.WORKERS, default=1, may_change=True
    )
    workers: int = option(
        o.COUNT_OR_AUTO,
        "Processes that run trials, on a GPU (or a share of the CPU) each; auto: one for each GPU.",
        o.WORKERS,
        default=1,
        may_change=True,
    )
    engine: str = option(
        o.choice("search.workers.engines.ENGINES"),
        "What places the workers: this machine, or a Ray cluster.",
        o.WORKERS,
        default="local",
        may_change=True,
    )
    ray_address: str | None = option(
        o.text("ADDRESS"),
        "Of the Ray cluster, such as auto or ray://HOST:10001.",
        o.WORKERS,
        unless_given="a cluster is started here",
        may_change=True,
    )
    grace: float = option(
        o.duration(least=1, most=YEAR),
        "A worker without a sign of life for so long is taken for dead, its trial continued.",
        o.WORKERS,
        default=GRACE_SECONDS,
        unless_given="2m",
        may_change=True,
    )
    retries: int = option(
        o.whole(0, 1000),
        "How many deaths of its workers a trial survives.",
        o.WORKERS,
        default=MAX_DEATHS,
        may_change=True,
    )
    artifacts: str | None = option(
        o.text("FOLDER"),
        "Folder or s3://BUCKET for checkpoints too, for workers that do not share RUNS_DIR.",
        o.WORKERS,
        unless_given="none",
        may_change=True,
    )
