"""Sphinx makes the site of README.md, docs/ and the docstrings: make docs

The source folder is the project's, so that a link between Markdown files is the same one on a code-hosting page and in the site.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of the modules that are imported for their docstrings

from search import __version__  # noqa: E402

NAVIGATION = {
    "Use": {
        "A tour, from files to a model": "docs/tour",
        "In Python": "docs/library",
        "The search": "docs/search",
        "The report": "docs/report",
        "Export, evaluate, predict": "docs/serving",
        "Many workers": "docs/distributed",
        "Speed": "docs/speed",
        "Results": "docs/results",
    },
    "Look up": {
        "Commands, files, hyperparameters": "docs/reference",
        "Python interface": "docs/api",
        "Changes": "CHANGELOG",
    },
    "Contribute": {
        "Architecture": "docs/architecture",
        "Extending": "docs/extending",
        "Contributing": "CONTRIBUTING",
    },
}
"""What the side bar shows: caption -> title -> page. A page of docs/ that is missing here is a warning, which ends the build."""

project = "FERPlus Tuner"
copyright = "its contributors, MIT License"
version = release = __version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/*.md", "docs/*.ipynb"]
exclude_patterns = [".*", "build", "runs", "tests", "node_modules", "**/__pycache__"]

smartquotes = False  # --set stays two hyphens
myst_heading_anchors = 3
nb_execution_mode = "off"

default_role = "py:obj"  # `name` in a docstring: code, and a link where the site knows the name
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 90
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = f"FERPlus Tuner {version}"
html_static_path = html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False


def _add_navigation(app: Sphinx, docname: str, source: list[str]) -> None:
    """Put the navigation at the end of README.md, which as a file has none."""
    if docname == root_doc:
        for caption, pages in NAVIGATION.items():
            lines = "\n".join(f"{title} <{page}>" for title, page in pages.items())
            source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{lines}\n```\n"


def _end_code_before_letters(
    app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]
) -> None:
    """Have `Space`s be code and an s, which reStructuredText takes for code that goes on."""
    ended = re.sub(
        r"(`+)([^`]+)\1(\w?)",
        lambda m: m[0] if not m[3] else f"{m[1]}{m[2]}{m[1]}\\ {m[3]}",
        "\n".join(lines),
    )
    lines[:] = ended.split("\n")


def _shorten_defaults(
    app: Sphinx, what: str, name: str, found: Any, options: Any, signature: str, returned: str
) -> Any:
    """Have what a dataclass makes anew for each object be ..., which can be parsed."""
    return (signature or "").replace("<factory>", "...") or None, returned


def _write_index(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.name == "html":
        shutil.copyfile(app.outdir / f"{root_doc}.html", app.outdir / "index.html")


def setup(app: Sphinx) -> None:
    """Connect these to the build."""
    app.connect("source-read", _add_navigation)
    app.connect("autodoc-process-docstring", _end_code_before_letters)
    app.connect("autodoc-process-signature", _shorten_defaults)
    app.connect("build-finished", _write_index)
