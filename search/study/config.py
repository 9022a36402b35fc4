"""What a study was asked to do: the arguments, checked once, and config.json."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ferplus_data.dataset import Dataset
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.summary import summarise
from models.device.precision import PRECISIONS
from search.oracles.pruners import PRUNERS
from search.storages.registry import GRACE_SECONDS, RETRIES
from search.study.run_directory import RunDirectory, read_json
from search.workers.engines import ENGINES

CONFIG_VERSION = 1
_PACKAGES = [
    "tensorflow",
    "keras",
    "keras-tuner",
    "keras-vggface",
    "optuna",
    "albumentations",
    "numpy",
    "pandas",
    "plotly",
    "scikit-learn",
]
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
# What may differ when a study is continued; anything else would mix trials that cannot be compared.
_MAY_CHANGE = {
    "trials",
    "timeout",
    "retrain_seeds",
    "retrain_epochs",
    "pruner",
    "cache_gb",
    "workers",
    "gpus_per_trial",
    "engine",
    "ray_address",
    "grace",
    "retries",
    "artifacts",
}


@dataclass(frozen=True)
class SearchArguments:
    """The arguments of a search, resolved: nothing is left to a default that a later version might change.

    Args:
        data: A path, or "demo".
        space: Name or FILE.py:FUNCTION.
        oracle, pruner: Names in `search.oracles.registry.ORACLES` and `search.oracles.pruners.PRUNERS`.
        trials: Trials in all.
        timeout: Seconds for search and retraining together, None without limit.
        epochs: Most epochs of a trial.
        retrain_epochs: Most epochs of a retraining.
        retrain_seeds: How often, with as many seeds, the best trial is retrained.
        search_fraction: Part of the training split that trials train on.
        seed: Of the oracle and of the trainings.
        weights: none, vggface2 or a path; None: vggface2 where it exists for the backbone.
        image_size: Pixels, 0 for the backbone's own.
        subset: Part of every split that is used at all.
        dedupe: Whether repeated images are dropped from training.
        pins: Hyperparameters held at a value.
        workers: Processes that run trials; with one, and the engine local, the search's own process does.
        gpus_per_trial: GPUs that a worker sees and a trial trains on.
        engine: What places the workers, a name in `search.workers.engines.ENGINES`.
        ray_address: Of the cluster for the engine ray.
        grace: Seconds without a heartbeat after which a worker is taken for dead.
        retries: How many deaths of its workers a trial survives.
        artifacts: Folder or s3://BUCKET for checkpoints, beside the run directory; None: nowhere.
        precision: auto or a name in `models.device.precision.PRECISIONS`.
        cache_gb: Room for cached activations of frozen prefixes, in GB (10**9 bytes); 0: none, None: half of the free disk.
        cache_views: Augmented views of each image in the cache.
    """

    data: str
    space: str
    oracle: str
    pruner: str
    trials: int
    timeout: float | None
    epochs: int
    retrain_epochs: int
    retrain_seeds: int
    search_fraction: float
    seed: int
    weights: str | None
    image_size: int
    subset: float
    dedupe: bool
    pins: dict[str, Any] = field(default_factory=dict)
    workers: int = 1
    gpus_per_trial: int = 1
    engine: str = "local"
    ray_address: str | None = None
    grace: float = GRACE_SECONDS
    retries: int = RETRIES
    artifacts: str | None = None
    precision: str = "auto"
    cache_gb: float | None = None
    cache_views: int = 4

    def __post_init__(self) -> None:
        if self.pruner not in PRUNERS:
            raise InputError(f"unknown pruner {self.pruner!r}: expected one of {', '.join(PRUNERS)}")
        for name in (
            *("trials", "epochs", "retrain_epochs", "retrain_seeds", "cache_views"),
            *("workers", "gpus_per_trial"),
        ):
            if getattr(self, name) < 1:
                raise InputError(
                    f"--{name.replace('_', '-')}: expected 1 or more, found {getattr(self, name)}"
                )
        for name in ("search_fraction", "subset"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(
                    f"--{name.replace('_', '-')}: expected above 0 and up to 1, found {getattr(self, name):g}"
                )
        for name in ("seed", "retries"):
            if getattr(self, name) < 0:
                raise InputError(f"--{name}: expected 0 or more, found {getattr(self, name)}")
        if self.grace < 1:
            raise InputError(f"--grace: expected 1 second or more, found {self.grace:g}")
        if self.engine not in ENGINES:
            raise InputError(f"unknown engine {self.engine!r}: expected one of {', '.join(ENGINES)}")
        if self.precision not in ("auto", *PRECISIONS):
            raise InputError(f"--precision {self.precision!r}: expected one of auto, {', '.join(PRECISIONS)}")
        if self.cache_gb is not None and self.cache_gb < 0:
            raise InputError(f"--cache-gb: expected 0 or more, found {self.cache_gb:g}")
        if self.timeout is not None and self.timeout <= 0:
            raise InputError(f"--timeout: expected more than 0 seconds, found {self.timeout:g}")


def parse_duration(text: str | None) -> float | None:
    """Return the seconds in a duration: 90, 90s, 25m, 8h, 1h30m, 2d.

    Raises:
        InputError: Not of that form.
    """
    if text is None:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[dhms])+", text):
        raise InputError(
            f"duration {text!r}: expected seconds or a number with d, h, m or s, such as 25m or 1h30m"
        )
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)([dhms])", text))


def write_config(run: RunDirectory, arguments: SearchArguments, dataset: Dataset, space: Any) -> None:
    """Write config.json: all that is needed to run the study again, and what its `space` declared. The storage's URL is not
    in it, for its password. Of a study that is continued only the arguments are written anew."""
    if run.config.exists():
        write_json(run.config, {**read_json(run.config), "arguments": dataclasses.asdict(arguments)})
        return
    write_json(
        run.config,
        {
            "version": CONFIG_VERSION,
            "study": run.study,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "arguments": dataclasses.asdict(arguments),
            "versions": _versions(),
            "machine": _machine(),
            "data": {
                "source": dataset.source,
                "fingerprint": dataset.fingerprint,
                "counts": {
                    name: np.asarray(getattr(dataset, name).class_counts).tolist()
                    for name in ("train", "val", "test")
                },
                "splits": {name: summarise(getattr(dataset, name)) for name in ("train", "val", "test")},
            },
            "git_commit": _git_commit(),
            "space": space,
        },
    )


def read_arguments(run: RunDirectory) -> SearchArguments:
    """Return the arguments of an existing study.

    Raises:
        InputError: There is no such study here.
    """
    if not run.config.exists():
        raise InputError(
            f"study {run.study}: expected {run.config}, found no such file; start it with: run_search.py search"
        )
    try:
        return SearchArguments(**read_json(run.config)["arguments"])
    except (KeyError, TypeError) as error:
        raise InputError(f"{run.config}: expected the arguments of a search, found {error}") from error


def check_continuation(
    run: RunDirectory, arguments: SearchArguments, fingerprint: str, space: Any = None
) -> None:
    """Raise InputError if the study in `run` was made with arguments, data (by its `fingerprint`) or, when it is given, a `space`
    whose trials cannot be compared with new ones."""
    old = read_arguments(run)
    for name, value in dataclasses.asdict(arguments).items():
        if name not in _MAY_CHANGE and name != "data" and value != getattr(old, name):
            raise InputError(
                f"study {run.study}: was begun with {name}={getattr(old, name)!r}, found {value!r}; give the same, another "
                "--study, or --fresh"
            )
    if space is not None and space != read_json(run.config)["space"]:
        raise InputError(
            f"study {run.study}: its space {arguments.space} declares other hyperparameters now; give another --study, or --fresh"
        )
    begun_with = read_json(run.config)["data"]["fingerprint"]
    if begun_with != fingerprint:
        raise InputError(
            f"study {run.study}: was begun on data {begun_with[:12]}, found {fingerprint[:12]}; give the same data, another "
            "--study, or --fresh"
        )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _machine() -> dict[str, Any]:
    import keras

    gpus: list[str] = []
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = [
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices("GPU")
        ]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": _processor(),
        "gpus": gpus,
        "backend": keras.backend.backend(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _git_commit() -> str | None:
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
