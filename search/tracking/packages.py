"""Packages that are needed only where they are asked for."""

from __future__ import annotations

import importlib.util

from ferplus_data.errors import InputError


def require(package: str, option: str, install: str) -> None:
    """Raise InputError if `package`, which `option` needs, is not installed; `install` is what pip is to be given."""
    if importlib.util.find_spec(package) is None:
        raise InputError(
            f"{option}: expected the package {package}, which is not installed; pip install {install}"
        )
