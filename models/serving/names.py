"""File names as they can be printed."""

from __future__ import annotations

import os
from pathlib import Path


def encodable(path: Path) -> str:
    r"""Return the name of `path` with bytes that are no UTF-8 escaped, such as ``a\xff.png``, so that any stream can take it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def on_one_line(path: Path) -> str:
    r"""Return the name of `path` with what does not print escaped too, such as ``new\nline.png``."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in encodable(path)
    )
