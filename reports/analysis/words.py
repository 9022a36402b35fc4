"""Numbers as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search.study.arguments import SearchArguments
from search.study.options import options_of


def duration_words(seconds: float | None) -> str:
    """Seconds as 0.4 s, 42 s, 3 min 7 s, 2 h 3 min or 3 d 4 h; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    first = next((index for index, (_, length) in enumerate(units) if whole >= length), len(units) - 1)
    words: list[str] = []
    for name, length in units[first : first + 2]:
        count, whole = divmod(whole, length)
        if count or not words:
            words.append(f"{count} {name}")
    return " ".join(words)


def arguments_words(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a search, as config.json holds them, with durations in words."""
    durations = {
        name for name, about in options_of(SearchArguments).items() if about.kind.metavar == "DURATION"
    }
    return {
        name: duration_words(value) if name in durations and value is not None else value
        for name, value in arguments.items()
    }
