from __future__ import annotations

import keras_tuner
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.oracles.distributions import distribution, to_drawn, to_value

HP = keras_tuner.HyperParameters()
HP.Choice("freeze", [0, -51, -25, -3])
HP.Choice("name", ["a", "b"])
HP.Boolean("flag")
HP.Int("count", 2, 9)
HP.Int("stepped", 5, 20, step=5)
HP.Int("powers", 2, 64, step=2, sampling="log")
HP.Int("logarithmic", 1, 1000, sampling="log")
HP.Int("reverse_int", 1, 100, sampling="reverse_log")
HP.Float("free", 0.0, 0.7)
HP.Float("rate", 1e-5, 1e-1, sampling="log")
HP.Float("reverse", 0.1, 0.99, sampling="reverse_log")
HP.Float("tenths", 0.0, 0.5, step=0.1)
BY_NAME = {hp.name: hp for hp in HP.space}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("grid", [False, True])
def test_every_value_survives_the_way_there_and_back(name: str, grid: bool) -> None:
    hp = BY_NAME[name]
    drawn_from = distribution(hp, grid=grid)
    for seed in range(20):
        value = hp.random_sample(seed)
        drawn = to_drawn(hp, value, grid=grid)
        assert drawn_from._contains(drawn_from.to_internal_repr(drawn))
        back = to_value(hp, drawn, grid=grid)
        if isinstance(value, str | bool):
            assert back == value
            continue
        if not grid:
            assert back == pytest.approx(value, rel=1e-6)
        assert to_value(hp, to_drawn(hp, back, grid=grid), grid=grid) == pytest.approx(back)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("freeze", IntDistribution(0, 3)),
        ("name", CategoricalDistribution(["a", "b"])),
        ("flag", CategoricalDistribution([False, True])),
        ("count", IntDistribution(2, 9)),
        ("stepped", IntDistribution(0, 3)),
        ("powers", IntDistribution(0, 5)),
        ("logarithmic", IntDistribution(1, 1000, log=True)),
        ("free", FloatDistribution(0.0, 0.7)),
        ("rate", FloatDistribution(1e-5, 1e-1, log=True)),
        ("reverse", FloatDistribution(0.0, 1.0)),
        ("tenths", IntDistribution(0, 5)),
    ],
)
def test_what_the_sampler_sees(name: str, expected: object) -> None:
    assert distribution(BY_NAME[name]) == expected


def test_the_order_of_a_choice_is_the_one_declared() -> None:
    assert [to_value(BY_NAME["freeze"], i) for i in range(4)] == [0, -51, -25, -3]


def test_a_grid_has_ends_and_evenly_many_points() -> None:
    hp = BY_NAME["rate"]
    drawn_from = distribution(hp, grid=True)
    points = [to_value(hp, i, grid=True) for i in range(drawn_from.high + 1)]
    assert len(points) == 10 and points[0] == pytest.approx(1e-5) and points[-1] == pytest.approx(1e-1)


def test_a_category_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        to_drawn(BY_NAME["name"], "c")
