"""Fine-tuning of dlib's face network, whose weights anyone can have: what two CPU cores can afford with pretrained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.backbones.registry import BACKBONES

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

# Hand-made before any search, on an eighth of FER+'s training split and half of its validation split.
RECIPES = {
    "transfer-soft": {
        "backbone": "dlib_face",
        "image_size": 96,
        "freeze_before": 0,
        "dropout": 0.2,
        "optimizer": "adamw",
        "learning_rate": 1e-4,
        "beta_1": 0.9,
        "weight_decay": 1e-2,
        "batch_size": 64,
        "lr_policy": "cosine",
        "warmup_fraction": 0.0,
        "class_weights": "none",
        "target": "soft",
        "label_smoothing": 0.0,
        "augmentation": "light",
    },
}


def transfer(hp: HyperParameters) -> None:
    """Declare the space of dlib's face network.

    Example:
        >>> hp = keras_tuner.HyperParameters()
        >>> transfer(hp)
        >>> hp.get("backbone"), hp.get("lr_policy")
        ('dlib_face', 'cosine')
    """
    hp.Choice("backbone", ["dlib_face"])
    hp.Fixed("image_size", 96)  # twice the epochs of 128 pixels in the same time
    hp.Choice("freeze_before", list(BACKBONES["dlib_face"].freeze_choices), default=0)
    hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], default=0.2)
    hp.Choice("optimizer", ["adamw"])
    hp.Float("learning_rate", 3e-5, 1e-3, sampling="log", default=1e-4)
    hp.Choice("beta_1", [0.9])
    hp.Choice("weight_decay", [0.0, 1e-3, 1e-2, 5e-2], default=1e-2)
    hp.Choice("batch_size", [32, 64, 128], default=64)
    hp.Choice("lr_policy", ["cosine", "one_cycle", "exponential"])
    with hp.conditional_scope("lr_policy", ["cosine"]):
        hp.Choice("warmup_fraction", [0.0, 0.05, 0.1], default=0.0)
    with hp.conditional_scope("lr_policy", ["one_cycle"]):
        hp.Choice("peak_fraction", [0.1, 0.2, 0.3, 0.4], default=0.3)
    with hp.conditional_scope("lr_policy", ["exponential"]):
        hp.Choice("decay_to", [0.001, 0.01, 0.03, 0.1, 0.3], default=0.03)
    hp.Choice("class_weights", ["none", "sqrt_balanced", "effective_number"])
    hp.Choice("target", ["soft", "majority"])
    hp.Choice("label_smoothing", [0.0, 0.05, 0.1])
    hp.Choice("augmentation", ["light", "baseline"])
