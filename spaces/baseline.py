"""Around the two recipes of the baseline repository, whose published figures a search of this space can be compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.backbones.registry import BACKBONES

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

# The baseline's README: Adam with beta_1 0.5, learning rate 0.001, plateau, batch 64, dropout 0.3; the weights of its
# classes; ResNet50 frozen before layer -51 (88.0 % validation, 86.5 % test), SENet50 before -39 (87.3 / 85.8).
_COMMON = {
    "dropout": 0.3,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "beta_1": 0.5,
    "batch_size": 64,
    "lr_policy": "plateau",
    "plateau_factor": 0.5,
    "plateau_patience": 3,
    "class_weights": "baseline",
    "target": "majority",
    "augmentation": "baseline",
}
RECIPES = {
    "baseline-resnet50": {"backbone": "resnet50", "freeze_before": -51, **_COMMON},
    "baseline-senet50": {"backbone": "senet50", "freeze_before": -39, **_COMMON},
}

# From the last blocks of stage 4 on: the freeze indices around the baseline's, from deeper to shallower training.
FREEZE_BEFORE = {
    name: [index for index in BACKBONES[name].freeze_choices if deepest <= index < 0]
    for name, deepest in {"resnet50": -77, "senet50": -92}.items()
}


def baseline(hp: HyperParameters) -> None:
    """Declare the neighbourhood of the baseline's two recipes."""
    hp.Choice("backbone", ["resnet50", "senet50"])
    for backbone, choices in FREEZE_BEFORE.items():
        with hp.conditional_scope("backbone", [backbone]):
            hp.Choice(
                f"freeze_before@{backbone}", choices, default=RECIPES[f"baseline-{backbone}"]["freeze_before"]
            )
    hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], default=0.3)
    hp.Choice("optimizer", ["adam"])
    hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)
    hp.Choice("beta_1", [0.5, 0.9], default=0.5)
    hp.Choice("batch_size", [32, 64, 128], default=64)
    hp.Choice("lr_policy", ["plateau", "step"])
    with hp.conditional_scope("lr_policy", ["plateau"]):
        hp.Choice("plateau_factor", [0.2, 0.5], default=0.5)
        hp.Int("plateau_patience", 2, 5, default=3)
    with hp.conditional_scope("lr_policy", ["step"]):
        hp.Choice("step_factor", [0.1, 0.3], default=0.1)
        hp.Choice("step_fraction", [0.1, 0.2, 0.3, 0.4], default=0.2)
    hp.Choice("class_weights", ["baseline", "none", "sqrt_balanced"])
    hp.Choice("target", ["majority", "soft"])
    hp.Choice("augmentation", ["baseline", "light"])
