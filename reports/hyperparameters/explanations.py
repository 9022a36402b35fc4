"""Hyperparameters in a reader's words."""

from __future__ import annotations

from typing import Any

from models.recipe import meaning_of
from reports.hyperparameters.families import family

_WORDS = {
    "backbone": ("backbone", "the network that the faces go through"),
    "image_size": ("image size", "side in pixels that a face is enlarged to"),
    "freeze_before": (
        "freeze index",
        "how many of the last layers are trained; those before keep their weights",
    ),
    "dropout": ("dropout", "share of the features that a training step hides from the last layer"),
    "optimizer": ("optimizer", "the rule by which a step changes the weights"),
    "learning_rate": ("learning rate", "how far a step goes, at its highest"),
    "beta_1": ("beta 1", "how much of its earlier direction Adam keeps"),
    "momentum": ("momentum", "how much of its earlier direction SGD keeps"),
    "weight_decay": ("weight decay", "how strongly weights are drawn towards zero"),
    "lr_policy": ("learning-rate policy", "how the learning rate falls during the training"),
    "class_weights": ("class weighting", "how much more a rare emotion counts in the loss"),
    "target": ("target", "majority: the most voted emotion; soft: the annotators' votes"),
    "label_smoothing": ("label smoothing", "share of the target that is spread over all emotions"),
    "batch_size": ("batch size", "faces per training step"),
    "augmentation": ("augmentation", "how much training faces are turned, shifted and altered"),
    "patience": ("patience", "epochs without a better score after which training stops"),
}


def title(name: str) -> str:
    """A hyperparameter's name as words: freeze_before -> freeze index; the mark of a condition in brackets."""
    base, _, mark = name.partition("@")
    words = _WORDS[base][0] if base in _WORDS else base.replace("_", " ")
    return f"{words} ({mark})" if mark else words


def explanation(name: str, value: Any = None) -> str:
    """A few words on the hyperparameter, and on `value` where it needs some: those for readers, else what it is declared to mean;
    empty where nothing is known."""
    base = family(name)
    if base == "freeze_before" and isinstance(value, int) and not isinstance(value, bool):
        return _frozen(value)
    if base == "image_size" and value == 0:
        return "the backbone's own image size"
    if base in _WORDS:
        return _WORDS[base][1]
    declared = meaning_of(base).removesuffix(".")
    return declared[:1].lower() + declared[1:]


def _frozen(index: int) -> str:
    """What a freeze index leaves trainable: `model.layers[index:]`."""
    if index == 0:
        return "every layer is trained"
    if index >= -3:
        return "the classifier alone is trained; the whole backbone keeps its weights"
    return f"the last {-index} layers are trained, the classifier among them; all before keep their weights"
