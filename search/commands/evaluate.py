"""evaluate: how good a checkpoint is."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from ferplus_data.console import say
from search.commands.interruption import Interruptible
from search.commands.study_options import StudyOptions, start
from search.study import options as o
from search.study.options import option

EXAMPLES = ("evaluate", "evaluate --test", "evaluate --checkpoint model.onnx --data PATH --out figures.json")


@attrs.frozen(kw_only=True, slots=False)
class CheckpointOptions(StudyOptions):
    """A model: a study's best, or any file of one."""

    checkpoint: Path | None = option(
        o.path("FILE"),
        "A .keras, .onnx, .tflite, Keras 2 .h5 or SavedModel checkpoint.",
        o.INPUT,
        unless_given="the study's best model",
    )

    @property
    def model(self) -> Path:
        """Where it is."""
        return self.checkpoint or self.run.best_model


@attrs.frozen(kw_only=True, slots=False)
class EvaluateOptions(CheckpointOptions):
    """Which model, on which faces."""

    data: str | None = option(
        o.text("DATA"), "As for search.", o.INPUT, unless_given="the study's data, or demo"
    )
    tta: bool = option(
        o.FLAG, "Also with each face and its mirror image averaged, told apart.", o.INPUT, default=False
    )
    test: bool = option(
        o.FLAG,
        "Look at the test labels too, and write into test_readings.jsonl that it was done.",
        o.INPUT,
        default=False,
    )
    out: Path | None = option(
        o.path("FILE"), "Write the figures to this JSON file too.", o.OUTPUT, unless_given="no file"
    )


def run(options: EvaluateOptions) -> int:
    """Show the validation accuracy of a checkpoint, and with --test its test accuracy."""
    with Interruptible() as interruptible:
        run_directory = None if options.checkpoint else options.run
        start(options)
        from ferplus_data.files.owned import check_owned, write_owned
        from search.results.evaluation import evaluate_checkpoint, lines_of

        if options.out is not None:
            check_owned(options.out)
        figures = evaluate_checkpoint(
            options.model, data=options.data, run=run_directory, tta=options.tta, test=options.test
        )
        say("\n".join(lines_of(figures)))
        if options.out is not None:
            write_owned(options.out, json.dumps(figures, indent=2) + "\n")
    return interruptible.code
