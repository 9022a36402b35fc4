"""retrain: the best trials once more."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from search.commands.interruption import Interruptible
from search.commands.study_options import Reports, StorageOptions, announce, progress_of, report_result, start
from search.study import options as o
from search.study.arguments import MOST_EPOCHS, MOST_FINALISTS, MOST_SEEDS
from search.study.options import option

EXAMPLES = ("retrain --retrain-seeds 3", "retrain --study mine --trial 17")


@attrs.frozen(kw_only=True, slots=False)
class RetrainOptions(StorageOptions):
    """What to retrain, and for how long."""

    trial: int | None = option(
        o.whole(0, 1_000_000),
        "Number of the trial, which is then retrained alone.",
        o.RETRAINING,
        unless_given="the best",
    )
    finalists: int | None = option(
        o.whole(0, MOST_FINALISTS),
        "Best configurations that are retrained beside the known recipe; 0: the best trial alone.",
        o.RETRAINING,
        unless_given="the study's",
    )
    retrain_epochs: int | None = option(
        o.whole(1, MOST_EPOCHS), "Most epochs.", o.RETRAINING, unless_given="the study's"
    )
    retrain_seeds: int | None = option(
        o.whole(1, MOST_SEEDS),
        "Retrainings, each with a seed of its own.",
        o.RETRAINING,
        unless_given="the study's",
    )
    test: bool = option(
        o.FLAG,
        "Look at the test labels too, and write into test_readings.jsonl that it was done. Models of the same retraining without "
        "it are measured, not trained again.",
        o.RETRAINING,
        default=False,
    )


def run(options: RetrainOptions, reports: Callable[[], Reports]) -> int:
    """Retrain the best trials (or a given one) of a study and replace its checkpoint, metrics and report."""
    directory = options.run
    with Interruptible() as interruptible:
        announce(options, directory)
        start(options)
        from search.launch import retrain_again

        with progress_of(options) as progress:
            metrics = retrain_again(
                directory,
                storage=options.storage,
                trial=options.trial,
                finalists=options.finalists,
                epochs=options.retrain_epochs,
                seeds=options.retrain_seeds,
                test=options.test,
                progress=progress,
            )
        report_result(directory, reports().write(directory, options.storage), metrics)
    return interruptible.code
