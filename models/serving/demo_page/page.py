"""The page, as a server or a folder of files gives it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined

STATIC = ("page.css", "page.js")
"""What every page loads; page.js calls `ask(picture)` of another script."""


def page(scripts: Sequence[str], *, marks: bool = False, policy: str = "") -> str:
    """Return the HTML of the page.

    Args:
        scripts: Loaded in this order.
        marks: Whether a face can be marked, for no face is looked for.
        policy: Content security policy, if no header says it.
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    source = static("page.html.j2").decode("utf-8")
    return environment.from_string(source).render(scripts=scripts, marks=marks, policy=policy)


def static(name: str) -> bytes:
    """Return the file `name` of the page."""
    return resources.files("models.serving.demo_page").joinpath(name).read_bytes()
