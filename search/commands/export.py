"""export: the best checkpoint for other runtimes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ferplus_data.console import say
from ferplus_data.errors import InputError
from search.commands.interruption import Interruptible
from search.commands.study_options import StorageOptions, progress_of, start
from search.study import options as o
from search.study.options import option

EXAMPLES = (
    "export",
    "export --format onnx,litert --precision int8 --out DIR",
    "export --checkpoint FILE.keras --format onnx",
)


@attrs.frozen(kw_only=True, slots=False)
class ExportOptions(StorageOptions):
    """Which model, in which formats."""

    checkpoint: Path | None = option(
        o.path("FILE"), "A .keras or Keras 2 .h5 file.", o.INPUT, unless_given="the study's best model"
    )
    data: str | None = option(
        o.text("DATA"), "As for search, for the proof.", o.INPUT, unless_given="the study's data, or demo"
    )
    ensemble: int = option(
        o.whole(0, 1000),
        "Average this many of the best distinct configurations, each retrained. 0: the best model alone.",
        o.INPUT,
        default=0,
    )
    test: bool = option(
        o.FLAG,
        "Look at the test labels with the --ensemble, and write into test_readings.jsonl that it was done.",
        o.INPUT,
        default=False,
    )
    format: list[str] = option(
        o.choices("models.serving.export.EXPORTERS"),
        "What is written, with commas between.",
        o.OUTPUT,
        default="keras,onnx,saved_model,litert",
    )
    precision: str = option(
        o.choice("models.serving.export.exporter.PRECISIONS"),
        "float16 and int8 are for onnx and litert.",
        o.OUTPUT,
        default="float32",
    )
    out: Path | None = option(
        o.path("FOLDER"),
        "Where it is written.",
        o.OUTPUT,
        unless_given="RUNS_DIR/STUDY/export, or export beside the checkpoint",
    )

    def __attrs_post_init__(self) -> None:
        if self.ensemble and self.checkpoint is not None:
            raise InputError("--ensemble: expected a study, found --checkpoint; give --study")
        if self.test and not self.ensemble:
            raise InputError("--test: expected --ensemble, found none; to measure one model: evaluate --test")


def run(options: ExportOptions) -> int:
    """Export the best checkpoint, each format proven equal to it."""
    with Interruptible() as interruptible:
        start(options)
        exported = _export(options)
        for path in exported.paths:
            say(str(path))
        if exported.fastest:
            one, batches = exported.fastest["1"], exported.fastest["64"]
            say(f"to serve on a CPU like this one, one face at a time: {one}; batches: {batches}")
    return interruptible.code


def _export(options: ExportOptions) -> Any:
    from search.results.ensemble import make_ensemble
    from search.results.export import export_checkpoint, export_ensemble, export_study

    how: dict[str, Any] = {"precision": options.precision, "data": options.data}
    if options.checkpoint is not None:
        folder = options.out or options.checkpoint.parent / "export"
        return export_checkpoint(options.checkpoint, options.format, folder, **how)
    run = options.run
    folder = options.out or run.path / "export"
    with progress_of(options) as progress:
        if not options.ensemble:
            return export_study(run, options.format, folder, say=progress.say, **how)
        average = partial(
            make_ensemble,
            run,
            options.ensemble,
            storage=options.storage,
            test=options.test,
            progress=progress,
        )
        return export_ensemble(run, average, options.format, folder, **how)
