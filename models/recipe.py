"""A recipe: every choice that makes one training, checked once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ferplus_data.augment import AUGMENTATIONS
from ferplus_data.errors import InputError
from ferplus_data.labels import TARGETS
from models.networks.backbones import BACKBONES
from models.training.class_weights import CLASS_WEIGHTS
from models.training.lr_policies import LR_POLICIES, policy_parameters
from models.training.optimizers import OPTIMIZERS


@dataclass(frozen=True)
class Recipe:
    """One point of a search space. The defaults are the seed's, on the small backbone.

    Args:
        backbone: Name in `models.networks.backbones.BACKBONES`.
        image_size: Side, in pixels, that the 48x48 face is resized to inside the model; 0: the backbone's own.
        freeze_before: 0 trains all layers; -k freezes every layer before `model.layers[-k]`.
        dropout: Rate before the last Dense layer, 0 to below 1.
        optimizer: Name in `models.training.optimizers.OPTIMIZERS`.
        learning_rate: Initial (or, for warm-up policies, highest) learning rate, above 0.
        beta_1: First-moment decay of Adam and AdamW, 0 to below 1.
        momentum: Of SGD, 0 to below 1.
        weight_decay: Decoupled weight decay, 0 or more.
        lr_policy: Name in `models.training.lr_policies.LR_POLICIES`.
        policy_parameters: The policy's own parameters, where they differ from its defaults.
        class_weights: Name in `models.training.class_weights.CLASS_WEIGHTS`.
        target: Name in `ferplus_data.labels.TARGETS`: what is trained on. Evaluation is always on the majority label.
        label_smoothing: 0 to below 1.
        batch_size: Images per step.
        augmentation: Name in `ferplus_data.augment.AUGMENTATIONS`.
        patience: Epochs without a better validation accuracy after which training stops (the seed: 8).
    """

    backbone: str = "small"
    image_size: int = 0
    freeze_before: int = 0
    dropout: float = 0.3
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    beta_1: float = 0.5
    momentum: float = 0.9
    weight_decay: float = 0.0
    lr_policy: str = "plateau"
    policy_parameters: Mapping[str, float] = field(default_factory=dict)
    class_weights: str = "none"
    target: str = "majority"
    label_smoothing: float = 0.0
    batch_size: int = 64
    augmentation: str = "seed"
    patience: int = 8

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe that the hyperparameters `values` (name -> value, the policy's parameters beside the rest)
        describe, with the defaults for what they leave out. A name may carry a mark that tells it from others like it in the
        space: learning_rate@sgd is learning_rate.

        Raises:
            InputError: An unknown name, a value of the wrong type or out of its range.
        """
        check_names(values)
        values = {base_name(name): value for name, value in values.items()}
        own = {name: value for name, value in values.items() if name in _FIELDS}
        policy = own.get("lr_policy", cls.lr_policy)
        _check_choice("lr_policy", policy, LR_POLICIES)
        mine = {name: value for name, value in values.items() if name in policy_parameters(policy)}
        recipe = cls(
            **{name: _typed(name, value) for name, value in own.items()},
            policy_parameters={name: _number(name, value) for name, value in mine.items()},
        )
        recipe._check()
        return recipe

    def _check(self) -> None:
        for name, table in _TABLES.items():
            _check_choice(name, getattr(self, name), table)
        ranged = {name: (getattr(self, name), _RANGES[name]) for name in _RANGES}
        ranged |= {name: (value, _POLICY_RANGES[name]) for name, value in self.policy_parameters.items()}
        for name, (value, (low, high)) in ranged.items():
            if not low <= value <= high:
                raise InputError(f"hyperparameter {name}: expected {low:g} to {high:g}, found {value:g}")
        BACKBONES[self.backbone].check_image_size(self.resolved_image_size)

    @property
    def resolved_image_size(self) -> int:
        """The side, in pixels, that the network sees."""
        return self.image_size or BACKBONES[self.backbone].default_image_size


_FIELDS = {f.name: f for f in dataclasses.fields(Recipe) if f.name != "policy_parameters"}
_TABLES: dict[str, Mapping[str, Any]] = {
    "backbone": BACKBONES,
    "optimizer": OPTIMIZERS,
    "lr_policy": LR_POLICIES,
    "class_weights": CLASS_WEIGHTS,
    "target": TARGETS,
    "augmentation": AUGMENTATIONS,
}
_BELOW_ONE = 1 - 1e-6
_RANGES: dict[str, tuple[float, float]] = {
    "image_size": (0, 1024),
    "dropout": (0, _BELOW_ONE),
    "learning_rate": (1e-9, 100),
    "beta_1": (0, _BELOW_ONE),
    "momentum": (0, _BELOW_ONE),
    "weight_decay": (0, 10),
    "label_smoothing": (0, _BELOW_ONE),
    "batch_size": (1, 65536),
    "patience": (1, 100_000),
    "freeze_before": (-10_000, 0),
}
_POLICY_RANGES: dict[str, tuple[float, float]] = {
    "plateau_factor": (1e-6, 1),
    "plateau_patience": (0, 1e6),
    "step_factor": (1e-6, 1),
    "step_epochs": (1, 1e6),
    "warmup_epochs": (0, 1e6),
    "decay_rate": (1e-6, 1),
    "peak_fraction": (1e-3, _BELOW_ONE),
}


def hyperparameter_names() -> list[str]:
    """Every name that a space may declare and `--set` may pin."""
    return sorted({*_FIELDS, *(name for policy in LR_POLICIES for name in policy_parameters(policy))})


def base_name(name: str) -> str:
    """Return `name` without its @mark."""
    return name.partition("@")[0]


def check_names(names: Iterable[str]) -> None:
    """Raise InputError for a hyperparameter that no recipe has."""
    known = hyperparameter_names()
    for name in names:
        if base_name(name) not in known:
            raise InputError(f"unknown hyperparameter {name!r}: expected one of {', '.join(known)}")


def check_values(name: str, values: Iterable[Any]) -> None:
    """Raise InputError for an unknown hyperparameter, or for a value of it that no table holds."""
    check_names([name])
    table = _TABLES.get(base_name(name))
    if table is not None:
        for value in values:
            _check_choice(base_name(name), value, table)


def _check_choice(name: str, value: Any, table: Mapping[str, Any]) -> None:
    if value not in table:
        raise InputError(
            f"unknown {name.replace('_', ' ')} {value!r}: expected one of {', '.join(sorted(table))}"
        )


def _typed(name: str, value: Any) -> Any:
    default = _FIELDS[name].default
    if isinstance(default, str):
        return str(value)
    number = _number(name, value)
    if isinstance(default, int):
        if number != int(number):
            raise InputError(f"hyperparameter {name}: expected a whole number, found {value!r}")
        return int(number)
    return number


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"hyperparameter {name}: expected a number, found {value!r}")
    return float(value)
