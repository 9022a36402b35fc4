"""The portfolio sampler: Optuna's conformance cases, the cube of a conditional space, the models against known answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    RelativeSamplerTestCase,
    SingleOnlySamplerTestCase,
)
from optuna.trial import TrialState
from scipy.optimize import check_grad
from scipy.stats import multivariate_normal

from benchmarks.simulator.methods import method
from benchmarks.simulator.study import run_study
from benchmarks.simulator.tasks import Range, Task
from benchmarks.simulator.tellings import tell
from search.oracles.portfolio import density, gaussian_process, sources
from search.oracles.portfolio.improvement import Improvement
from search.oracles.portfolio.observations import Observation, observe
from search.oracles.portfolio.sampler import PortfolioSampler
from search.oracles.portfolio.unit_cube import UnitCube
from search.oracles.space.hyperparameters import Hyperparameter

RUNGS = [1, 3, 9, 26]


class TestConformance(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: PortfolioSampler(seed=0, startup=1)


def number(name: str, low: float, high: float, scale: str = "linear", when: tuple = ()) -> Hyperparameter:
    return Hyperparameter(name, "float", low=low, high=high, scale=scale, conditions=when)


def choice(name: str, values: tuple, *, ordered: bool, when: tuple = ()) -> Hyperparameter:
    return Hyperparameter(name, "choice", values=values, ordered=ordered, conditions=when)


SPACE = [
    choice("optimizer", ("adamw", "sgd"), ordered=False),
    number("learning_rate@adamw", 1e-4, 1e-2, "log", when=(("optimizer", ("adamw",)),)),
    number("learning_rate@sgd", 1e-2, 1.0, "log", when=(("optimizer", ("sgd",)),)),
    choice("momentum", (0.8, 0.9), ordered=True, when=(("optimizer", ("sgd",)),)),
    choice("batch_size", (16, 64, 128), ordered=True),
    choice("augmentation", ("none", "light", "strong"), ordered=False),
    Hyperparameter("layers", "int", low=1, high=5),
    Hyperparameter("image_size", "fixed", values=(48,), ordered=False),
]


def test_marked_copies_share_a_coordinate_by_value_over_the_union_of_their_ranges() -> None:
    cube = UnitCube.of_space(SPACE)
    assert cube.dimensions == 6 and sorted(cube.categories) == [0, 0, 0, 0, 2, 3]
    adamw, sgd = cube.rows(
        [
            {
                "optimizer": "adamw",
                "learning_rate@adamw": 1e-3,
                "batch_size": 1,
                "augmentation": "light",
                "layers": 3,
            },
            {
                "optimizer": "sgd",
                "learning_rate@sgd": 0.1,
                "momentum": 1,
                "batch_size": 2,
                "augmentation": "none",
                "layers": 5,
            },
        ]
    )
    # optimizer, learning rate (1e-4 to 1), momentum (idle in the middle), batch size by rank, augmentation, layers
    assert adamw == pytest.approx([0, 0.25, 0.5, 0.5, 1, 0.5])
    assert sgd == pytest.approx([1, 0.75, 1.0, 1.0, 0, 1.0])
    assert cube.params(adamw) == {
        "optimizer": "adamw",
        "learning_rate@adamw": pytest.approx(1e-3),
        "batch_size": 1,
        "augmentation": "light",
        "layers": 3,
    }


def test_draws_and_steps_stay_in_the_space_and_reach_all_of_it() -> None:
    cube, rng = UnitCube.of_space(SPACE), np.random.default_rng(0)
    for rows in (cube.draw(2000, rng), cube.vary(cube.draw(2000, rng), 0.3, rng)):
        drawn = [cube.params(row) for row in rows]
        for params in drawn:
            sgd = params["optimizer"] == "sgd"
            assert ("learning_rate@sgd" in params) == sgd and ("momentum" in params) == sgd
            assert ("learning_rate@adamw" in params) != sgd
            assert 1 <= params["layers"] <= 5
            rate = params["learning_rate@sgd" if sgd else "learning_rate@adamw"]
            assert (1e-2 if sgd else 1e-4) <= rate <= (1.0 if sgd else 1e-2)
        for name, count in (("augmentation", 3), ("batch_size", 3), ("layers", 5), ("optimizer", 2)):
            shares = np.unique([p[name] for p in drawn], return_counts=True)[1] / 2000
            assert len(shares) == count and shares.min() > 0.6 / count
        assert rows == pytest.approx(cube.rows(drawn))
    # A copy's values are drawn over its own range, not over the union.
    rates = [
        p["learning_rate@sgd"] for p in map(cube.params, cube.draw(2000, rng)) if "learning_rate@sgd" in p
    ]
    assert np.log10(rates).mean() == pytest.approx(-1, abs=0.05)


def data(rng: np.random.Generator) -> gaussian_process.Data:
    rows = np.column_stack([rng.random((6, 2)), rng.integers(3, size=6)])
    trial, epochs = np.array([0, 0, 1, 2, 3, 3, 4, 5]), np.array([1, 9, 1, 3, 1, 26, 9, 26])
    return gaussian_process.Data(rows, np.array([0, 0, 3]), trial, epochs, rng.normal(size=8))


def test_the_process_has_the_likelihood_and_the_gradient_of_its_kernel() -> None:
    known = data(np.random.default_rng(1))
    theta = np.log([0.7, 0.4, 0.3, 0.2, 0.05, 0.5, 1.5, 0.8])
    a, b, c, d, e, *lengths = np.exp(theta)

    def covariance(i: int, j: int) -> float:
        left, right = known.rows[known.trial[i]], known.rows[known.trial[j]]
        apart = [(left[k] - right[k]) ** 2 if k < 2 else float(left[k] != right[k]) for k in range(3)]
        r = math.sqrt(5 * sum(x / length**2 for x, length in zip(apart, lengths, strict=True)))
        k = (1 + r + r**2 / 3) * math.exp(-r)
        decay = 2 / (known.epochs[i] + known.epochs[j] + 2)
        return (
            k * (a + b * decay) + c * decay + d * (known.trial[i] == known.trial[j]) + (e + 1e-6) * (i == j)
        )

    matrix = np.array([[covariance(i, j) for j in range(8)] for i in range(8)])
    process = gaussian_process.Covariance(known)
    value, _ = process.likelihood(theta)
    expected = -multivariate_normal(cov=matrix).logpdf(known.scores) - 4 * math.log(2 * math.pi)
    assert value == pytest.approx(expected)
    error = check_grad(lambda t: process.likelihood(t)[0], lambda t: process.likelihood(t)[1], theta)
    assert error < 1e-4


def test_the_process_predicts_as_the_conditional_normal_distribution_does() -> None:
    known, theta = data(np.random.default_rng(2)), np.log([0.7, 0.4, 0.3, 0.2, 0.05, 0.5, 1.5, 0.8])
    new = np.array([[0.3, 0.6, 1.0]])
    together = gaussian_process.Data(
        np.vstack([known.rows, new]),
        known.categories,
        np.append(known.trial, 6),
        np.append(known.epochs, 26),
        np.append(known.scores, 0.0),
    )
    matrix = gaussian_process.Covariance(together).value(theta)[0]
    solved = np.linalg.solve(matrix[:8, :8], matrix[:8, 8])
    mean, deviation = gaussian_process.GaussianProcess(known, theta).predict(new, 26)
    assert mean[0] == pytest.approx(solved @ known.scores)
    noise = math.exp(theta[4]) + 1e-6
    assert deviation[0] ** 2 == pytest.approx(matrix[8, 8] - noise - solved @ matrix[:8, 8])


def seen(
    count: int, score: Callable[[np.ndarray], float], cube: UnitCube, last: int = 26
) -> list[Observation]:
    rows = cube.draw(count, np.random.default_rng(3))
    return [
        Observation(n, row, np.array([1, last]), np.array([score(row) - 1, score(row)]), False, "random")
        for n, row in enumerate(rows)
    ]


def test_both_models_suggest_where_the_optimum_is() -> None:
    cube = UnitCube.of_space(
        [number("x", 0, 1), number("idle", 0, 1), choice("c", ("a", "b"), ordered=False)]
    )

    def score(row: np.ndarray) -> float:
        return -((row[0] - 0.8) ** 2) - 0.3 * (row[2] == 0)

    known = seen(40, score, cube)
    random = np.mean([score(row) for row in cube.draw(500, np.random.default_rng(4))])
    for source in (
        Improvement(known, cube, RUNGS, theta=None, near=None),
        density.Density(known, cube, 26),
    ):
        found = [source.suggest(np.random.default_rng(seed))[0] for seed in range(10)]
        assert np.mean([score(row) for row in found]) > random / 4
        assert np.mean([row[2] for row in found]) > 0.7


def test_a_trial_that_has_just_begun_keeps_the_next_one_away() -> None:
    cube = UnitCube.of_space([number("x", 0, 1)])
    known = seen(12, lambda row: -((row[0] - 0.5) ** 2), cube)
    rows = np.linspace(0, 1, 101)[:, None]
    alone = Improvement(known, cube, RUNGS, theta=None, near=None)
    peak = rows[alone.gain(rows).argmax()]
    begun = Observation(99, peak, np.array([], int), np.array([]), True, "process")
    beside = Improvement([*known, begun], cube, RUNGS, theta=alone.theta, near=None)
    assert beside.gain(peak[None])[0] < 0.9 * alone.gain(peak[None])[0]


def test_the_highest_rung_that_eight_trials_have_reached_is_looked_at() -> None:
    cube = UnitCube.of_space([number("x", 0, 1)])
    known = seen(7, lambda row: row[0], cube) + seen(5, lambda row: row[0], cube, last=9)
    assert density.highest_rung(known, RUNGS) == 9
    assert density.highest_rung(known[:7], RUNGS) is None


def test_a_source_that_finds_better_ones_gets_the_trials() -> None:
    row, rng = np.zeros(1), np.random.default_rng(0)

    def trial(n: int, source: str, value: float, last: int = 26) -> Observation:
        return Observation(n, row, np.array([last]), np.array([value]), False, source)

    # Every trial of "good" beats all before it; those of "bad" spend as much for nothing.
    known = [one for n in range(10) for one in (trial(2 * n, "good", n), trial(2 * n + 1, "bad", -1.0))]
    chosen = [sources.choose(["good", "bad"], known, 26, rng) for _ in range(200)]
    assert chosen.count("good") > 190
    # Failures that were stopped after an epoch cost little.
    cheap = [trial(n, "cheap" if n % 2 else "dear", -n, 1 if n % 2 else 26) for n in range(20)]
    chosen = [sources.choose(["cheap", "dear"], cheap, 26, rng) for _ in range(200)]
    assert chosen.count("cheap") > 150


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_it_finds_the_optimum_of_either_direction(direction: str) -> None:
    sign = 1 if direction == "maximize" else -1
    study = optuna.create_study(sampler=PortfolioSampler(seed=1), direction=direction)

    def objective(trial: optuna.Trial) -> float:
        x, y = trial.suggest_float("x", -5, 5), trial.suggest_float("y", 1e-4, 1, log=True)
        return -sign * (x**2 + math.log10(y / 1e-2) ** 2)

    study.optimize(objective, n_trials=60)
    assert abs(study.best_value) < 0.1
    found = {trial.user_attrs.get("source") for trial in study.trials}
    assert found >= {"random", "process"}


def test_what_a_trial_draws_depends_on_the_seed_its_number_and_what_is_known_alone() -> None:
    def play(studies: int, seed: int) -> list[dict[str, float]]:
        """30 trials, with a new sampler and a copy of the study after each part."""
        trials: list[optuna.trial.FrozenTrial] = []
        for _ in range(studies):
            study = optuna.create_study(sampler=PortfolioSampler(seed=seed, epochs=9), direction="maximize")
            study.add_trials(trials)
            for _ in range(30 // studies):
                trial = study.ask()
                x, c = trial.suggest_float("x", 0, 1), trial.suggest_categorical("c", ["a", "b"])
                for epoch in (1, 3, 9):
                    trial.report(x * epoch + (c == "a"), epoch)
                study.tell(trial, x * 9)
            trials = study.get_trials()
        return [trial.params for trial in trials]

    assert play(1, seed=3) == play(3, seed=3)
    assert play(1, seed=3) != play(1, seed=4)


def test_nan_pruned_running_and_failed_trials_are_taken_for_what_they_are() -> None:
    cube = UnitCube.of_space([number("x", 0, 1)])
    params = {"params": {"x": 0.5}, "distributions": {"x": optuna.distributions.FloatDistribution(0, 1)}}
    trials = [
        optuna.create_trial(
            state=TrialState.PRUNED, intermediate_values={1: 0.2, 2: math.nan, 3: 0.1}, **params
        ),
        optuna.create_trial(state=TrialState.RUNNING, **params),
        optuna.create_trial(state=TrialState.FAIL, intermediate_values={1: 0.9}, **params),
        optuna.create_trial(state=TrialState.COMPLETE, value=0.4, **params),
        optuna.create_trial(state=TrialState.PRUNED, intermediate_values={1: math.nan}, **params),
    ]
    for n, trial in enumerate(trials):
        trial.number = n
    found = observe(trials, cube, maximize=True, sources={0: "process"})
    assert [one.number for one in found] == [0, 1, 3, 4]
    assert [one.running for one in found] == [False, True, False, False]
    assert found[0].best.tolist() == [0.2, 0.2, 0.2] and found[0].source == "process"
    assert found[2].best.tolist() == [0.4] and found[2].last == 1
    assert found[3].best.tolist() == [-math.inf]
    turned = observe(trials, cube, maximize=False, sources={})
    assert turned[0].best.tolist() == [-0.2, -0.2, -0.1]


def test_the_oracle_keeps_what_suggested_each_trial() -> None:
    def curves(rows: list) -> np.ndarray:
        return np.array([[-((row[0] - 0.7) ** 2) - 0.1 / epoch for epoch in range(1, 10)] for row in rows])

    told = tell(
        Task("tiny", 9, curves, 0, -0.2, [Range("x", 0, 1), Range("y", 1e-3, 1, log=True)]), "conditional"
    )
    oracle = method("default")(told, 1, 40, 100, Path("."))
    run_study(oracle, told, workers=2, budget=100)
    trials = oracle.store.study.get_trials()
    assert len(trials) == 40
    suggested = [trial.user_attrs["source"] for trial in trials]
    assert set(suggested[:10]) == {"random"}, "a quarter of the trials is drawn before the first model"
    assert "process" in suggested[10:] and any("kernel" in trial.user_attrs for trial in trials)


def test_10000_trials_make_no_longer_suggestions_than_what_is_shown_of_them() -> None:
    trials = [
        optuna.create_trial(
            params={"x": i / 10_000},
            distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
            value=-abs(i - 1234) / 10_000,
        )
        for i in range(10_000)
    ]
    for n, trial in enumerate(trials):
        trial.number = n
        if n in (3000, 6000):
            trial.set_user_attr("kernel", [0.0])
        if n < 500:  # resting at a rung
            trial.state, trial.values = TrialState.WAITING, None
    shown = PortfolioSampler(seed=0).visible(trials)
    assert len(shown) <= 301
    assert {trial.number for trial in shown} >= {1234, 6000, 9999} and trials[3000] not in shown
    assert [trial.number for trial in shown] == sorted(trial.number for trial in shown)
