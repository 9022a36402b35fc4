"""A study's best checkpoint, or any other, on its way out: what is known of it, faces to prove it on, the export."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from ferplus_data.console import program
from ferplus_data.dataset import Dataset, load_dataset
from ferplus_data.errors import InputError
from ferplus_data.files.owned import sha256_of
from ferplus_data.labels import EMOTIONS
from models.backbones.published_weights import PublishedWeights
from models.backbones.registry import BACKBONES
from models.serving.export import Exported, check_formats, check_place, export_model
from models.serving.export.proof import Evidence
from models.serving.model_files import load_model
from models.serving.runtimes.legacy_h5 import load_legacy_model
from search import __version__
from search.setup import weights_for
from search.study.arguments import SearchArguments
from search.study.best import read_metrics
from search.study.config import check_continuation, load, read_arguments
from search.study.readings import described, read_readings
from search.study.run_directory import RunDirectory

_OWN_WEIGHTS = "The network was trained from random weights: no one else's are in it."


@dataclass(frozen=True)
class Source:
    """What is exported.

    Attributes:
        model: The network.
        about: What is known of it; plain values, for metadata and card.
        metrics: As in best/metrics.json, or None.
    """

    model: keras.Model
    about: dict[str, Any]
    metrics: dict[str, Any] | None


def export_study(
    run: RunDirectory,
    formats: Sequence[str],
    folder: Path,
    *,
    precision: str,
    data: str | None,
    say: Callable[[str], None],
) -> Exported:
    """Export the best model of the study in `run`; see `models.serving.export.export_model`."""
    check_formats(formats, precision)
    check_place(folder, formats, run.best_model)
    if not run.best_model.exists():
        raise InputError(
            f"study {run.study}: expected {run.best_model}, found no such file; the search has not ended, or start one with: "
            f"{program()} search"
        )
    metrics = _metrics_of(run)
    source = Source(load_model(run.best_model), about_study(run, run.best_model, metrics), metrics)
    return export(source, formats, folder, precision=precision, dataset=dataset_of(run, data, say))


def export_ensemble(
    run: RunDirectory,
    average: Callable[[SearchArguments, Dataset], tuple[Path, dict[str, Any]]],
    formats: Sequence[str],
    folder: Path,
    *,
    precision: str,
    data: str | None,
) -> Exported:
    """Export the mean of several configurations of the study in `run`, as `average` makes it; see
    `search.results.ensemble.make_ensemble`.

    The study's own data has to be readable: the networks are retrained on it. `data` is for the proof.
    """
    check_formats(formats, precision)
    check_place(folder, formats, run.best_model)
    arguments = read_arguments(run)
    dataset = load(arguments)
    check_continuation(run, arguments, dataset.fingerprint)
    path, metrics = average(arguments, dataset)
    members = metrics["members"]
    about = {
        **about_study(run, path, _metrics_of(run)),
        "name": f"FER+ expressions: {len(members)} networks of study {run.stored_name()}",
        "trial": None,
        "hyperparameters": {f"trial {member['trial']}": member["hyperparameters"] for member in members},
        "ensemble": [member["trial"] for member in members],
    }
    proof = dataset if data is None else load_dataset(data)
    return export(
        Source(load_model(path), about, metrics), formats, folder, precision=precision, dataset=proof
    )


def export_checkpoint(
    path: Path, formats: Sequence[str], folder: Path, *, precision: str, data: str | None
) -> Exported:
    """Export the .keras or Keras 2 .h5 model in `path`, with the figures of a metrics.json beside it."""
    check_formats(formats, precision)
    check_place(folder, formats, path)
    legacy = path.suffix.lower() in (".h5", ".hdf5") and path.is_file()
    model = load_legacy_model(path) if legacy else load_model(path)
    beside = path.with_name("metrics.json")
    metrics = read_metrics(beside.parent) if beside.exists() else None
    if metrics is not None and metrics.get("model_sha256") != sha256_of(path):
        metrics = None  # the figures of another model
    about = {
        **_about(path, metrics),
        "name": path.stem,
        "data": "not known",
        "measured_on": "the data of its study",
        "demo": False,
        "weights_licence": " ".join(
            ["Where the network's weights started from is not known.", *(_if_from(p) for p in _published())]
        ),
    }
    dataset = load_dataset(data or "demo")
    return export(Source(model, about, metrics), formats, folder, precision=precision, dataset=dataset)


def export(
    source: Source, formats: Sequence[str], folder: Path, *, precision: str, dataset: Dataset
) -> Exported:
    """Export `source` with `dataset` for the proof."""
    evidence = Evidence.of(dataset)
    about = {
        **source.about,
        "precision": precision,
        "proof_faces": f"{len(evidence.faces)} validation faces of {evidence.source}",
    }
    return export_model(
        source.model,
        formats,
        folder,
        evidence=evidence,
        about=about,
        metrics=source.metrics,
        precision=precision,
    )


def dataset_of(run: RunDirectory, data: str | None, say: Callable[[str], None]) -> Dataset:
    """Return the data for a proof: `data`, else the study's, else, where that cannot be read here, the demo's."""
    arguments = read_arguments(run)
    if data is not None:
        return load_dataset(data)
    try:
        return load(arguments)
    except InputError as error:
        say(f"the study's data cannot be read here ({error}); the proof is on demo faces")
        return load_dataset("demo")


def _metrics_of(run: RunDirectory) -> dict[str, Any]:
    """The figures of the study's best model, if they are those of the file that is there."""
    metrics = read_metrics(run.best_model.parent)
    if metrics is None or metrics.get("model_sha256") not in (None, sha256_of(run.best_model)):
        raise InputError(
            f"{run.metrics}: expected the figures of {run.best_model.name} beside it, found "
            f"{'no such file' if metrics is None else 'those of another model'}; retrain with: {program()} retrain"
        )
    return metrics


def about_study(run: RunDirectory, checkpoint: Path, metrics: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of the model `checkpoint` of the study in `run`."""
    config, arguments = run.read_config(), read_arguments(run)
    source = config["data"]["source"]
    demo = arguments.data == "demo"
    return {
        **_about(checkpoint, metrics),
        "name": f"FER+ expressions: {metrics['hyperparameters'].get('backbone', 'small')} of study {run.stored_name()}",
        "study": run.stored_name(),
        "commit": config.get("git_commit"),
        "data": f"{'drawn demo faces' if demo else 'FER+'}, fingerprint {config['data']['fingerprint'][:12]}"
        + (f", a part of {arguments.subset:g}" if arguments.subset < 1 else ""),
        "measured_on": "drawn demo faces"
        if demo
        else f"the official splits of FER+ as they were found ({_counts(config)})",
        "demo": demo or source == "demo",
        "labels_source": config["data"].get("labels_source"),
        "label_noise": config["data"].get("label_noise"),
        "test_readings": described(read_readings(run.test_readings)),
        "weights_licence": _weights_licence(arguments, metrics["hyperparameters"]),
    }


def _counts(config: dict[str, Any]) -> str:
    return ", ".join(f"{sum(counts):,} {name}" for name, counts in config["data"]["counts"].items())


def _about(checkpoint: Path, metrics: dict[str, Any] | None) -> dict[str, Any]:
    metrics = metrics or {}
    return {
        "class_names": list(EMOTIONS),
        "project": "ferplus-tuner",
        "version": __version__,
        "commit": None,
        "study": None,
        "trial": metrics.get("trial"),
        "hyperparameters": metrics.get("hyperparameters", {}),
        "ensemble": None,
        "checkpoint_sha256": sha256_of(checkpoint),
    }


def _weights_licence(arguments: SearchArguments, hyperparameters: dict[str, Any]) -> str:
    backbone = BACKBONES[hyperparameters.get("backbone", "small")]
    weights = weights_for(arguments, backbone.name)
    if weights == "none":
        return _OWN_WEIGHTS
    if backbone.weights is not None and weights == backbone.weights.name:
        return backbone.weights.licence
    terms = f"The network started from the weights file {Path(weights).name}: its terms hold."
    return terms if backbone.weights is None else f"{terms} {_if_from(backbone.weights)}"


def _published() -> list[PublishedWeights]:
    """Each backbone's published weights, once where several are published under one name."""
    return list({b.weights.name: b.weights for b in BACKBONES.values() if b.weights is not None}.values())


def _if_from(published: PublishedWeights) -> str:
    return f"If from {published.name}: {published.licence}"
