"""Folders in which this program replaces and removes what it wrote itself, and nothing else.

A manifest in the folder tells the sha256 of every file that was written there. It is written before the files get their names, so
a process killed at any moment leaves nothing that the next one does not know.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ferplus_data.errors import InputError
from ferplus_data.files.locks import is_locked, locked
from ferplus_data.files.whole import flush, write_bytes, write_json

Recognise = Callable[[bytes], bool]
"""Tells by a file's content whether this program wrote it."""
_FILLING = re.compile(r"\.filling-[0-9a-f]{8}")
MANIFEST, _LOCK, _ALIVE = ".ferplus-tuner.json", ".ferplus-tuner.lock", ".lock"
_BRIEF_SECONDS = 0.02  # how long others hold a folder's lock: for some renames


@dataclass
class _Manifest:
    """What a folder's manifest tells.

    Attributes:
        files: Path below the folder, with / -> sha256 (hex) of each content that we wrote there.
        unfinished: Names of folders below it that are being filled.
        ready: Names below one of those, complete, that wait for their places.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    ready: dict[str, list[str]] = field(default_factory=dict)


class OwnFolder:
    """The folder `path`, which need not exist and may hold a user's files beside ours.

    Example:
        folder = OwnFolder(Path("export"))
        folder.check(["model.onnx", "README.md"], "--out")
        with folder.filling() as work:
            (work / "model.onnx").write_bytes(model)
            (work / "README.md").write_text(card)
            folder.put(work, ["model.onnx", "README.md"])
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self, names: Iterable[str], called: str) -> None:
        """Raise InputError if one of `names`, files or folders, is there and is not as we wrote it. `called` says how the user
        named the place."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{called} {self.path}: expected a folder, found a file; choose another place")
        strange = self._strange(self._read(), names)
        if strange is not None:
            raise InputError(
                f"{called} {self.path}: expected to write {strange} there, found one that no earlier run is known to have "
                "written; move it away or choose another place"
            )

    def written(self) -> list[str]:
        """The names, at the top of the folder, of what we wrote and is still there as we wrote it."""
        manifest = self._read()
        tops = dict.fromkeys(name.partition("/")[0] for name in manifest.files)
        return [top for top in tops if (self.path / top).exists() and self._strange(manifest, [top]) is None]

    @contextlib.contextmanager
    def filling(self) -> Iterator[Path]:
        """Give the block an empty folder below this one to fill and `put` from. It goes at the end; those that killed processes
        left go now. A folder that was made for it and stays empty goes too."""
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        work = self.path / f".filling-{secrets.token_hex(4)}"
        with self._locked():
            self._settle()
            manifest = self._read()
            for name in manifest.unfinished:
                if not is_locked(self.path / name / _ALIVE):
                    shutil.rmtree(self.path / name, ignore_errors=True)
            manifest.unfinished = [name for name in manifest.unfinished if (self.path / name).exists()]
            manifest.unfinished.append(work.name)
            self._write(manifest)
            work.mkdir()
        try:
            with locked(work / _ALIVE):
                yield work
        finally:
            with self._locked():
                shutil.rmtree(work, ignore_errors=True)
                manifest = self._read()
                manifest.unfinished = [name for name in manifest.unfinished if name != work.name]
                self._write(manifest)
                empty = not manifest.files and not manifest.unfinished
            if empty:
                self._leave(made)

    def put(self, work: Path, names: Iterable[str], *, instead: Iterable[str] = ()) -> None:
        """Give `names`, files or folders in `work`, their places, all or none, in that order.

        Args:
            work: As `filling` gave it.
            names: What was written there.
            instead: What we wrote earlier that goes for it. What stands in the place of one of `names` goes anyway.

        Raises:
            InputError: Something in the way is not ours.
        """
        names = list(names)
        flush(work)
        with self._locked():
            self.check(names, "folder")
            manifest = self._read()
            for name in names:
                for file in _files(work / name):
                    manifest.files.setdefault(_below(file, work), []).append(sha256_of(file))
            manifest.ready = {work.name: names}
            self._write(manifest)
            self._settle()
            for name in set(instead) - set(names):
                if self._strange(manifest, [name]) is None:
                    _remove(self.path / name)

    def write(self, name: str, content: bytes, recognise: Recognise | None = None) -> Path:
        """Write `content` to the file `name` and return its place.

        Raises:
            InputError: There is one that is not ours; see `check_file`.
        """
        path = self.path / name
        if path.exists() and not path.is_file() and not path.is_dir():  # a device, a pipe
            return write_bytes(path, content)
        self.check_file(name, recognise)
        with self._locked():
            self.check_file(name, recognise)
            manifest = self._read()
            last = manifest.files.get(name, [])[-1:]
            manifest.files[name] = [*last, hashlib.sha256(content).hexdigest()]
            self._write(manifest)
            return write_bytes(path, content)

    def check_file(self, name: str, recognise: Recognise | None = None) -> None:
        """Raise InputError if the file `name` is there, is not as we wrote it, and `recognise` does not tell, where the manifest
        has no word of the name, that its content is ours."""
        path = self.path / name
        if recognise and name not in self._read().files and path.is_file() and recognise(path.read_bytes()):
            return
        strange = self._strange(self._read(), [name])
        if strange is not None:
            raise InputError(
                f"{self.path / strange}: expected a file that an earlier run wrote or none, found another; move it away"
            )

    def clear(self) -> None:
        """Remove what we wrote and is as we wrote it, and the folder if nothing else is in it."""
        if not (self.path / MANIFEST).is_file():
            return
        with self.filling():  # for what killed processes left
            pass
        with self._locked():
            for name in self.written():
                _remove(self.path / name)
            (self.path / MANIFEST).unlink(missing_ok=True)
        self._leave([self.path])

    def settle(self) -> None:
        """Finish what a process was killed in the midst of putting into place, so that a reader finds files of one moment."""
        if self._read().ready:
            with contextlib.suppress(OSError), self._locked():  # a reader may have no permission to write
                self._settle()

    def _settle(self) -> None:
        manifest = self._read()
        for folder, names in manifest.ready.items():
            for name in names:
                source = self.path / folder / name
                if source.exists() and self._strange(manifest, [name]) is None:
                    _remove(self.path / name)
                    os.replace(source, self.path / name)
                for file in _files(self.path / name):
                    below = _below(file, self.path)
                    manifest.files[below] = manifest.files.get(below, [])[-1:]
            manifest.files = {n: s for n, s in manifest.files.items() if (self.path / n).is_file()}
        if manifest.ready:
            manifest.ready = {}
            self._write(manifest)

    def _strange(self, manifest: _Manifest, names: Iterable[str]) -> str | None:
        """The first of `names`, or of the files below it, that is there and is not as we wrote it."""
        for name in names:
            path = self.path / name
            if path.is_symlink():
                return name
            for file in _files(path):
                known = manifest.files.get(_below(file, self.path), [])
                if file.is_symlink() or not file.is_file() or not known or sha256_of(file) not in known:
                    return _below(file, self.path)
        return None

    def _locked(self) -> contextlib.AbstractContextManager[Any]:
        return locked(self.path / _LOCK, every=_BRIEF_SECONDS)

    def _leave(self, folders: Iterable[Path]) -> None:
        """Remove the marks in a folder that holds nothing else, and the `folders` as far as they are empty."""
        if self.path.exists() and {path.name for path in self.path.iterdir()} <= {MANIFEST, _LOCK}:
            for name in (MANIFEST, _LOCK):
                (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            for folder in folders:
                folder.rmdir()

    def _read(self) -> _Manifest:
        """The manifest; an empty one, by which nothing is ours, where it is missing or damaged."""
        try:
            found = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
            return _Manifest(
                {name: [str(s) for s in sums] for name, sums in found["files"].items() if _is_inside(name)},
                [name for name in found["unfinished"] if _FILLING.fullmatch(name)],
                {
                    folder: [name for name in names if _is_inside(name)]
                    for folder, names in found["ready"].items()
                    if _FILLING.fullmatch(folder)
                },
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _Manifest()

    def _write(self, manifest: _Manifest) -> None:
        write_json(self.path / MANIFEST, {"written_by": "FERPlus Tuner", **vars(manifest)})


def write_owned(path: Path, content: str, recognise: Recognise | None = None) -> Path:
    """Write `content` in UTF-8 to the file `path`, unless there is one that we did not write; see `OwnFolder.write`."""
    return OwnFolder(path.parent).write(
        path.name, content.encode("utf-8", errors="surrogateescape"), recognise
    )


def check_owned(path: Path, recognise: Recognise | None = None) -> None:
    """Raise InputError if `write_owned` would; see `OwnFolder.check_file`."""
    OwnFolder(path.parent).check_file(path.name, recognise)


def remove_known(folder: Path, names: Iterable[str]) -> None:
    """Remove the files `names` from `folder`, and the folder unless something else is in it."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # not empty
        folder.rmdir()


def sha256_of(path: Path) -> str:
    """The sha256 (hex) of the file `path`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(path: Path) -> list[Path]:
    """`path`, or, if it is a folder, all that is below it and is no folder."""
    if path.is_dir() and not path.is_symlink():
        return sorted(p for p in path.rglob("*") if p.is_symlink() or not p.is_dir())
    return [path] if path.exists() or path.is_symlink() else []


def _is_inside(name: str) -> bool:
    return not {"", ".", ".."} & set(name.split("/"))


def _below(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
