"""One description of a hyperparameter: what is stored, what a sampler sees, and the way between them."""

from __future__ import annotations

import keras_tuner
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from search.oracles.space.drawing import describe

HP = keras_tuner.HyperParameters()
HP.Choice("freeze_before", [0, -51, -25, -3])
HP.Choice("backbone", ["a", "b"])
HP.Boolean("flag")
HP.Int("count", 2, 9)
HP.Int("stepped", 5, 20, step=5)
HP.Int("powers", 2, 64, step=2, sampling="log")
HP.Int("logarithmic", 1, 1000, sampling="log")
HP.Int("reverse_int", 1, 100, sampling="reverse_log")
HP.Float("dropout", 0.0, 0.7)
HP.Float("learning_rate@sgd", 1e-5, 1e-1, sampling="log")
HP.Float("reverse", 0.1, 0.99, sampling="reverse_log")
HP.Float("tenths", 0.0, 0.5, step=0.1)
BY_NAME = {hp.name: hp for hp in HP.space}


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("grid", [False, True])
def test_every_value_survives_the_way_there_and_back(name: str, grid: bool) -> None:
    hp, one = BY_NAME[name], describe(BY_NAME[name])
    for seed in range(20):
        value = hp.random_sample(seed)
        drawn = one.to_drawn(value, grid=grid)
        back = one.to_value(drawn, grid=grid)
        stored = one.distribution().to_external_repr(one.distribution().to_internal_repr(back))
        assert stored == back and type(stored) is type(back)
        if isinstance(value, str | bool):
            assert back == value
            continue
        if not grid:
            assert back == pytest.approx(value, rel=1e-6)
        assert one.to_value(one.to_drawn(back, grid=grid), grid=grid) == pytest.approx(back)


@pytest.mark.parametrize(
    ("name", "stored", "sampled"),
    [
        ("freeze_before", CategoricalDistribution([0, -51, -25, -3]), IntDistribution(0, 3)),
        ("backbone", CategoricalDistribution(["a", "b"]), None),
        ("flag", CategoricalDistribution([False, True]), None),
        ("count", IntDistribution(2, 9), None),
        ("stepped", IntDistribution(5, 20, step=5), None),
        ("powers", CategoricalDistribution([2, 4, 8, 16, 32, 64]), IntDistribution(0, 5)),
        ("logarithmic", IntDistribution(1, 1000, log=True), None),
        ("reverse_int", IntDistribution(1, 100), FloatDistribution(0.0, 1.0)),
        ("dropout", FloatDistribution(0.0, 0.7), None),
        ("learning_rate@sgd", FloatDistribution(1e-5, 1e-1, log=True), None),
        ("reverse", FloatDistribution(0.1, 0.99), FloatDistribution(0.0, 1.0)),
        ("tenths", FloatDistribution(0.0, 0.5, step=0.1), None),
    ],
)
def test_the_database_holds_the_values_and_the_sampler_their_order(
    name: str, stored: object, sampled: object
) -> None:
    one = describe(BY_NAME[name])
    assert one.distribution() == stored and one.sampled() == (sampled or stored)


@pytest.mark.parametrize("q", [0.0, 0.3, 0.7, 0.999])
@pytest.mark.parametrize("name", ["dropout", "learning_rate@sgd", "reverse"])
def test_a_quantile_is_the_value_that_keras_tuner_has_there(name: str, q: float) -> None:
    assert describe(BY_NAME[name]).at(q) == pytest.approx(BY_NAME[name].prob_to_value(q))


@pytest.mark.parametrize("name", ["learning_rate@sgd", "dropout", "logarithmic", "reverse"])
def test_a_grid_has_ends_and_ten_points(name: str) -> None:
    one = describe(BY_NAME[name])
    points = [one.to_value(index, grid=True) for index in one.finite(grid=True) or []]
    assert len(points) == 10 and points == sorted(points)
    assert (points[0], points[-1]) == (BY_NAME[name].min_value, BY_NAME[name].max_value)


def test_a_category_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="hyperparameter backbone: expected one of"):
        describe(BY_NAME["backbone"]).to_drawn("c")


def test_a_description_says_field_condition_and_where_it_acts() -> None:
    hp = keras_tuner.HyperParameters()
    hp.Choice("optimizer", ["sgd", "adamw"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("learning_rate@sgd", 0.01, 1.0, sampling="log")
    hp.Choice("backbone", ["small"])
    hp.Choice("augmentation", ["none", "baseline"])
    optimizer, rate, backbone, augmentation = (describe(one) for one in hp.space)
    assert rate.to_json() == {
        "name": "learning_rate@sgd", "field": "learning_rate", "kind": "float", "values": None, "ordered": True, "low": 0.01,
        "high": 1.0, "step": None, "scale": "log", "default": 0.01, "conditions": [["optimizer", ["sgd"]]], "acts_on": "step",
    }  # fmt: skip
    assert rate.is_active({"optimizer": "sgd"}) and not rate.is_active({"optimizer": "adamw"})
    assert [one.acts_on for one in (optimizer, backbone, augmentation)] == ["trace", "graph", "data"]
