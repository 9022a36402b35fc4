"""The full space: both VGGFace2 backbones and everything that a trial of them may vary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.backbones.registry import BACKBONES
from spaces.baseline import RECIPES as BASELINE_RECIPES

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

FREEZE_BEFORE = {name: list(BACKBONES[name].freeze_choices) for name in ("resnet50", "senet50")}

RECIPES = {name: {**recipe, "label_smoothing": 0.0} for name, recipe in BASELINE_RECIPES.items()}


def ferplus(hp: HyperParameters) -> None:
    """Declare the full space over ResNet50 and SENet50.

    Example:
        >>> hp = keras_tuner.HyperParameters()
        >>> ferplus(hp)
        >>> hp.get("backbone"), hp.get("lr_policy")
        ('resnet50', 'plateau')
    """
    hp.Choice("backbone", ["resnet50", "senet50"])
    for backbone, choices in FREEZE_BEFORE.items():
        with hp.conditional_scope("backbone", [backbone]):
            hp.Choice(
                f"freeze_before@{backbone}",
                choices,
                default=BASELINE_RECIPES[f"baseline-{backbone}"]["freeze_before"],
            )
    hp.Float("dropout", 0.0, 0.7, default=0.3)
    hp.Choice("optimizer", ["adam", "adamw", "sgd"])
    hp.Float("learning_rate", 1e-5, 1e-1, sampling="log", default=1e-3)
    with hp.conditional_scope("optimizer", ["adam", "adamw"]):
        hp.Choice("beta_1", [0.5, 0.9], default=0.5)
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Choice("momentum", [0.8, 0.9, 0.95], default=0.9)
    with hp.conditional_scope("optimizer", ["adamw", "sgd"]):
        hp.Choice("weight_decay", [0.0, 1e-5, 1e-4, 1e-3, 1e-2])
    hp.Choice("batch_size", [16, 32, 64, 128], default=64)
    hp.Choice("lr_policy", ["plateau", "step", "cosine", "exponential", "one_cycle", "constant"])
    with hp.conditional_scope("lr_policy", ["plateau"]):
        hp.Choice("plateau_factor", [0.2, 0.5], default=0.5)
        hp.Int("plateau_patience", 1, 5, default=3)
    with hp.conditional_scope("lr_policy", ["step"]):
        hp.Choice("step_factor", [0.1, 0.3, 0.5])
        hp.Choice("step_fraction", [0.1, 0.2, 0.3, 0.5], default=0.2)
    with hp.conditional_scope("lr_policy", ["cosine"]):
        hp.Choice("warmup_fraction", [0.0, 0.02, 0.05, 0.1], default=0.02)
    with hp.conditional_scope("lr_policy", ["exponential"]):
        hp.Float("decay_to", 1e-4, 0.5, sampling="log", default=0.05)
    with hp.conditional_scope("lr_policy", ["one_cycle"]):
        hp.Float("peak_fraction", 0.1, 0.5, default=0.3)
    hp.Choice("class_weights", ["baseline", "none", "balanced", "sqrt_balanced", "effective_number"])
    hp.Choice("target", ["majority", "soft"])
    hp.Choice("label_smoothing", [0.0, 0.05, 0.1])
    hp.Choice("augmentation", ["none", "light", "baseline", "strong"], default="baseline")
