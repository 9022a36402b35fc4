from __future__ import annotations

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.backbones.registry import BACKBONES, HEAD_ONLY
from models.networks.freezing import freeze

SIZE = 48


class Case:
    """One network with its first weights, shared by the tests of a backbone."""

    def __init__(self, name: str) -> None:
        keras.utils.set_random_seed(0)
        inputs = keras.Input((SIZE, SIZE, 3))
        x = keras.layers.Flatten()(BACKBONES[name].body(inputs))
        x = keras.layers.Dropout(0.0, name="dropout_layer")(x)
        self.model = keras.Model(inputs, keras.layers.Dense(8, activation="softmax", name="dense")(x))
        self.start = self.model.get_weights()
        rng = np.random.default_rng(0)
        self.images = rng.normal(0, 50, (4, SIZE, SIZE, 3)).astype("float32")
        self.targets = np.eye(8, dtype="float32")[:4]
        # the deepest block boundary: something is frozen and something is trained
        self.middle = BACKBONES[name].freeze_choices[-2]

    def train_one_step(self, freeze_before: int) -> list[tuple[keras.layers.Layer, bool, list[bool]]]:
        """Per layer with weights: the layer, whether it is before the freeze index, which weights changed."""
        self.model.set_weights(self.start)
        freeze(self.model, freeze_before)
        self.model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", run_eagerly=True)
        before = [layer.get_weights() for layer in self.model.layers]
        self.model.train_on_batch(self.images, self.targets)
        first_trainable = len(self.model.layers) + freeze_before if freeze_before else 0
        return [
            (
                layer,
                i < first_trainable,
                [not np.array_equal(a, b) for a, b in zip(old, layer.get_weights(), strict=True)],
            )
            for i, (layer, old) in enumerate(zip(self.model.layers, before, strict=True))
            if old
        ]


@pytest.fixture(scope="module", params=BACKBONES)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


@pytest.mark.parametrize("point", ["none", "middle", "head only"])
def test_a_step_of_adam_changes_exactly_the_layers_from_the_index_on(case: Case, point: str) -> None:
    freeze_before = {"none": 0, "middle": case.middle, "head only": HEAD_ONLY}[point]
    frozen_count = 0
    for layer, frozen, changed in case.train_one_step(freeze_before):
        frozen_count += frozen
        assert (not any(changed)) if frozen else all(changed), (layer.name, changed)
    assert (frozen_count == 0) == (freeze_before == 0)


def test_frozen_batch_normalisation_runs_in_inference_mode(case: Case) -> None:
    case.model.set_weights(case.start)
    freeze(case.model, HEAD_ONLY)
    as_in_training = keras.ops.convert_to_numpy(case.model(case.images, training=True))
    as_in_inference = keras.ops.convert_to_numpy(case.model(case.images, training=False))
    np.testing.assert_array_equal(as_in_training, as_in_inference)
    freeze(case.model, 0)
    unfrozen = keras.ops.convert_to_numpy(case.model(case.images, training=True))
    assert not np.allclose(unfrozen, as_in_inference, atol=1e-3)


def tiny() -> keras.Model:
    return keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(2) for _ in range(4))])


@pytest.mark.parametrize(
    ("freeze_before", "trainable"),
    [(0, [1, 1, 1, 1]), (-1, [0, 0, 0, 1]), (-3, [0, 1, 1, 1]), (-4, [1, 1, 1, 1])],
)
def test_the_index_counts_from_the_end(freeze_before: int, trainable: list[int]) -> None:
    model = tiny()
    for layer in model.layers:
        layer.trainable = False
    freeze(model, freeze_before)
    assert [layer.trainable for layer in model.layers] == [bool(t) for t in trainable]


@pytest.mark.parametrize("freeze_before", [1, 51, -5, -1000, -1.0, True, "-1"])
def test_an_index_that_is_no_place_in_the_model_is_refused(freeze_before: object) -> None:
    model = tiny()
    with pytest.raises(InputError, match="freeze index.*-4.*found"):
        freeze(model, freeze_before)  # type: ignore[arg-type]
    assert all(layer.trainable for layer in model.layers)
