"""Trainings that two CPU cores can afford: the small backbones from scratch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

# Hand-made before any search, on FER+'s training and validation splits; the averages of the weights came later (see `small`).
RECIPES = {
    "small-soft": {
        "backbone": "small_se",
        "freeze_before": 0,
        "dropout": 0.2,
        "optimizer": "adamw",
        "learning_rate": 3e-3,
        "beta_1": 0.9,
        "weight_decay": 0.02,
        "batch_size": 64,
        "lr_policy": "cosine",
        "warmup_fraction": 0.05,
        "class_weights": "none",
        "target": "soft",
        "label_smoothing": 0.0,
        "augmentation": "light",
        "ema_fraction": 0.03,
    },
}


def small(hp: HyperParameters) -> None:
    """Declare the space of the small backbones.

    Example:
        >>> hp = keras_tuner.HyperParameters()
        >>> small(hp)
        >>> hp.get("backbone"), hp.get("lr_policy")
        ('small_se', 'cosine')
    """
    hp.Choice("backbone", ["small", "small_se", "small_vgg"], default="small_se")
    _trainings(hp)
    # Mixed faces are none of the choices. Of small_vgg with the known recipe, twelve epochs on a quarter of the training faces in
    # bfloat16, MixUp (Zhang et al. 2018, alpha 0.2) has 0.2, 1.4 and 0.3 points more validation accuracy than without, and 1.7
    # less, 0.3 more and 0.7 less macro-F1 (three seeds); CutMix (Yun et al. 2019, alpha 1) 1.9 and 1.5 less accuracy (two seeds).
    hp.Choice("augmentation", ["light", "baseline", "strong"])
    # Averages of the weights end where the weights do, and tell earlier: of small_vgg with the known recipe, nine epochs on a
    # quarter of the training faces in bfloat16, the third has 70 and 71 % against 62 and 53 %, the last 76 % in all four (two
    # seeds).
    hp.Choice("ema_fraction", [0.03])


def _trainings(hp: HyperParameters) -> None:
    hp.Choice("freeze_before", [0])
    hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5], default=0.2)
    hp.Choice("optimizer", ["adamw", "sgd"])
    with hp.conditional_scope("optimizer", ["adamw"]):
        hp.Float("learning_rate@adamw", 3e-4, 1e-2, sampling="log", default=3e-3)
        hp.Choice("beta_1", [0.9])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("learning_rate@sgd", 1e-2, 3e-1, sampling="log", default=5e-2)
        hp.Choice("momentum", [0.9])
    hp.Choice("weight_decay", [0.0, 1e-3, 5e-3, 2e-2, 5e-2], default=2e-2)
    hp.Choice("batch_size", [32, 64, 128], default=64)
    hp.Choice("lr_policy", ["cosine", "one_cycle", "exponential"])
    with hp.conditional_scope("lr_policy", ["cosine"]):
        hp.Choice("warmup_fraction", [0.0, 0.05, 0.1], default=0.05)
    with hp.conditional_scope("lr_policy", ["one_cycle"]):
        hp.Choice("peak_fraction", [0.1, 0.2, 0.3, 0.4], default=0.3)
    with hp.conditional_scope("lr_policy", ["exponential"]):
        hp.Choice("decay_to", [0.001, 0.01, 0.03, 0.1, 0.3], default=0.03)
    hp.Choice("class_weights", ["none", "sqrt_balanced", "effective_number"])
    hp.Choice("target", ["soft", "majority"])
    hp.Choice("label_smoothing", [0.0, 0.05, 0.1])


def demo(hp: HyperParameters) -> None:
    """Declare `small` for the quickest of its backbones at 32 pixels, which show the generated faces well enough."""
    for name, value in _DEMO.items():
        hp.Fixed(name, value)
    _trainings(hp)
    hp.Choice("augmentation", ["light", "baseline"])


_DEMO = {"image_size": 32, "backbone": "small_vgg", "ema_fraction": 0.0}
DEMO_RECIPES = {name: {**recipe, **_DEMO} for name, recipe in RECIPES.items()}
