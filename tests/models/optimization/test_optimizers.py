"""The optimizers against Keras's own."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.optimization.optimizers import OPTIMIZERS, make_optimizer
from models.recipe import Recipe

KERAS_OWN = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD}


def _trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(5, activation="relu"), keras.layers.Dense(3)]
    )
    model.compile(optimizer, "mse")
    rng = np.random.default_rng(0)
    for _ in range(20):
        model.train_on_batch(rng.normal(size=(8, 6)), rng.normal(size=(8, 3)))
    return [*model.get_weights(), *(keras.ops.convert_to_numpy(v) for v in model.optimizer.variables)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_computes_what_keras_own_does(name: str) -> None:
    recipe = Recipe(optimizer=name, learning_rate=0.01, beta_1=0.5, weight_decay=0.02)
    settings = {"learning_rate": 0.01}
    settings |= {"momentum": 0.9, "nesterov": True} if name == "sgd" else {"beta_1": 0.5}
    settings |= {} if name == "adam" else {"weight_decay": 0.02}
    theirs = KERAS_OWN[name](**settings)
    theirs.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    for ours, expected in zip(_trained(make_optimizer(recipe)), _trained(theirs), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=1e-6)


def test_adamw_decays_and_adam_does_not() -> None:
    """Whatever the gradient, an update of AdamW shrinks a weight by rate times decay more than Adam's."""
    adam, adamw = (
        _trained(make_optimizer(Recipe(optimizer=name, learning_rate=0.01, weight_decay=0.5)))[0]
        for name in ("adam", "adamw")
    )
    ratio = np.linalg.norm(adamw) / np.linalg.norm(adam)
    assert 0.8 < ratio < 0.95  # 20 updates of 1 - 0.01 * 0.5 alone make 0.905
