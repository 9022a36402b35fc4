"""The model card: what the model is, how good, how equal, how fast, how to call it, and under which licences it stands. Its words
are in card.md.j2 and licences.md.j2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from models.backbones.registry import BACKBONES
from models.metrics.objectives import OBJECTIVES
from models.metrics.published import published_on
from models.serving.export.exporter import Exporter

CARD = {"README.md": "card.md.j2", "LICENSE.md": "licences.md.j2"}
"""File -> its template. The front matter of the first names the second: licences that Hugging Face does not know are to be in a
file of their own."""
_MARKUP = re.compile(r"[\\`*|<>\[\]]")

_NOTHING_KNOWN: dict[str, Any] = {"labels_source": None, "label_noise": None, "test_readings": []}


def write_card(
    folder: Path,
    exporters: Sequence[Exporter],
    proofs: Mapping[str, Mapping[str, Any]],
    about: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
) -> None:
    """Write the files of `CARD`, about the formats `exporters`, into `folder`.

    Args:
        folder: That the formats are in.
        exporters: The formats that are there.
        proofs: As in parity.json.
        about: As in signature.json.
        metrics: As in best/metrics.json, or None where the model has not been measured.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["plain"] = _plain
    known = {
        "exporters": exporters,
        "proofs": proofs,
        "about": {**_NOTHING_KNOWN, **about},
        "metrics": metrics,
        "interval": _interval,
        "chosen": " (chosen on these rows)",
        "published": _published,
        "objectives": OBJECTIVES,
    }
    for name, template in CARD.items():
        (folder / name).write_text(environment.get_template(template).render(known), encoding="utf-8")


def _plain(value: Any) -> str:
    """`value` as text of one line that ends no cell and opens no markup."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", " ".join(str(value).split()))


def _published(protocol: str, test_rows: int) -> str:
    """Published test accuracies on the same rows; a dash where none is known."""
    found = [f"{one.model} {one.test_accuracy:.1%}" for one in published_on(protocol, test_rows)]
    if (protocol, test_rows) == ("baseline", 3275):  # its own figures lack 11 of them, drawn at random
        recipes = [one for backbone in BACKBONES.values() for one in backbone.published]
        found += [f"{one.model} {one.test_accuracy:.1%} (of 3,264)" for one in recipes]
    return "; ".join(found) or "-"


def _interval(metrics: Mapping[str, Any], name: str, split: str) -> str:
    """The interval under `name` in `metrics`; a dash where a version that kept none wrote them."""
    bounds = (metrics.get(name) or {}).get(split)
    return "-" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"
