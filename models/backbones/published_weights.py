"""Where published weights come from: a release on the web, or an installed package. A backbone's entry names its own.

Importing this file imports no Keras.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from ferplus_data.errors import InputError
from ferplus_data.files import writing

_CACHE_SUBDIR = "models/vggface"  # keras_vggface.utils.VGGFACE_DIR, so that a file it has fetched is found


class MissingWeights(InputError):
    """Published weights that cannot be had here.

    Args:
        found: what is missing and why, a clause.
        mend: what to do about it, in the imperative.
    """

    def __init__(self, found: str, mend: str) -> None:
        super().__init__(f"expected {found}; {mend}")
        self.found, self.mend = found, mend


@dataclass(frozen=True)
class PublishedWeights(ABC):
    """Weights that somebody publishes for a backbone.

    Attributes:
        name: what the option --weights calls them.
        file: the file's name.
        licence: what they may be used for, a sentence for the model card.
    """

    name: str
    file: str
    licence: str

    @abstractmethod
    def found(self) -> Path | None:
        """Return the file, if it is on this machine; nothing is fetched."""

    @abstractmethod
    def path(self) -> Path:
        """Return the file on this machine, fetched first where it has to be.

        Raises:
            MissingWeights: It is not there and cannot be fetched.
        """


@dataclass(frozen=True)
class Release(PublishedWeights):
    """A file on the web, fetched once into Keras's cache. `folder_url` ends with a slash."""

    folder_url: str

    @property
    def url(self) -> str:
        return self.folder_url + self.file

    @property
    def folder(self) -> Path:
        """Where it is kept on this machine."""
        return Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / _CACHE_SUBDIR

    def found(self) -> Path | None:
        return self.folder / self.file if (self.folder / self.file).is_file() else None

    def path(self) -> Path:
        import keras

        folder = self.folder
        if (folder / self.file).is_file():
            return folder / self.file
        try:
            # Under a name of its own, so that no other worker or later run finds a half-written file.
            with writing(folder / self.file) as partial:
                keras.utils.get_file(partial.name, self.url, cache_subdir=str(folder))
        except Exception as error:  # get_file raises a bare Exception for what the network refuses
            reason = " ".join(str(error).split()) or type(error).__name__
            raise MissingWeights(
                f"{self.file}, but {self.url} could not be fetched ({reason})", f"put the file into {folder}"
            ) from error
        return folder / self.file


@dataclass(frozen=True)
class Package(PublishedWeights):
    """A file of the installed package `package`, which is not imported; `requirements` is the file that installs it."""

    package: str
    requirements: str

    def found(self) -> Path | None:
        try:
            return self.path()
        except MissingWeights:
            return None

    def path(self) -> Path:
        import importlib.metadata  # a fifth of the time of --help

        mend = f"install it with pip install -r {self.requirements}"
        try:
            files = importlib.metadata.files(self.package) or []
        except importlib.metadata.PackageNotFoundError as error:
            raise MissingWeights(
                f"{self.file} of the package {self.package}, which is not installed", mend
            ) from error
        paths = (Path(str(file.locate())) for file in files if file.name == self.file)
        found = next((path for path in paths if path.is_file()), None)
        if found is None:
            raise MissingWeights(f"{self.file} in the package {self.package}, which is without it", mend)
        return found
