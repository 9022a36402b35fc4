"""Functions in a user's own file, named on the command line as FILE.py:FUNCTION."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ferplus_data.errors import InputError


def load_function(name: str, option: str) -> Any:
    """Return what FUNCTION is in FILE.py, for a `name` of that form. The file may import its neighbours.

    Args:
        name: FILE.py:FUNCTION.
        option: What messages call it, such as --space.

    Raises:
        InputError: There is no such file or function, or the file does not run.
    """
    file, separator, function = name.rpartition(":")
    if not separator or not file.endswith(".py") or not function:
        raise InputError(f"{option}: expected FILE.py:FUNCTION, found {name!r}")
    if not Path(file).is_file():
        raise InputError(
            f"{option} {name}: expected a file with a function {function}, found no such file as {file}"
        )
    module = _run(Path(file).resolve(), f"{option} {name}")
    found = getattr(module, function, None)
    if found is None:
        others = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise InputError(
            f"{option} {name}: expected a function {function} in {file}, found {', '.join(others) or 'none'}"
        )
    return found


def reason(error: BaseException) -> str:
    """Return the kind and the message of an exception on one line, as long as a line may be."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _run(path: Path, shown: str) -> ModuleType:
    """Import the file at `path`, under a name that no other file's module has."""
    name = f"user_file_{hashlib.sha256(bytes(path)).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _importable(path.parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own code
        del sys.modules[name]
        raise InputError(f"{shown}: {path.name} does not run: {reason(error)}") from error
    return module


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Have the modules in `folder` found first while the block runs, and after all others from then on, for imports inside of
    functions."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))
