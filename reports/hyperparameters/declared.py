"""What may vary in a study: kind, scale, choices and conditions of each hyperparameter, as its space declares them.

config.json's "space" is the declaration, in the form of this version or of the one before (Keras Tuner's). Only a name that is
not declared there, such as one of a study without a space, is described by the values that its trials have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from search.study.view import TrialRecord

_KINDS = {"float": "real", "int": "integer", "boolean": "categorical"}
"""Of declarations that leave no doubt."""
DISCRETE = 8
"""Values up to which whole numbers, and numbers that nothing declares, are ordered choices, evenly spaced."""


@dataclass(frozen=True)
class ObservedHyperparameter:
    """One hyperparameter over a set of trials: what is declared of it, and the values that they have.

    Attributes:
        name: the user's name for it.
        kind: "real", "integer" or "categorical".
        log: whether it is searched on a log scale.
        choices: the distinct values that trials have: numbers ascending, others in the order of their declaration or of
            their appearance, as text.
        discrete: whether it is a number whose values stand evenly spaced: 0, 1e-4, 1e-3.
        low, high: of a number, the range that is searched.
        conditions: others' names with the values that each must have for this one to be active.
        absent: whether some trials do not have it.
    """

    name: str
    kind: str
    log: bool
    choices: tuple[Any, ...]
    discrete: bool
    low: float = 0.0
    high: float = 0.0
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    absent: bool = False

    @property
    def stepped(self) -> bool:
        """Whether its values stand evenly spaced: names and discrete numbers."""
        return self.discrete or self.kind == "categorical"


def shown(value: Any) -> str:
    """A hyperparameter's value as text: reals to 4 significant digits, None as "none"."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def hyperparameters(trials: Sequence[TrialRecord], space: Any = None) -> list[ObservedHyperparameter]:
    """Every hyperparameter that occurs in `trials`, in order of first appearance, by config.json's `space` where it declares
    it."""
    declared = {one["name"]: one for one in declarations(space)}
    found: dict[str, list[Any]] = {}
    for trial in trials:
        for name, value in trial.hyperparameters.items():
            found.setdefault(name, []).append(value)
    return [
        _describe(name, values, len(values) < len(trials), declared.get(name))
        for name, values in found.items()
    ]


def varied(trials: Sequence[TrialRecord], space: Any = None) -> list[ObservedHyperparameter]:
    """Those of `hyperparameters` that took more than one value."""
    return [parameter for parameter in hyperparameters(trials, space) if len(parameter.choices) > 1]


def declarations(space: Any) -> list[Mapping[str, Any]]:
    """The declared hyperparameters of config.json's "space": name, kind, values, ordered, low, high, scale and conditions of
    each; empty where there is none."""
    if isinstance(space, Mapping):  # Keras Tuner's: {"space": [...], "values": ...}
        space = space.get("space")
    if not isinstance(space, Sequence) or isinstance(space, str):
        return []
    return [_of_keras_tuner(one) if "class_name" in one else one for one in space]


def _of_keras_tuner(one: Mapping[str, Any]) -> Mapping[str, Any]:
    config = one["config"]
    return {
        "name": config["name"],
        "kind": one["class_name"].lower(),
        "values": config.get("values"),
        "ordered": config.get("ordered", False),
        "low": config.get("min_value"),
        "high": config.get("max_value"),
        "scale": config.get("sampling") or "linear",
        "conditions": [[c["config"]["name"], c["config"]["values"]] for c in config.get("conditions") or []],
    }


def _describe(
    name: str, values: Sequence[Any], absent: bool, declared: Mapping[str, Any] | None
) -> ObservedHyperparameter:
    kind = _kind(values, declared)
    conditions = tuple((of, tuple(wanted)) for of, wanted in (declared or {}).get("conditions") or ())
    if kind == "categorical":
        order = [shown(value) for value in (declared or {}).get("values") or ()]
        seen = dict.fromkeys(shown(value) for value in values)
        texts = [text for text in order if text in seen] + [text for text in seen if text not in order]
        return ObservedHyperparameter(
            name, kind, False, tuple(texts), False, conditions=conditions, absent=absent
        )
    choices = tuple(sorted(set(values)))
    low, high = choices[0], choices[-1]
    discrete, log = len(choices) <= DISCRETE, False
    if declared is not None and declared.get("values") is None and declared.get("low") is not None:
        low, high = min(low, declared["low"]), max(high, declared["high"])
        discrete = kind == "integer" and high - low < DISCRETE
        log = declared.get("scale") == "log" and low > 0
    elif declared is not None:
        discrete = True
    return ObservedHyperparameter(name, kind, log, choices, discrete, low, high, conditions, absent)


def _kind(values: Sequence[Any], declared: Mapping[str, Any] | None) -> str:
    declared = declared or {}
    if declared.get("kind") in _KINDS:
        return _KINDS[declared["kind"]]
    if declared.get("kind") == "choice" and declared.get("ordered") is False:
        return "categorical"
    possible = declared.get("values") or values
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in possible):
        return "categorical"
    return "real" if any(isinstance(value, float) for value in possible) else "integer"
