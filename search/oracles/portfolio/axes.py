"""Hyperparameters as axes of the cube: where their values are, and which share a coordinate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search.oracles.space.hyperparameters import Hyperparameter


@dataclass(frozen=True)
class Axis:
    """A hyperparameter on its coordinate.

    Args:
        name: Of the hyperparameter.
        coordinate: Index of its coordinate, which others may share.
        distribution: What it is drawn from.
        points: Positions of its values where they can be counted, None of a number.
        low, high: Ends of its range, positions on the coordinate.
        start, span: Of the whole coordinate, in the number or its logarithm.
        categories: How many the coordinate has; 0: it has an order.
        conditions: (name, positions): of other hyperparameters, each of which has to be at one of these.
        possible: Whether it is ever active.
    """

    name: str
    coordinate: int
    distribution: BaseDistribution
    points: np.ndarray | None = None
    low: float = 0.0
    high: float = 1.0
    start: float = 0.0
    span: float = 1.0
    categories: int = 0
    conditions: tuple[tuple[str, np.ndarray], ...] = ()
    possible: bool = True

    def spread(self, units: np.ndarray) -> np.ndarray:
        """Return positions of values for `units`, uniform from 0 to 1, so that all are equally likely on the scale."""
        if self.points is not None:
            return self.points[np.minimum((units * len(self.points)).astype(int), len(self.points) - 1)]
        low, high = self.low, self.high
        if isinstance(self.distribution, IntDistribution) or _step(self.distribution):
            # Each end stands for half a step beyond it as well, or it would have half of the others' chance.
            half = (_step(self.distribution) or 1) / 2
            ends = np.array([self.distribution.low - half, self.distribution.high + half])  # type: ignore[attr-defined]
            low, high = self._positions(np.maximum(ends, half if _is_log(self.distribution) else -np.inf))
            return self._positions(self._rounded(low + units * (high - low)))
        return low + units * (high - low)

    def nearest(self, positions: np.ndarray) -> np.ndarray:
        """Return the position of the nearest value to each of `positions`."""
        if self.points is not None:
            return self.points[np.abs(positions[:, None] - self.points).argmin(1)]
        inside = np.clip(positions, self.low, self.high)
        if isinstance(self.distribution, IntDistribution) or _step(self.distribution):
            return self._positions(self._rounded(inside))
        return inside

    def positions(self, drawn: Sequence[Any]) -> np.ndarray:
        """Return where values that were drawn are, (n,); outside of the range, its nearer end."""
        if self.points is not None:
            index = {value: number for number, value in enumerate(_values(self.distribution))}
            return self.points[[index.get(value, 0) for value in drawn]]
        return np.clip(self._positions(np.array(drawn, float)), self.low, self.high)

    def value(self, position: float) -> Any:
        """Return the value at a position."""
        if self.points is not None:
            return _values(self.distribution)[int(np.abs(self.points - position).argmin())]
        number = float(self._rounded(np.array([position]))[0])
        return int(number) if isinstance(self.distribution, IntDistribution) else number

    def _positions(self, numbers: np.ndarray) -> np.ndarray:
        scaled = np.log(np.maximum(numbers, 1e-300)) if _is_log(self.distribution) else numbers
        return (scaled - self.start) / self.span

    def _rounded(self, positions: np.ndarray) -> np.ndarray:
        low, high = float(self.distribution.low), float(self.distribution.high)  # type: ignore[attr-defined]
        numbers = self.start + positions * self.span
        numbers = np.exp(numbers) if _is_log(self.distribution) else numbers
        step = _step(self.distribution)
        if step:
            numbers = low + np.rint((numbers - low) / step) * step
        elif isinstance(self.distribution, IntDistribution):
            numbers = np.rint(numbers)
        return np.clip(numbers, low, high)


def axes_of(space: Sequence[Hyperparameter]) -> list[Axis]:
    """Return the axes of a declared space. Hyperparameters of one recipe's field and kind share a coordinate; one with a single
    value has none."""
    free = [one for one in space if not one.sampled().single()]
    fields: dict[tuple[str, str], list[Hyperparameter]] = {}
    for one in free:
        fields.setdefault((one.field, _family(one)), []).append(one)
    axes: dict[str, Axis] = {}
    for coordinate, ((_, family), members) in enumerate(fields.items()):
        for axis in _together(members, coordinate, family):
            axes[axis.name] = axis
    constants = {one.name: one.to_value(_only(one.sampled())) for one in space if one.sampled().single()}
    described = {one.name: one for one in free}
    return [_conditioned(one, axes[one.name], described, axes, constants) for one in free]


def axes_of_distributions(distributions: Mapping[str, BaseDistribution]) -> list[Axis]:
    """Return an axis for each parameter that has more than one value. A category whose choices are numbers has their order."""
    axes: list[Axis] = []
    for name, drawn_from in distributions.items():
        if drawn_from.single():
            continue
        coordinate = len(axes)
        if not isinstance(drawn_from, CategoricalDistribution):
            start, end = _ends(drawn_from)
            axes.append(Axis(name, coordinate, drawn_from, start=start, span=end - start))
        elif all(isinstance(c, int | float) and not isinstance(c, bool) for c in drawn_from.choices):
            points = _ranks(drawn_from.choices, sorted(set(drawn_from.choices), key=float))
            axes.append(Axis(name, coordinate, drawn_from, points))
        else:
            count = len(drawn_from.choices)
            axes.append(Axis(name, coordinate, drawn_from, np.arange(count, dtype=float), categories=count))
    return axes


def _together(members: Sequence[Hyperparameter], coordinate: int, family: str) -> list[Axis]:
    """The axes of hyperparameters that share a coordinate."""
    sampled = {one.name: one.sampled() for one in members}
    if family in ("points", "category"):
        values = list(dict.fromkeys(value for one in members for value in one.values or ()))
        if family == "category":
            codes = {value: float(code) for code, value in enumerate(values)}
            points = {one.name: np.array([codes[v] for v in one.values or ()]) for one in members}
            return [Axis(n, coordinate, d, points[n], categories=len(values)) for n, d in sampled.items()]
        if len(members) > 1:
            values.sort()
        return [
            Axis(one.name, coordinate, sampled[one.name], _ranks(one.values or (), values)) for one in members
        ]
    ends = {name: _ends(drawn_from) for name, drawn_from in sampled.items()}
    start, stop = min(low for low, _ in ends.values()), max(high for _, high in ends.values())
    span = stop - start
    return [
        Axis(
            name,
            coordinate,
            drawn_from,
            low=(ends[name][0] - start) / span,
            high=(ends[name][1] - start) / span,
            start=start,
            span=span,
        )
        for name, drawn_from in sampled.items()
    ]


def _conditioned(
    one: Hyperparameter,
    axis: Axis,
    described: Mapping[str, Hyperparameter],
    axes: Mapping[str, Axis],
    constants: Mapping[str, Any],
) -> Axis:
    conditions, possible = [], True
    for name, wanted in one.conditions:
        if name in constants:
            possible &= constants[name] in wanted
        elif name in axes:
            parent = described[name]
            positions = axes[name].positions([parent.to_drawn(value) for value in wanted])
            conditions.append((name, positions))
    return Axis(**{**vars(axis), "conditions": tuple(conditions), "possible": possible})


def _family(one: Hyperparameter) -> str:
    if one.values is not None:
        return "points" if one.ordered else "category"
    return one.scale


def _ranks(values: Sequence[Any], among: Sequence[Any]) -> np.ndarray:
    """Positions of `values` by their rank `among` all of the coordinate."""
    return np.array([among.index(value) / max(len(among) - 1, 1) for value in values])


def _values(drawn_from: BaseDistribution) -> list[Any]:
    """All that can be drawn, where that can be counted."""
    if isinstance(drawn_from, CategoricalDistribution):
        return list(drawn_from.choices)
    assert isinstance(drawn_from, IntDistribution)
    return list(range(drawn_from.low, drawn_from.high + 1, drawn_from.step))


def _only(drawn_from: BaseDistribution) -> Any:
    if isinstance(drawn_from, CategoricalDistribution):
        return drawn_from.choices[0]
    return drawn_from.low  # type: ignore[attr-defined]


def _ends(drawn_from: BaseDistribution) -> tuple[float, float]:
    assert isinstance(drawn_from, FloatDistribution | IntDistribution)
    low, high = float(drawn_from.low), float(drawn_from.high)
    return (math.log(low), math.log(high)) if drawn_from.log else (low, high)


def _is_log(drawn_from: BaseDistribution) -> bool:
    return bool(getattr(drawn_from, "log", False))


def _step(drawn_from: BaseDistribution) -> float | None:
    """The step of a number that has one on its own scale."""
    step = getattr(drawn_from, "step", None)
    return float(step) if step is not None and not _is_log(drawn_from) else None
