"""Ways of telling a task: the same curves behind search spaces of the kinds that ours are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.simulator.tasks import Range, Task

_COPIED = 3
"""Hyperparameters of which each optimizer has a copy of its own."""
_VALUES = 5
_IDLE = 8


@dataclass(frozen=True)
class Told:
    """A task as a search space.

    Args:
        task: The task.
        declare: Declares its hyperparameters on a `keras_tuner.HyperParameters`.
        configuration: The values of a trial -> a row of what `task.curves` takes.
    """

    task: Task
    declare: Callable[[Any], None]
    configuration: Callable[[Mapping[str, Any]], Any]

    def curve(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the scores after each epoch of a full training with `values`, (epochs,)."""
        return self.task.curves([self.configuration(values)])[0]


def _row(task: Task, values: Mapping[str, Any]) -> Any:
    if not task.ranges:
        return values
    plain = {name.partition("@")[0]: value for name, value in values.items()}
    return [plain[one.name] for one in task.ranges]


def _number(hp: Any, one: Range, *, mark: str = "", low: float = 0.0, high: float = 1.0) -> None:
    """Declare `one`, or the part of its range from `low` to `high` of its scale."""
    ends = one.value(np.array([low, high]))
    sampling = "log" if one.log else "linear"
    if one.integer:
        hp.Int(one.name + mark, int(ends[0]), int(ends[1]), sampling=sampling)
    else:
        hp.Float(one.name + mark, float(ends[0]), float(ends[1]), sampling=sampling)


def _plain(task: Task, hp: Any) -> None:
    if task.declare is not None:
        task.declare(hp)
    for one in task.ranges:
        _number(hp, one)


def _conditional(task: Task, hp: Any) -> None:
    if task.declare is not None:  # a space of ours has its own conditions
        return task.declare(hp)
    hp.Choice("optimizer", ["first", "second"])
    for optimizer, (low, high) in {"first": (0.0, 0.5), "second": (0.5, 1.0)}.items():
        with hp.conditional_scope("optimizer", [optimizer]):
            _number(hp, task.ranges[0], mark=f"@{optimizer}", low=low, high=high)
            for one in task.ranges[1:_COPIED]:
                _number(hp, one, mark=f"@{optimizer}")
    for one in task.ranges[_COPIED:]:
        _number(hp, one)


def _choices(task: Task, hp: Any) -> None:
    if task.declare is not None:  # nor is there a curve between the values that were recorded
        return task.declare(hp)
    for one in task.ranges:
        values = sorted(set(one.value(np.linspace(0, 1, _VALUES)).tolist()))
        hp.Choice(one.name, [int(v) for v in values] if one.integer else values, ordered=True)


def _idle(task: Task, hp: Any) -> None:
    _plain(task, hp)
    for number in range(1, _IDLE + 1):
        hp.Float(f"idle_{number}", 0.0, 1.0)


TELLINGS: dict[str, Callable[[Task, Any], None]] = {
    "plain": _plain,
    "conditional": _conditional,
    "choices": _choices,
    "idle": _idle,
}
"""Name -> declares a task: as it is; with an optimizer of two values, each with marked copies of three hyperparameters and half
of the first one's range; as ordered choices of five values; with eight more hyperparameters that do nothing."""


def tell(task: Task, telling: str) -> Told:
    """Return `task` told as `telling`, a name in TELLINGS."""
    return Told(task, lambda hp: TELLINGS[telling](task, hp), lambda values: _row(task, values))
