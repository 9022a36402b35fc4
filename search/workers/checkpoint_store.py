"""Checkpoints in an artifact store, for workers that share no folder: a trial begun on one machine is continued on another."""

from __future__ import annotations

import contextlib
import io
import tarfile
from pathlib import Path
from typing import Any

import optuna.artifacts
from optuna.artifacts.exceptions import ArtifactNotFound

from ferplus_data.errors import InputError
from ferplus_data.files import write_bytes


class CheckpointStore:
    """The files of a study's trials in the store at `place`, an archive for each of the last two epochs of a trial.

    An epoch is reported after its archive is stored, so the last one that the study knows of is always there.

    Args:
        place: A folder, or s3://BUCKET.
        study: Name of the study, alone in the store.

    Raises:
        InputError: The folder cannot be made, or the bucket's client is not installed.
    """

    def __init__(self, place: str, study: str) -> None:
        self._store, self._study = _open(place), study

    def save(self, directory: Path, number: int, epoch: int) -> None:
        """Store the files in `directory` as those of trial `number` after `epoch`."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path in sorted(directory.iterdir()):
                if path.is_file() and "writing" not in path.name:
                    tar.add(path, arcname=path.name)
        archive.seek(0)
        optuna.artifacts.Backoff(self._store).write(self._name(number, epoch), archive)
        with contextlib.suppress(ArtifactNotFound):
            self._store.remove(self._name(number, epoch - 2))

    def restore(self, directory: Path, number: int, epoch: int) -> bool:
        """Put the files of trial `number` after `epoch` into `directory`; return whether the store has them, whole."""
        try:
            source = optuna.artifacts.Backoff(self._store).open_reader(self._name(number, epoch))
        except ArtifactNotFound:
            return False
        files: dict[str, bytes] = {}
        try:
            with source, tarfile.open(fileobj=io.BytesIO(source.read())) as tar:
                for member in tar:
                    if (content := tar.extractfile(member)) is not None:
                        files[Path(member.name).name] = content.read()
        except (tarfile.TarError, EOFError):
            return False
        # What tells that the epochs are there is written last.
        for name in sorted(files, key=lambda name: (name == "history.csv", name)):
            write_bytes(directory / name, files[name])
        return True

    def _name(self, number: int, epoch: int) -> str:
        return f"{self._study}-{number:04d}-{epoch:04d}.tar"


def _open(place: str) -> Any:
    scheme, separator, rest = place.partition("://")
    if not separator:
        try:
            Path(place).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--artifacts {place}: expected a folder, found: {error.strerror}") from error
        return optuna.artifacts.FileSystemArtifactStore(place)
    if scheme != "s3":
        raise InputError(f"--artifacts {place}: expected a folder or s3://BUCKET")
    try:
        return optuna.artifacts.Boto3ArtifactStore(rest.strip("/"))
    except ImportError as error:
        raise InputError(
            f"--artifacts {place}: expected boto3, which is not installed; pip install boto3"
        ) from error
