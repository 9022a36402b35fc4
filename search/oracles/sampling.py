"""How a configuration is drawn: with an Optuna sampler, on a study in memory that shows it what is known. Nothing is written."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras_tuner
import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from search.oracles.history import History
from search.oracles.space.admission import NotAdmitted
from search.oracles.space.drawing import Drawing, describe
from search.oracles.space.hyperparameters import Hyperparameter
from search.oracles.space.search_space import SpaceError
from search.storages.evidence import evidence_of
from search.storages.trial_life import State, state_of

_MOST_REFUSED = 2000
"""Configurations that are not to be tried, after which no other is looked for: a second or two."""
_NOT_STORED = "tpe:"
"""What TPE tells other processes of a trial it has not finished drawing: here they see it when it is whole."""
_SHOWN = {
    State.QUEUED: TrialState.RUNNING,
    State.RELEASED: TrialState.RUNNING,
    State.RESTING: TrialState.PRUNED,
}
"""How a sampler sees what Optuna has waiting."""
Declare = Callable[[keras_tuner.HyperParameters], object]
"""Declares a space on a `HyperParameters`, as `HyperModel.build` does."""


@dataclass
class Draw:
    """A configuration: its values, as the user knows them, with the distributions that they are stored with.

    Args:
        system_attributes: What the sampler has noted of it for itself.
        user_attributes: What it tells of it, such as what suggested it.
        error: Why the space refused it; then the values are those drawn until then.
        refused: Why it is not to be tried.
    """

    values: dict[str, Any] = field(default_factory=dict)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    system_attributes: dict[str, Any] = field(default_factory=dict)
    user_attributes: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    refused: str | None = None


class Sampling:
    """Draws configurations of a space.

    Args:
        make_sampler: Seed -> sampler. One is made for every trial, so what a trial draws depends on the seed, on its number and
            on what is known, and not on how often a process was started again.
        pruner: Optuna's Hyperband divides the trials among brackets, of which a sampler sees one.
        declare: The space.
        space: All that it is known to declare; more may appear.
        seed: Of the search.
        study: Its name and direction are shown to the sampler.
        grid: Whether free numbers take the points of a grid.
    """

    def __init__(
        self,
        make_sampler: Callable[[int], BaseSampler],
        pruner: BasePruner | None,
        declare: Declare,
        space: Sequence[Hyperparameter],
        *,
        seed: int,
        study: optuna.Study,
        grid: bool = False,
    ) -> None:
        self._make, self._pruner, self._declare = make_sampler, pruner, declare
        self._space = {one.name: one for one in space}
        self._seed, self._grid = seed, grid
        self._history = History(study.study_name, study.direction)
        self._shown: dict[int, FrozenTrial] = {}
        self._evidence = evidence_of(study)

    def draw(
        self,
        trials: Sequence[FrozenTrial],
        number: int,
        *,
        repetition: int = 0,
        fixed: Mapping[str, Any] | None = None,
    ) -> Draw:
        """Draw the configuration of a trial with the sampler.

        Args:
            trials: Those known.
            number: Of the trial.
            repetition: How many draws for this trial have been refused.
            fixed: Values that are given.
        """
        sampler = self._make(seed_of(self._seed, number, repetition))
        return self._ask(sampler, trials, number, fixed or {})

    def draw_at_random(self, number: int, repetition: int) -> Draw:
        """Draw the configuration of a trial uniformly."""
        sampler = optuna.samplers.RandomSampler(seed=seed_of(self._seed, number, repetition))
        return self._ask(sampler, [], number, {})

    def _ask(
        self, sampler: BaseSampler, trials: Sequence[FrozenTrial], number: int, fixed: Mapping[str, Any]
    ) -> Draw:
        evidence = [self._show(one) for one in self._evidence]
        self._history.show([*evidence, *self._visible(sampler, trials, number)], number)
        asked = self._study_of(sampler).ask()

        def draw(hp: Any) -> Any:
            one = self._known(hp)
            if hp.name in fixed:
                return one.to_value(one.to_drawn(fixed[hp.name]))
            if one.kind == "fixed":
                return hp.value
            return one.to_value(_suggest(asked, one.name, one.sampled(grid=self._grid)), grid=self._grid)

        drawn = self._declared(draw)
        noted = self._history.get_trial_system_attrs(number)
        drawn.system_attributes = {k: v for k, v in noted.items() if not k.startswith(_NOT_STORED)}
        drawn.user_attributes = dict(self._history.get_trial(number).user_attrs)
        return drawn

    def untried(self, tried: Container[Any], number: int) -> Draw | None:
        """Return a configuration whose `key` is not in `tried`, found by going through the space in an order drawn for trial
        `number`; None if there is none, or if too many are not to be tried. It visits no more of the space than has been tried,
        than is not to be, and one."""
        order = random.Random(seed_of(self._seed, number, 0))
        path: list[list[Any]] = []
        refused = 0
        while True:
            depth = 0

            def draw(hp: Any) -> Any:
                nonlocal depth
                one = self._known(hp)
                if one.kind == "fixed":
                    return hp.value
                if depth == len(path):
                    options = one.finite(grid=self._grid) or [order.random()]
                    path.append(order.sample(options, len(options)))
                depth += 1
                chosen = path[depth - 1][-1]
                free = one.finite(grid=self._grid) is None
                return one.at(chosen) if free else one.to_value(chosen, grid=self._grid)

            drawn = self._declared(draw)
            if drawn.error is None and drawn.refused is None and key(drawn.values) not in tried:
                return drawn
            refused += drawn.refused is not None
            if refused > _MOST_REFUSED:
                return None
            while path and len(path[-1]) == 1:
                path.pop()
            if not path:
                return None
            path[-1].pop()

    def learn(
        self, number: int, read: Callable[[int], FrozenTrial], state: TrialState, value: float | None
    ) -> dict[str, Any]:
        """Tell the sampler how the running trial `number` ends; return what it has noted of it, as system attributes. Read is the
        trial only for a sampler that learns from it."""
        sampler = self._make(seed_of(self._seed, number, 0))
        if not state.is_finished() or type(sampler).after_trial is BaseSampler.after_trial:
            return {}
        trial = read(number)
        self._history.show([*self._history.others(trial.number), self._show(trial)], trial.number)
        before = set(trial.system_attrs)
        # At its last point a grid asks the study to stop, which only `Study.optimize` can; the oracle sees the end by itself.
        with contextlib.suppress(RuntimeError):
            # The value of a trial that was stopped is its last intermediate one, which Optuna finds itself.
            told = value if state == TrialState.COMPLETE else None
            self._study_of(sampler).tell(trial.number, told, state=state)
        noted = self._history.get_trial_system_attrs(trial.number)
        return {k: v for k, v in noted.items() if k not in before and not k.startswith(_NOT_STORED)}

    def nearest(self, hyperparameters: keras_tuner.HyperParameters, values: Mapping[str, Any]) -> Draw:
        """Return `values` as a configuration, each the nearest that can be drawn."""
        drawn = Draw()
        for hp in hyperparameters.space:
            one = self._known(hp)
            if hp.name in values and one.is_active(values):
                value = values[hp.name]
                if one.kind != "fixed":
                    value = one.to_value(one.to_drawn(value, grid=self._grid), grid=self._grid)
                drawn.values[one.name], drawn.distributions[one.name] = value, one.distribution()
        return drawn

    def _declared(self, draw: Callable[[Any], Any]) -> Draw:
        hp, drawn = Drawing(draw), Draw()
        try:
            self._declare(hp)
        except SpaceError as error:
            drawn.error = str(error)
        except NotAdmitted as refused:
            drawn.refused = str(refused)
        drawn.values = dict(hp.drawn)
        drawn.distributions = {name: self._space[name].distribution() for name in drawn.values}
        return drawn

    def _known(self, hp: Any) -> Hyperparameter:
        if hp.name not in self._space:
            self._space[hp.name] = describe(hp)
            self._shown = {}  # as something else than it is
        return self._space[hp.name]

    def _study_of(self, sampler: BaseSampler) -> optuna.Study:
        return optuna.load_study(
            study_name=self._history.name, storage=self._history, sampler=sampler, pruner=self._pruner
        )

    def _visible(self, sampler: BaseSampler, trials: Sequence[FrozenTrial], number: int) -> list[FrozenTrial]:
        choose = getattr(sampler, "visible", lambda all_trials: all_trials)
        return [self._show(trial) for trial in choose(trials) if trial.number != number]

    def _show(self, trial: FrozenTrial) -> FrozenTrial:
        """The trial as a sampler sees it: what was drawn, not the values, and one that rests as one that was stopped."""
        if trial.number in self._shown:
            return self._shown[trial.number]
        state = state_of(trial)
        params, distributions = {}, {}
        for name, value in trial.params.items():
            one = self._space.get(name)
            if one is None:
                params[name], distributions[name] = value, trial.distributions[name]
            elif one.kind != "fixed":
                params[name] = one.to_drawn(value, grid=self._grid)
                distributions[name] = one.sampled(grid=self._grid)
        value = trial.intermediate_values[trial.last_step or 0] if state == State.RESTING else trial.value
        shown = FrozenTrial(
            number=trial.number,
            trial_id=trial.number,
            state=_SHOWN.get(state, trial.state),
            value=value,
            datetime_start=trial.datetime_start,
            datetime_complete=trial.datetime_complete,
            params=params,
            distributions=distributions,
            user_attrs=trial.user_attrs,
            system_attrs=dict(trial.system_attrs),
            intermediate_values=trial.intermediate_values,
        )
        if state.ended:
            self._shown[trial.number] = shown
        return shown


def register(hp: Any, known: keras_tuner.HyperParameters) -> None:
    """Declare on `hp` all that is declared on `known`."""
    for one in known.space:
        hp.register(one)


def key(values: Mapping[str, Any]) -> frozenset[tuple[str, Any]]:
    """What two configurations that are the same have in common."""
    return frozenset(values.items())


def seed_of(seed: int, number: int, repetition: int) -> int:
    """The random seed, below 2^32, of a draw: mixed, so that neighbours have nothing in common."""
    return int(np.random.SeedSequence([seed, number, repetition]).generate_state(1)[0])


def _suggest(trial: optuna.Trial, name: str, drawn_from: BaseDistribution) -> Any:
    if isinstance(drawn_from, CategoricalDistribution):
        return trial.suggest_categorical(name, drawn_from.choices)
    if isinstance(drawn_from, IntDistribution):
        return trial.suggest_int(
            name, drawn_from.low, drawn_from.high, step=drawn_from.step, log=drawn_from.log
        )
    assert isinstance(drawn_from, FloatDistribution)
    return trial.suggest_float(
        name, drawn_from.low, drawn_from.high, step=drawn_from.step, log=drawn_from.log
    )
