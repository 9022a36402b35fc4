"""Whether a run's accuracy may be set beside a published one, decided from what the run records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferplus_data.label_files import CSV, LABEL_FILES
from models.backbones.registry import BACKBONES
from models.metrics.published import PUBLISHED, Published
from search.study.view import StudyView

BASELINE_SAMPLE = 3264
"""Test rows of the baseline's figures, of 3,275: its test.py shuffles them and drops the last batch."""
_NAMES = {"val": "validation", "test": "test"}
RECIPE_IMAGE_SIZE = 224
"""Input side of VGGFace2's ResNet50 and SENet50 (Cao et al., 2018), which the baseline's recipes use."""
_VGGFACE2_BACKBONES = ("resnet50", "senet50")
"""Backbones that see RECIPE_IMAGE_SIZE unless told otherwise."""


@dataclass(frozen=True)
class Comparison:
    """A published result beside this run's on the same rows.

    Attributes:
        model, weights, source, read, rows: of the published one.
        val_accuracy, test_accuracy: its accuracies, 0 to 1.
        our_val, our_test: this run's on the rows of its protocol; None where they were not measured.
        reasons: why the two cannot be compared; comparable means that there is none.
    """

    model: str
    weights: str
    val_accuracy: float | None
    test_accuracy: float | None
    source: str
    reasons: tuple[str, ...]
    our_val: float | None = None
    our_test: float | None = None
    read: bool = True
    rows: str = ""

    @property
    def comparable(self) -> bool:
        return not self.reasons


def compare(view: StudyView) -> list[Comparison]:
    """This run beside every recipe of metrics.json's seed_recipes, then beside PUBLISHED; empty before there are metrics."""
    if view.metrics is None:
        return []
    recipes = [
        Published(
            str(recipe.get("model", "")),
            str(recipe.get("weights", "vggface2")),
            RECIPE_IMAGE_SIZE,
            as_fraction(recipe.get("val_accuracy")),
            as_fraction(recipe.get("test_accuracy")),
            str(recipe.get("source", "")),
            "baseline",
            read=True,
            test_sample=BASELINE_SAMPLE,
        )
        for recipe in view.metrics.get("seed_recipes") or []
    ]
    return [_beside(view, published) for published in (*recipes, *PUBLISHED)]


def _beside(view: StudyView, published: Published) -> Comparison:
    reasons = differences(view, published.weights, published.image_size)
    ours = measured(view, published)
    if not on_demo_data(view):
        # Part of its own rows is told already, by number.
        told = bool(partial_splits(view)) and published.protocol == _protocol(view)
        if published.protocol and "test" not in ours and not told:
            reasons.insert(0, f"not measured on its {published.rows_in_words}")
        reasons += [published.caveat] if published.caveat else []
    return Comparison(
        published.model,
        published.weights,
        published.val_accuracy,
        published.test_accuracy,
        published.source,
        tuple(reasons),
        ours.get("val"),
        ours.get("test"),
        published.read,
        published.rows_in_words,
    )


def measured(view: StudyView, published: Published) -> dict[str, float]:
    """Split -> this run's accuracy on the rows that `published` is of, where it was measured on all of them: by metrics.json's
    "protocols" (protocol -> split -> accuracy and n), or its own figures where it has none of these."""
    metrics = view.metrics or {}
    found = (metrics.get("protocols") or {}).get(published.protocol) or {}
    if published.protocol == _protocol(view) and not found:
        found = {
            split: {"accuracy": metrics.get(f"{split}_accuracy"), "n": metrics.get(f"n_{split}")}
            for split in _NAMES
        }
    return {
        split: found[split]["accuracy"]
        for split, count in published.rows.items()
        if split in found and found[split].get("n") == count and found[split].get("accuracy") is not None
    }


def _protocol(view: StudyView) -> str:
    return str((view.metrics or {}).get("protocol") or "baseline")


def as_fraction(accuracy: float | None) -> float | None:
    """An accuracy given as a fraction or in percent, as a fraction: published tables print percent."""
    if accuracy is None:
        return None
    return accuracy / 100 if accuracy > 1 else float(accuracy)


def on_demo_data(view: StudyView) -> bool:
    """Whether the run's images are the generated faces and not FER+."""
    arguments = view.config.get("arguments") or {}
    return arguments.get("data") == "demo" or (view.config.get("data") or {}).get("source") == "demo"


def partial_splits(view: StudyView) -> list[str]:
    """One phrase per evaluated split that is not the size of what its rule keeps of its label file."""
    metrics = view.metrics or {}
    file = LABEL_FILES.get(str((view.config.get("data") or {}).get("labels_source")), LABEL_FILES[CSV])
    official = dict(zip(_NAMES, file.kept[_protocol(view)][1:], strict=True))
    return [
        f"{metrics[f'n_{split}']:,} of the official {rows:,} {_NAMES[split]} rows"
        for split, rows in official.items()
        if metrics.get(f"n_{split}") is not None and metrics[f"n_{split}"] != rows
    ]


def differences(
    view: StudyView,
    weights: str,
    image_size: int | None = RECIPE_IMAGE_SIZE,
) -> list[str]:
    """Why this run cannot be compared with a result that starts from `weights` on images of `image_size` pixels a side;
    empty if it can.

    Demo data ends the question; otherwise the splits, the amount of training data, the weights and the image
    size are looked at.
    """
    if on_demo_data(view):
        return ["generated demo faces, not FER+"]
    arguments = view.config.get("arguments") or {}
    found = [f"evaluated on {phrase}" for phrase in partial_splits(view)]
    subset = arguments.get("subset")
    if subset is not None and subset != 1:
        found.append(f"trained on {subset:.0%} of the training split")
    if arguments.get("dedupe"):
        found.append("training faces whose photograph stands in validation or test, or twice, left out")
    ours = starting_weights(view)
    if not _same_weights(ours, weights):
        found.append(f"starts from weights {ours}, the published one from {weights}")
    size = _image_size(view, arguments)
    if image_size is not None and size != image_size:
        known = "the backbone's own image size" if size is None else f"images of {size} x {size}"
        found.append(f"{known}, the published one of {image_size} x {image_size}")
    return found


def starting_weights(view: StudyView) -> str:
    """Name of the weights that training started from: "none", that of published ones ("vggface2") or a file's name."""
    asked = (view.config.get("arguments") or {}).get("weights")
    if asked is None:
        backbone = BACKBONES.get(_backbone(view))
        return "none" if backbone is None else backbone.default_weights
    return Path(str(asked)).name


def _backbone(view: StudyView) -> str:
    return str(((view.metrics or {}).get("hyperparameters") or {}).get("backbone", "")).lower()


def _same_weights(ours: str, recipe: str) -> bool:
    """The published weights by name, or a local copy that kept their name (rcmalli_vggface_tf_...)."""
    name = ours.lower()
    return name == recipe.lower() or (
        recipe.lower() == "vggface2" and "vggface" in name and name.endswith(".h5")
    )


def _image_size(view: StudyView, arguments: Mapping[str, Any]) -> int | None:
    chosen = (view.metrics or {}).get("hyperparameters") or {}
    size = chosen.get("image_size") or arguments.get("image_size")
    if size:
        return int(size)
    return RECIPE_IMAGE_SIZE if _backbone(view) in _VGGFACE2_BACKBONES else None
