"""Whether a run directory and a stored study are ours, and forgetting one that is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
from optuna.study import StudyDirection

from ferplus_data.console import program
from ferplus_data.errors import InputError
from ferplus_data.files import write_json
from ferplus_data.files.locks import locked
from ferplus_data.files.owned import OwnFolder
from models.metrics.objectives import DEFAULT_OBJECTIVE, OBJECTIVES
from models.training.checkpoints import remove_training
from search.storages.redaction import redact
from search.storages.registry import MADE_BY, open_storage, quiet
from search.storages.retrying import RetryingStorage
from search.study import best
from search.study.run_directory import RunDirectory
from search.study.version_one import is_version_one

_OURS = ("study.db", "trials", "retraining", "best", "ensemble", "export", "keras_tuner", "workers")
_BESIDE_A_TRAINING = ("error.txt", "retraining.json", "validation.npz")
_NUMBERED = re.compile(r"\d{4,}")
_WORKER_LOG = re.compile(r"\d+\.log")
_KERAS_TUNER = ("oracle.json", "tuner*.json", "trial_*/trial.json")


def check_directory(run: RunDirectory) -> None:
    """Raise InputError if a study in `run` would replace files that no study of that name is known to have written."""
    if run.config.exists():
        run.read_config()
        best.check_place(run.best_model.parent)
        return
    found = next((name for name in _OURS if (run.path / name).exists()), None)
    if found is not None:
        raise InputError(
            f"run directory {run.path}: expected a study's config.json beside {found}, found none, so they may be "
            "another's; move them away, or choose another --study or --runs-dir"
        )


@contextlib.contextmanager
def alone(run: RunDirectory, oracle: str) -> Iterator[None]:
    """Hold the study in `run` for one process, as Keras Tuner's own oracles need it.

    Raises:
        InputError: Another process holds it.
    """

    def refuse() -> None:
        raise InputError(
            f"study {run.study}: another process runs it, and its oracle {oracle}, Keras Tuner's own, has room for one; wait for "
            "its end"
        )

    with locked(run.path / ".keras_tuner.lock", on_wait=refuse):
        yield


@contextlib.contextmanager
def undone_if_refused(run: RunDirectory, url: str) -> Iterator[None]:
    """Take back what a study that is refused before its first trial has made, in `run` and in the storage at `url`, so that the
    corrected command begins anew."""
    began, had_database = not run.config.exists(), run.database.exists()
    made = [folder for folder in (run.path, *run.path.parents) if not folder.exists()]
    try:
        yield
    except InputError:
        if began and run.config.exists() and not any(_numbered(run.trial(0).parent)):
            with contextlib.suppress(InputError):  # the storage may be what was wrong
                forget(run, open_storage(url), url)
            if not had_database:
                run.database.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not there, or it holds something
            for folder in made:
                folder.rmdir()
        raise


def take_over(run: RunDirectory, url: str, fresh: bool, check: Callable[[], object]) -> None:
    """Make sure that a study of the name, in the storage at `url` or in `run`, is ours, and forget it if a `fresh` one is wanted.
    One that is in the storage alone gets its config.json in `run`, unless `check` then refuses it."""
    storage = open_storage(url)
    if fresh:
        forget(run, storage, url)
    elif stored_study(run, storage, url) is not None and not run.config.exists():
        fetch_config(run, url)
        try:
            check()
        except InputError:
            run.config.unlink()
            raise


def fetch_config(run: RunDirectory, url: str) -> None:
    """Write config.json as the storage at `url` has it.

    Raises:
        InputError: There is no study of that name, or another program made it.
    """
    storage = open_storage(url)
    study = _find(run, storage, url)
    if study is None or "config" not in study.user_attrs:
        names = sorted(optuna.get_all_study_names(storage))
        raise InputError(
            f"study {run.study}: expected it in {redact(url)}, found "
            f"{'one that has not begun' if study else ', '.join(names) or 'none'}; start it with: {program()} search"
        )
    run.create()
    write_json(run.config, study.user_attrs["config"])


def stored_study(run: RunDirectory, storage: RetryingStorage, url: str) -> optuna.Study | None:
    """Return the study of the run directory's name in `storage`, which is at `url`; None if there is none.

    Raises:
        InputError: Another program made it, or it is another study than the one in `run`, or it is gone although trials of it
            are in `run`.
    """
    begun = run.read_config() if run.config.exists() else None
    study = _find(run, storage, url)
    if study is None:
        if begun is not None and any(_numbered(run.trial(0).parent)):
            raise InputError(
                f"study {run.study}: expected it in {redact(url)}, found none, but trials of it in {run.path}; put the storage "
                "back, or begin again with --fresh"
            )
        return None
    if begun is not None and "config" in study.user_attrs and _created(study) != begun.get("created"):
        raise InputError(
            f"study {run.study}: {run.config} is of another study than the one in {redact(url)}; choose another --study or "
            "--runs-dir"
        )
    return study


def forget(run: RunDirectory, storage: RetryingStorage, url: str) -> None:
    """Remove what the study in `run` left: itself from `storage`, which is at `url`, and its files. Files that it is not known to
    have written stay.

    Raises:
        InputError: There is a study of that name in the storage that was begun elsewhere.
    """
    study = _find(run, storage, url)
    if study is not None:
        created = run.read_config().get("created") if run.config.exists() else None
        if "config" in study.user_attrs and (created is None or _created(study) != created):
            raise InputError(
                f"study {run.study}: the one in {redact(url)} was not begun in {run.path}; continue it without --fresh, or "
                "choose another --study"
            )
        optuna.delete_study(study_name=study.study_name, storage=storage)
    for folder in (*_numbered(run.trial(0).parent), *_numbered(run.path / "ensemble"), *run.retrainings()):
        remove_training(folder, _BESIDE_A_TRAINING)
    run.retraining_plan.unlink(missing_ok=True)
    for own in (run.best_model.parent, run.path / "ensemble", run.path / "export", run.path / "report-png"):
        OwnFolder(own).clear()
    _remove(run.path / "workers", [p for p in _files(run.path / "workers") if _WORKER_LOG.fullmatch(p.name)])
    tuner = run.path / "keras_tuner"
    _remove(tuner, [path for pattern in _KERAS_TUNER for path in tuner.glob(pattern)])
    run.config.unlink(missing_ok=True)  # the last: it tells that the directory is a study's
    OwnFolder(run.path).clear()
    retraining = run.retraining(0, 0).parent.parent
    for folder in (
        *_numbered(retraining),
        retraining,
        run.trial(0).parent,
        run.best_model.parent,
        run.path / "ensemble",
    ):
        with contextlib.suppress(OSError):  # not there, or not empty
            folder.rmdir()


def _find(run: RunDirectory, storage: RetryingStorage, url: str) -> optuna.Study | None:
    """The study of the name in `storage`, None if there is none.

    Raises:
        InputError: Another program made it.
    """
    quiet()
    try:
        study = optuna.load_study(study_name=run.stored_name(), storage=storage)
    except KeyError:
        return None
    ours = study.user_attrs.get("made_by") == MADE_BY or is_version_one(study)
    # As a process leaves it that is killed between the study and the mark that it is ours.
    unmarked = not study.user_attrs and not study.get_trials(deepcopy=False)
    if not ours and not (unmarked and study.directions == [_direction(run)]):
        raise InputError(
            f"study {run.study}: expected one that this program began in {redact(url)}, found another program's; choose another "
            "--study"
        )
    return study


def _direction(run: RunDirectory) -> StudyDirection:
    """The direction that the study in `run` has by its config.json, or would have without one."""
    arguments = run.read_config()["arguments"] if run.config.exists() else {}
    objective = OBJECTIVES.get(str(arguments.get("objective")), OBJECTIVES[DEFAULT_OBJECTIVE])
    return StudyDirection.MAXIMIZE if objective.direction == "max" else StudyDirection.MINIMIZE


def _created(study: optuna.Study) -> Any:
    return study.user_attrs["config"].get("created")


def _numbered(folder: Path) -> Iterator[Path]:
    """The folders of trials in `folder`."""
    return (path for path in _files(folder) if path.is_dir() and _NUMBERED.fullmatch(path.name))


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _remove(folder: Path, files: list[Path]) -> None:
    """Remove the `files` and what folders are then empty, `folder` with them."""
    for path in files:
        path.unlink()
    for emptied in [*({path.parent for path in files} - {folder}), folder]:
        with contextlib.suppress(OSError):  # not there, or not empty
            emptied.rmdir()
