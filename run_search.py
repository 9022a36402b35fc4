#!/usr/bin/env python3
"""FERPlus Tuner: hyperparameter search for facial-expression models on FER+.

Parses, calls, prints. What a command does is in the folder it imports, and it imports nothing heavy before it must.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ferplus_data.errors import InputError

DONE, NOT_EQUAL, SOME_BAD, BAD_INPUT, NO_TRIAL_COMPLETED, INTERRUPTED = 0, 1, 1, 2, 3, 130
GONE_EARLY = 75  # search.workers.engines.team's, which imports too much for here
COMMANDS_HELP = """Hyperparameter search for facial-expression models on FER+.

Without a command: search. Without any argument: a search on generated faces, in a few minutes on two CPU cores."""

app = typer.Typer(help=COMMANDS_HELP, no_args_is_help=False, add_completion=False, rich_markup_mode=None)

Study = Annotated[
    str | None,
    typer.Option(
        help="Name of the study; its files are in RUNS_DIR/STUDY. Default: the one last searched.",
        show_default=False,
    ),
]
RunsDir = Annotated[Path, typer.Option(help="Where studies are kept.")]
Storage = Annotated[
    str | None,
    typer.Option(
        envvar="FERPLUS_STORAGE",
        help="Database URL shared by workers, or grpc://HOST:PORT of Optuna's proxy. Default: a SQLite file in the study.",
        show_default=False,
    ),
]
Workers = Annotated[
    str,
    typer.Option(
        help="Processes that run trials, on a GPU (or a share of the CPU) each; auto: one for each GPU."
    ),
]
Data = Annotated[
    str,
    typer.Option(help="Folder with FER+ images or CSV files, or 'demo' for generated faces."),
]
AnyCheckpoint = Annotated[
    Path | None,
    typer.Option(
        help="A .keras, .onnx, .tflite, Keras 2 .h5 or SavedModel checkpoint instead of the study's best model."
    ),
]


@app.command()
def search(
    data: Data = "demo",
    study: Annotated[
        str | None,
        typer.Option(
            help="Name of the study; the same name continues it. Default: the data's and the space's."
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="ferplus, seed, small, demo or FILE.py:FUNCTION. Default: demo for the demo data, else ferplus."
        ),
    ] = None,
    oracle: Annotated[
        str,
        typer.Option(
            help="tpe, random, grid, gp, cmaes, hyperband (Optuna); kt-random, kt-grid, kt-bayesian, kt-hyperband (Keras Tuner)."
        ),
    ] = "tpe",
    pruner: Annotated[
        str, typer.Option(help="halving, median, hyperband or none; for Optuna's oracles.")
    ] = "halving",
    trials: Annotated[
        int | None, typer.Option(help="Trials in all. Default: 100; 6 for the demo.", show_default=False)
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Time for search and retraining together, such as 25m or 8h.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Most epochs of a trial. Default: the space's.")] = None,
    retrain_epochs: Annotated[
        int | None, typer.Option(help="Most epochs of the retraining. Default: --epochs, or the space's.")
    ] = None,
    retrain_seeds: Annotated[
        int, typer.Option(help="Retrain the best trial with this many seeds and show the spread.")
    ] = 1,
    search_fraction: Annotated[
        float | None,
        typer.Option(
            help="Stratified part of the training split that trials train on. Default: the space's."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the oracle and of the trainings.")] = 0,
    weights: Annotated[
        str | None,
        typer.Option(
            help="vggface2, none or a weights file. Default: vggface2 where it is published for the backbone."
        ),
    ] = None,
    image_size: Annotated[
        int, typer.Option(help="Side in pixels that the network sees; 0: the backbone's own.")
    ] = 0,
    subset: Annotated[
        float, typer.Option(help="Use only this stratified part of every split, for trying out.")
    ] = 1.0,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Drop training images that repeat or stand in another split.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="auto (the GPU's fastest; float32 on CPUs), float32, bfloat16 or float16.")
    ] = "auto",
    cache_gb: Annotated[
        float | None,
        typer.Option(
            help="Disk for activations of frozen layers. Default: half of the free disk, at most 100; 0: none.",
            show_default=False,
        ),
    ] = None,
    cache_views: Annotated[
        int, typer.Option(help="Augmented views of each image that cached trials train on.")
    ] = 4,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Hold a hyperparameter at a value. Repeatable."),
    ] = None,
    workers: Workers = "1",
    gpus_per_trial: Annotated[int, typer.Option(help="GPUs that each worker trains a trial on.")] = 1,
    engine: Annotated[
        str, typer.Option(help="What places the workers: local (this machine) or ray (a cluster).")
    ] = "local",
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="Of the Ray cluster, such as auto or ray://HOST:10001. Default: start one here.",
            show_default=False,
        ),
    ] = None,
    grace: Annotated[
        str,
        typer.Option(
            help="A worker without a sign of life for so long is taken for dead, its trial continued."
        ),
    ] = "2m",
    retries: Annotated[int, typer.Option(help="How many deaths of its workers a trial survives.")] = 3,
    artifacts: Annotated[
        str | None,
        typer.Option(
            help="Folder or s3://BUCKET for checkpoints too, for workers that do not share RUNS_DIR.",
            show_default=False,
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Start the study over instead of continuing it.")
    ] = False,
    storage: Storage = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Search, retrain the best trial, read the test split once, report, save."""
    from search.study.run_directory import RunDirectory

    demo = data == "demo"
    space = space or ("demo" if demo else "ferplus")
    names = ["demo" if demo else "ferplus", Path(space.partition(":")[0]).stem]
    run = RunDirectory.of(runs_dir, study or "-".join(dict.fromkeys(names)))
    with _interruptible():
        _start()
        from search.launch import resolve_workers
        from search.launch import search as launch
        from search.oracles.search_space import load_space, parse_pins
        from search.study.config import SearchArguments, parse_duration

        defaults = load_space(space)
        pins = parse_pins(set_ or [])
        arguments = SearchArguments(
            data=data,
            space=space,
            oracle=oracle,
            pruner=pruner,
            trials=(6 if demo else 100) if trials is None else trials,
            timeout=parse_duration(timeout),
            epochs=defaults.epochs if epochs is None else epochs,
            retrain_epochs=next(
                n for n in (retrain_epochs, epochs, defaults.retrain_epochs) if n is not None
            ),
            retrain_seeds=retrain_seeds,
            search_fraction=defaults.search_fraction if search_fraction is None else search_fraction,
            seed=seed,
            weights=weights,
            image_size=image_size,
            subset=subset,
            dedupe=dedupe,
            pins=pins,
            workers=resolve_workers(workers, gpus_per_trial),
            gpus_per_trial=gpus_per_trial,
            engine=engine,
            ray_address=ray_address,
            grace=parse_duration(grace) or 0,
            retries=retries,
            artifacts=artifacts,
            precision=precision,
            cache_gb=cache_gb,
            cache_views=cache_views,
        )
        with _progress() as progress, _live_report(run, storage, progress):
            metrics = launch(arguments, run, storage=storage, fresh=fresh, progress=progress)
            if metrics is not None:
                _finish(run, storage, metrics)


def _finish(run: Any, storage: str | None, metrics: dict[str, Any]) -> None:
    from reports.html.page import write_report
    from search.study.view import read_study

    write_report(read_study(run, storage), run.report)
    typer.echo(
        f"val_accuracy {metrics['val_accuracy']:.4f} ({metrics['n_val']:,} faces), "
        f"test_accuracy {metrics['test_accuracy']:.4f} ({metrics['n_test']:,} faces; "
        f"the most frequent class alone: {metrics['majority_class_rate']['test']:.4f})"
    )
    typer.echo(f"report      {run.report}\ncheckpoint  {run.best_model}\nmetrics     {run.metrics}")


@app.command()
def worker(
    study: Study = None,
    data: Annotated[
        str | None,
        typer.Option(help="Where the study's data is on this machine, if elsewhere.", show_default=False),
    ] = None,
    workers: Workers = "1",
    storage: Storage = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Run trials of a study beside its other workers, on any machine that reaches its storage."""
    with _interruptible():
        _start()
        from search.launch import join, resolve_workers
        from search.study.config import read_arguments

        run = _run_directory(runs_dir, study)
        with _progress() as progress:
            gpus = read_arguments(run).gpus_per_trial if run.config.exists() else 1
            number = resolve_workers(workers, gpus)
            join(run, storage=storage, data=data, workers=number, progress=progress)


@app.command()
def retrain(
    study: Study = None,
    trial: Annotated[int | None, typer.Option(help="Number of the trial. Default: the best.")] = None,
    retrain_epochs: Annotated[int | None, typer.Option(help="Most epochs. Default: the study's.")] = None,
    retrain_seeds: Annotated[int | None, typer.Option(help="Retrainings. Default: the study's.")] = None,
    storage: Storage = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Retrain the best (or a given) trial of a study and replace its checkpoint, metrics and report."""
    with _interruptible():
        _start()
        from search.launch import retrain_again

        run = _run_directory(runs_dir, study)
        with _progress() as progress:
            metrics = retrain_again(
                run,
                storage=storage,
                trial=trial,
                epochs=retrain_epochs,
                seeds=retrain_seeds,
                progress=progress,
            )
        _finish(run, storage, metrics)


@app.command()
def report(
    study: Study = None,
    format_: Annotated[
        str, typer.Option("--format", help="html, json, csv, or png: a picture per figure, with kaleido.")
    ] = "html",
    watch: Annotated[
        bool, typer.Option("--watch", help="Write the page again and again until the study is finished.")
    ] = False,
    every: Annotated[float, typer.Option(help="Seconds between two writings of --watch.", min=1)] = 15,
    storage: Storage = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Write the report of a finished or running study."""
    from reports import WRITERS, output
    from search.study.view import read_study

    if format_ not in WRITERS:
        raise InputError(f"--format {format_!r}: expected one of {', '.join(WRITERS)}")
    if watch and format_ != "html":
        raise InputError(f"--watch: expected --format html, found {format_}")
    run = _run_directory(runs_dir, study)
    path = output(run.report, format_)
    if watch:
        from reports.html.live import watch as write_until_finished

        with _interruptible():
            typer.echo(f"{path} is written every {every:g} s until the study is finished; Ctrl-C ends it")
            write_until_finished(lambda: read_study(run, storage), path, every=every)
    else:
        WRITERS[format_](read_study(run, storage), path)
    typer.echo(path)


@app.command()
def dashboard(
    study: Study = None,
    port: Annotated[int, typer.Option(help="Port on this machine.", min=1, max=65535)] = 8080,
    storage: Storage = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Serve optuna-dashboard on the study's storage, to look into a running search."""
    from search.console.dashboard import serve

    with _interruptible():
        serve(_run_directory(runs_dir, study), storage, port, say=typer.echo)


@app.command()
def export(
    study: Study = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A .keras or Keras 2 .h5 file instead of the study's best model.")
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", help="Comma-separated: keras, onnx, saved_model, litert, h5-weights.")
    ] = "keras,onnx,saved_model,litert",
    precision: Annotated[
        str, typer.Option(help="float32, or for onnx and litert float16 or int8.")
    ] = "float32",
    ensemble: Annotated[
        int,
        typer.Option(
            help="Average this many of the best distinct configurations, each retrained. 0: the best model alone."
        ),
    ] = 0,
    data: Annotated[
        str | None, typer.Option(help="As for search, for the proof. Default: the study's data, or 'demo'.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder. Default: RUNS_DIR/STUDY/export, or export beside the checkpoint."),
    ] = None,
    storage: Storage = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Export the best checkpoint, each format proven equal to it."""
    with _interruptible():
        _start()
        from search.results.export import export_checkpoint, export_ensemble, export_study

        formats = [name.strip() for name in format_.split(",")]
        options: dict[str, Any] = {"precision": precision, "data": data}
        if checkpoint is not None:
            if ensemble:
                raise InputError("--ensemble: expected a study, found --checkpoint; give --study")
            exported = export_checkpoint(checkpoint, formats, out or checkpoint.parent / "export", **options)
        else:
            run = _run_directory(runs_dir, study)
            out = out or run.path / "export"
            with _progress() as progress:
                if ensemble:
                    exported = export_ensemble(
                        run, ensemble, formats, out, storage=storage, progress=progress, **options
                    )
                else:
                    exported = export_study(run, formats, out, say=progress.say, **options)
    for path in exported.paths:
        typer.echo(path)
    typer.echo(f"to serve on a CPU like this one: {exported.recommended}")


@app.command()
def evaluate(
    data: Annotated[
        str | None, typer.Option(help="As for search. Default: the study's data, or 'demo'.")
    ] = None,
    study: Study = None,
    checkpoint: AnyCheckpoint = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Also with each face and its mirror image averaged, told apart.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the figures to this JSON file too.")] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Validation and test accuracy of a checkpoint."""
    _start()
    from ferplus_data.files.owned import check_owned, write_owned
    from search.results.evaluation import evaluate_checkpoint, lines_of

    run = None if checkpoint else _run_directory(runs_dir, study)
    if out is not None:
        check_owned(out)
    figures = evaluate_checkpoint(checkpoint or run.best_model, data=data, run=run, tta=tta)  # type: ignore[union-attr]
    typer.echo("\n".join(lines_of(figures)))
    if out is not None:
        write_owned(out, json.dumps(figures, indent=2) + "\n")


@app.command()
def predict(
    images: Annotated[
        list[Path],
        typer.Argument(help="Pictures of one face each, folders of them, or - for one on standard input."),
    ],
    study: Study = None,
    checkpoint: AnyCheckpoint = None,
    format_: Annotated[str, typer.Option("--format", help="text, json or csv.")] = "text",
    crop: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:FUNCTION",
            help="Function that takes and returns a PIL image, to find the face in it.",
        ),
    ] = None,
    runs_dir: RunsDir = Path("runs"),
) -> None:
    """Name the expression of each picture, with its probabilities."""
    _start()
    from models.serving.crops import load_crop
    from models.serving.prediction import find_images, read_faces
    from models.serving.prediction import predict as predict_faces
    from models.serving.prediction_formats import FORMATS
    from models.serving.runtimes import open_classifier

    if format_ not in FORMATS:
        raise InputError(f"--format {format_!r}: expected one of {', '.join(FORMATS)}")
    crop_function = load_crop(crop) if crop else None
    skipped: list[str] = []

    def skip(error: InputError) -> None:
        if len(images) == 1 and not images[0].is_dir():
            raise error  # there is nothing else to go on with
        skipped.append(str(error))
        typer.echo(f"skipped: {' '.join(str(error).split())}", err=True)

    faces = read_faces(find_images(images, skip), crop_function, skip)
    first = list(
        itertools.islice(faces, 1)
    )  # before the model, which takes longer to read than a mistake to tell
    classify = open_classifier(checkpoint or _run_directory(runs_dir, study).best_model)
    for line in FORMATS[format_](predict_faces(classify, itertools.chain(first, faces))):
        typer.echo(line)
    if skipped:
        raise typer.Exit(SOME_BAD)


@app.command()
def status(study: Study = None, storage: Storage = None, runs_dir: RunsDir = Path("runs")) -> None:
    """Show a study, also while it runs."""
    from rich.console import Console

    from search.console.status import status_table
    from search.study.view import read_study

    Console().print(status_table(read_study(_run_directory(runs_dir, study), storage)))


@app.command()
def prepare(data: Data = "demo") -> None:
    """Read and check the data once, ahead of a search, and show its counts."""
    from ferplus_data.dataset import load_dataset
    from ferplus_data.labels import EMOTIONS

    dataset = load_dataset(data)
    typer.echo(f"{dataset.source}  fingerprint {dataset.fingerprint[:12]}")
    typer.echo(f"{'':12}" + "".join(f"{name:>8}" for name in ("train", "val", "test")))
    counts = dataset.class_counts
    for i, emotion in enumerate(EMOTIONS):
        typer.echo(f"{emotion:12}" + "".join(f"{counts[name][i]:8,}" for name in ("train", "val", "test")))
    typer.echo(f"{'all':12}" + "".join(f"{counts[name].sum():8,}" for name in ("train", "val", "test")))


def _run_directory(runs_dir: Path, study: str | None) -> Any:
    from search.study.run_directory import RunDirectory

    return RunDirectory.of(runs_dir, study) if study else RunDirectory.latest(runs_dir)


def _start() -> None:
    from models.device.setup import prepare_device

    prepare_device()


def _progress() -> Any:
    from rich.console import Console

    from search.console.progress import Progress

    return Progress(Console())


@contextlib.contextmanager
def _live_report(run: Any, storage: str | None, progress: Any) -> Iterator[None]:
    """Has the report written now and then while the search runs, and once more if it ends early. The study of a worker of
    Keras Tuner's chief is the chief's to report."""
    from reports.html.live import LiveReport
    from reports.html.page import check_place
    from search.launch import has_chief
    from search.study.view import read_study

    if has_chief():
        yield
        return
    check_place(run.report)
    progress.on_trial_end = live = LiveReport(lambda: read_study(run, storage), run.report)
    try:
        yield
    except BaseException:
        live.end()
        raise


class _interruptible:
    """Turns Ctrl-C into the exit code 130, and SIGTERM into 0 as soon as what was under way is handed back; both into the command
    that goes on."""

    def __enter__(self) -> None:
        from search.workers import preemption

        # A worker that another process has placed ends with it, and tells it whether it had to.
        placed = os.environ.get("FERPLUS_TETHER") is not None
        self._code = GONE_EARLY if placed else DONE
        # Explicitly: a shell that starts a job in the background has it ignore SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        preemption.watch(self._code, f"stopped by SIGTERM; {_continuation()}")
        if placed:
            preemption.tether()

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if kind is KeyboardInterrupt:
            typer.echo(f"interrupted; {_continuation()}", err=True)
            raise typer.Exit(INTERRUPTED)
        if kind is not None and kind.__name__ == "Preempted":
            raise typer.Exit(self._code)


def _continuation() -> str:
    from search.storages.redaction import redact

    command = shlex.join(redact(word) for word in sys.argv if word != "--fresh")
    return f"nothing finished is lost. To continue: python {command}"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("--help", "-h")):
        arguments = ["search", *arguments]
    try:
        return app(arguments, prog_name="run_search.py", standalone_mode=False) or DONE
    except InputError as error:
        return _fail(str(error), BAD_INPUT)
    except typer.TyperException as error:
        return _fail(getattr(error, "format_message", error.__str__)(), BAD_INPUT)
    except OSError as error:
        return _fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), BAD_INPUT)
    except Exception as error:
        # By name, for their modules may not be loaded, and loading them takes seconds.
        code = {"NoTrialCompleted": NO_TRIAL_COMPLETED, "ParityError": NOT_EQUAL}.get(type(error).__name__)
        if code is None:
            raise
        return _fail(str(error), code)


def _fail(message: str, code: int) -> int:
    from search.storages.redaction import redact

    typer.echo(f"error: {redact(' '.join(message.split()))}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
