"""A recipe: every choice that makes one training, checked once."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ferplus_data.augment import AUGMENTATIONS
from ferplus_data.errors import InputError
from ferplus_data.labels import TARGETS
from models.backbones.registry import BACKBONES
from models.hyperparameters import (
    ALIASES,
    Acts,
    Parameter,
    Range,
    base_name,
    canonical,
    hyperparameter,
    own_parameters,
)
from models.optimization.class_weights import CLASS_WEIGHTS
from models.optimization.lr_policies import LR_POLICIES
from models.optimization.optimizers import OPTIMIZERS

_SHARE = Range(0, 1 - 1e-6)


@dataclass(frozen=True)
class Recipe:
    """One point of a search space. The defaults are the baseline's, on the small backbone.

    Args:
        backbone: Name in `models.backbones.registry.BACKBONES`.
        image_size: Side, in pixels, that the 48x48 face is resized to inside the model; 0: the backbone's own.
        freeze_before: 0 trains all layers; -k freezes every layer before `model.layers[-k]`.
        dropout: Rate before the last Dense layer, 0 to below 1.
        optimizer: Name in `models.optimization.optimizers.OPTIMIZERS`.
        optimizer_parameters: The optimizer's own parameters, where they differ from its defaults.
        learning_rate: Initial (or, for warm-up policies, highest) learning rate, above 0.
        beta_1: First-moment decay of Adam and AdamW, 0 to below 1.
        momentum: Of SGD, 0 to below 1.
        weight_decay: Decoupled weight decay of AdamW and SGD, 0 or more. Adam has none.
        lr_policy: Name in `models.optimization.lr_policies.LR_POLICIES`.
        policy_parameters: The policy's own parameters, where they differ from its defaults.
        class_weights: Name in `models.optimization.class_weights.CLASS_WEIGHTS`.
        weighting_parameters: The class weighting's own parameters, where they differ from its defaults.
        target: Name in `ferplus_data.labels.TARGETS`: what is trained on. Evaluation is always on the majority label.
        label_smoothing: 0 to below 1.
        batch_size: Images per step.
        augmentation: Name in `ferplus_data.augment.AUGMENTATIONS`.
        ema_fraction: Part of the training over which the weights are averaged (exponential moving average, EMA); what an
            epoch is measured by, and what is kept of it, are the averages. 0: the weights themselves.
        patience: Epochs without a better value of the objective after which training stops (the baseline: 8).

    Example:
        >>> recipe = Recipe.from_hyperparameters({"backbone": "small", "lr_policy": "cosine", "warmup_fraction": 0.1})
        >>> recipe.policy_parameters, recipe.resolved_image_size
        ({'warmup_fraction': 0.1}, 48)
    """

    backbone: str = hyperparameter("small", Acts.GRAPH, table=BACKBONES)
    image_size: int = hyperparameter(0, Acts.GRAPH, range=Range(0, 1024))
    freeze_before: int = hyperparameter(0, Acts.TRACE, range=Range(-10_000, 0))
    dropout: float = hyperparameter(0.3, Acts.STEP, range=_SHARE)
    optimizer: str = hyperparameter("adam", Acts.TRACE, table=OPTIMIZERS)
    optimizer_parameters: Mapping[str, float] = hyperparameter({}, Acts.TRACE, parameters_of="optimizer")
    learning_rate: float = hyperparameter(1e-3, Acts.STEP, range=Range(1e-9, 100))
    beta_1: float = hyperparameter(0.5, Acts.TRACE, range=_SHARE)
    momentum: float = hyperparameter(0.9, Acts.TRACE, range=_SHARE)
    weight_decay: float = hyperparameter(0.0, Acts.TRACE, range=Range(0, 10))
    lr_policy: str = hyperparameter("plateau", Acts.STEP, table=LR_POLICIES)
    policy_parameters: Mapping[str, float] = hyperparameter({}, Acts.STEP, parameters_of="lr_policy")
    class_weights: str = hyperparameter("none", Acts.STEP, table=CLASS_WEIGHTS)
    weighting_parameters: Mapping[str, float] = hyperparameter({}, Acts.STEP, parameters_of="class_weights")
    target: str = hyperparameter("majority", Acts.STEP, table=TARGETS)
    label_smoothing: float = hyperparameter(0.0, Acts.STEP, range=_SHARE)
    batch_size: int = hyperparameter(64, Acts.STEP, range=Range(1, 65536))
    augmentation: str = hyperparameter("baseline", Acts.DATA, table=AUGMENTATIONS)
    ema_fraction: float = hyperparameter(0.0, Acts.TRACE, range=Range(0, 0.5))
    patience: int = hyperparameter(8, Acts.STEP, range=Range(1, 100_000))

    def __post_init__(self) -> None:
        for name in ALIASES:
            object.__setattr__(self, name, canonical(name, getattr(self, name)))

    @classmethod
    def from_hyperparameters(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe that the hyperparameters `values` (name -> value, own parameters of policy, optimizer and weighting
        beside the rest) describe, with the defaults for what they leave out. A name may carry a mark that tells it from others
        like it in the space: `learning_rate@sgd` is `learning_rate`.

        Raises:
            InputError: An unknown name, a value of the wrong type or out of its range.
        """
        check_names(values, cls)
        values = {base_name(name): canonical(name, value) for name, value in values.items()}
        chosen: dict[str, Any] = {}
        for name, field in _fields(cls).items():
            if name in values:
                chosen[name] = _checked(name, values[name], field.default, field.metadata)
        for name, owner in _parameter_fields(cls).items():
            function = _table(cls, owner)[chosen.get(owner, _fields(cls)[owner].default)]
            chosen[name] = {
                own: _checked(own, values[own], parameter.default, {"range": parameter.range})
                for own, parameter in own_parameters(function).items()
                if own in values
            }
        recipe = cls(**chosen)
        BACKBONES[recipe.backbone].check_image_size(recipe.resolved_image_size)
        return recipe

    def key(self, *, harmless: Collection[Acts] = ()) -> dict[str, Any]:
        """Return the plain values, by name, of every field but those declared to act where it is `harmless`: what something made
        for this recipe is kept and looked up by. A field that is not declared to act anywhere is in every key."""
        harmless_names = {f.name for f in dataclasses.fields(self) if f.metadata.get("acts") in harmless}
        values = {**dataclasses.asdict(self), "image_size": self.resolved_image_size}
        return {name: value for name, value in values.items() if name not in harmless_names}

    @property
    def resolved_image_size(self) -> int:
        """The side, in pixels, that the network sees."""
        return self.image_size or BACKBONES[self.backbone].default_image_size


def hyperparameter_names(recipe: type[Recipe] = Recipe) -> list[str]:
    """Every name that a space may declare and `--set` may pin."""
    return sorted({*_fields(recipe), *all_own_parameters(recipe)})


def all_own_parameters(recipe: type[Recipe] = Recipe) -> dict[str, Parameter]:
    """The own parameters of every function in the tables of `recipe`: name -> default and range."""
    return {
        name: parameter
        for owner in _parameter_fields(recipe).values()
        for function in _table(recipe, owner).values()
        for name, parameter in own_parameters(function).items()
    }


def meaning_of(name: str) -> str:
    """Return what the hyperparameter `name` is declared to mean, in the docstring of `Recipe` or beside its range; "" where it is
    no recipe's."""
    name = base_name(name)
    if name not in _fields(Recipe):
        own = all_own_parameters()
        return own[name].range.meaning if name in own else ""
    told = re.search(rf"^ {{8}}{name}: (.+(?:\n {{12}}.+)*)", Recipe.__doc__ or "", re.MULTILINE)
    return " ".join(told[1].split()).replace("`", "") if told else ""


def acts_on(name: str) -> str:
    """Return where the hyperparameter `name` acts, as `models.hyperparameters.Acts` has it; "" for one that no recipe has."""
    name = base_name(name)
    for field in dataclasses.fields(Recipe):
        owner = field.metadata.get("parameters_of")
        own = () if owner is None else [p for f in _table(Recipe, owner).values() for p in own_parameters(f)]
        if field.name == name or name in own:
            return field.metadata["acts"].value
    return ""


def check_names(names: Iterable[str], recipe: type[Recipe] = Recipe) -> None:
    """Raise InputError for a hyperparameter that `recipe` has not."""
    known = hyperparameter_names(recipe)
    for name in names:
        if base_name(name) not in known:
            raise InputError(f"unknown hyperparameter {name!r}: expected one of {', '.join(known)}")


def check_values(name: str, values: Iterable[Any]) -> None:
    """Raise InputError for an unknown hyperparameter, or for a value that it cannot have in any recipe."""
    check_names([name])
    own, fields = base_name(name), _fields(Recipe)
    declared: Mapping[str, Any] = (
        fields[own].metadata if own in fields else {"range": all_own_parameters()[own].range}
    )
    for value in values:
        _checked(own, canonical(own, value), default_of(own), declared)


def default_of(name: str) -> Any:
    """Return the value that a recipe has of the hyperparameter `name` where it is not given one."""
    fields = _fields(Recipe)
    return fields[name].default if name in fields else all_own_parameters()[name].default


def _fields(recipe: type[Recipe]) -> dict[str, dataclasses.Field[Any]]:
    """The fields that are hyperparameters themselves."""
    return {f.name: f for f in dataclasses.fields(recipe) if f.metadata.get("parameters_of") is None}


def _parameter_fields(recipe: type[Recipe]) -> dict[str, str]:
    """The fields that hold own parameters -> the field that names whose."""
    return {
        f.name: f.metadata["parameters_of"]
        for f in dataclasses.fields(recipe)
        if f.metadata.get("parameters_of") is not None
    }


def _table(recipe: type[Recipe], name: str) -> Mapping[str, Callable[..., Any]]:
    return _fields(recipe)[name].metadata["table"]


def _checked(name: str, value: Any, default: Any, declared: Mapping[str, Any]) -> Any:
    """Return `value` in the type of `default`; raise InputError unless it is of that type and as `declared`."""
    table = declared.get("table")
    if table is not None:
        _check_choice(name, value, table)
        return value
    if isinstance(default, str):
        return str(value)
    number = _number(name, value)
    if isinstance(default, int) and number != int(number):
        raise InputError(f"hyperparameter {name}: expected a whole number, found {value!r}")
    if declared.get("range") is not None:
        declared["range"].check(name, number)
    return int(number) if isinstance(default, int) else number


def _check_choice(name: str, value: Any, table: Mapping[str, Any]) -> None:
    if value not in table:
        raise InputError(
            f"unknown {name.replace('_', ' ')} {value!r}: expected one of {', '.join(sorted(table))}"
        )


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"hyperparameter {name}: expected a number, found {value!r}")
    return float(value)
