"""Passwords stay off screens, logs, reports and config.json. Where it is not clear what belongs to a password, more is hidden."""

from __future__ import annotations

import re
from typing import Any

_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*://"
# A password may hold @, / and : itself, so it ends at the last @. A text that is a URL from its start may have blanks in it.
_IN_PROSE = re.compile(rf"({_SCHEME}[^\s:/]*):\S*@")
_FROM_THE_START = re.compile(rf"({_SCHEME}[^\s:/]*):.*@", re.DOTALL)
_SECRET = r"\w*(?:password|passwd|pwd|passfile|secret)\w*"
_NAMED = re.compile(rf"\b({_SECRET}\s*=\s*)(?:'[^']*'|\"[^\"]*\"|[^&\s]+)", re.IGNORECASE)
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)


def redact(value: Any) -> Any:
    """`value`, a text or texts at any depth of dicts and lists, with *** for the password of every URL and of every
    `password=...` in it.

    Example:
        >>> redact("postgresql://ann:se@cr/et@host/db")
        'postgresql://ann:***@host/db'
    """
    if isinstance(value, str):
        if re.match(_SCHEME, value):
            value = _FROM_THE_START.sub(r"\1:***@", value)
        return _NAMED.sub(r"\1***", _IN_PROSE.sub(r"\1:***@", value))
    if isinstance(value, dict):
        return {key: "***" if _is_secret(key, item) else redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def _is_secret(name: Any, value: Any) -> bool:
    return isinstance(value, str) and bool(value) and _SECRET_NAME.fullmatch(str(name)) is not None
