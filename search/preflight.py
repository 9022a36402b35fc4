"""What a search can be refused for before anything is loaded or made: its surroundings, its folder, its storage, its past."""

from __future__ import annotations

import os
from pathlib import Path

from ferplus_data.errors import InputError
from search.oracles import LEARNING, own_pruner
from search.storages.redaction import redact
from search.storages.urls import check_url
from search.study.arguments import SearchArguments
from search.study.config import check_continuation
from search.study.run_directory import RunDirectory
from search.user_functions import load_function

_CHIEF_VARIABLES = ("KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT", "KERASTUNER_TUNER_ID")


def check_before(arguments: SearchArguments, run: RunDirectory, url: str, *, fresh: bool) -> None:
    """Raise InputError if a search of `arguments` in `run`, stored at `url`, cannot be begun or continued, as far as that can be
    told without its data. Nothing is created."""
    chief_role()
    own = own_pruner(arguments.oracle)
    if own is not None and arguments.pruner != own:
        raise InputError(
            f"--pruner {arguments.pruner}: expected none beside --oracle {arguments.oracle}, which decides itself when a trial "
            "ends; leave it out, or choose another oracle"
        )
    if arguments.warm_start and arguments.oracle not in LEARNING:
        raise InputError(
            f"--warm-start: expected an oracle that learns from what others had, {', '.join(LEARNING)}, found {arguments.oracle}"
        )
    _check_folder(run)
    if arguments.callbacks:
        load_function(arguments.callbacks, "--callbacks")
    if url != default_url(run):
        check_url(url, redact(url))
    if run.config.exists() and not fresh:
        check_continuation(run, arguments)


def check_placement(arguments: SearchArguments) -> None:
    """Raise InputError if the workers, GPUs or store that `arguments` name cannot be had."""
    from models.device.gpus import visible_gpus
    from search.oracles.registry import KERAS_TUNER_ORACLES
    from search.oracles.samplers import check_installed
    from search.workers.checkpoint_store import CheckpointStore

    check_installed(arguments.oracle)
    if (arguments.workers > 1 or arguments.engine != "local") and arguments.oracle in KERAS_TUNER_ORACLES:
        raise InputError(f"--oracle {arguments.oracle}: is Keras Tuner's own and has room for one worker")
    if (arguments.max_params or arguments.max_latency) and arguments.oracle in KERAS_TUNER_ORACLES:
        raise InputError(
            f"--oracle {arguments.oracle}: is Keras Tuner's own and refuses no configuration; choose another for "
            "--max-params and --max-latency"
        )
    if arguments.artifacts:
        CheckpointStore(arguments.artifacts, "")
    gpus = len(visible_gpus())
    if arguments.engine == "local" and arguments.gpus_per_trial > max(gpus, 1):
        raise InputError(
            f"--gpus-per-trial {arguments.gpus_per_trial}: expected that many GPUs, found {gpus}"
        )


def default_url(run: RunDirectory) -> str:
    """Return the URL of the SQLite file in the run directory."""
    from search.study.run_directory import storage_url

    return storage_url(run, None)


def chief_role() -> str | None:
    """Return what Keras Tuner's variables make of this process: "chief", "worker" of a chief, or None without them.

    Raises:
        InputError: Some of them are missing, or cannot be.
    """
    found = {name: os.environ[name] for name in _CHIEF_VARIABLES if name in os.environ}
    if not found:
        return None
    missing = [name for name in _CHIEF_VARIABLES if not found.get(name, "").strip()]
    if missing:
        raise InputError(
            f"{', '.join(missing)}: expected a value, for {', '.join(found)} is set; set all of "
            f"{', '.join(_CHIEF_VARIABLES)} for a search with Keras Tuner's chief, or none"
        )
    port = found["KERASTUNER_ORACLE_PORT"]
    if not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535):
        raise InputError(f"KERASTUNER_ORACLE_PORT: expected a port from 1 to 65535, found {port[:40]!r}")
    return "chief" if "chief" in found["KERASTUNER_TUNER_ID"] else "worker"


def has_chief() -> bool:
    """Whether this process is to get its trials from a chief of Keras Tuner's."""
    return chief_role() == "worker"


def _check_folder(run: RunDirectory) -> None:
    """Raise InputError if the run directory is not and cannot become a folder that can be written to."""
    place: Path = run.path
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return
    found = "that it cannot be written to" if place.is_dir() else "no folder"
    raise InputError(
        f"run directory {run.path}: expected to be able to write there, found {found}: {place}; choose another with --runs-dir"
    )
