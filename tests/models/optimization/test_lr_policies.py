from __future__ import annotations

import inspect
from collections import Counter

import keras
import numpy as np
import pytest

from ferplus_data.errors import InputError
from models.hyperparameters import own_parameters
from models.optimization.lr_policies import LR_POLICIES
from models.recipe import Recipe

COMMON = {"initial_lr", "epoch", "epochs", "val_losses"}


def curve(
    name: str, epochs: int = 20, steps: int = 10, val_losses: list[float] | None = None, **own
) -> np.ndarray:
    """The rate at every batch of a training from lr 1."""
    policy = LR_POLICIES[name]
    losses = val_losses if val_losses is not None else [1.0] * epochs
    moments = np.arange(epochs * steps) / steps
    return np.array(
        [policy(1.0, epoch=e, epochs=epochs, val_losses=losses[: int(e)], **own) for e in moments]
    )


@pytest.mark.parametrize("name", LR_POLICIES)
@pytest.mark.parametrize("epochs", [1, 2, 30])
def test_every_rate_is_positive_and_none_above_the_initial(name: str, epochs: int) -> None:
    rates = curve(name, epochs)
    assert (rates > 0).all() and (rates <= 1 + 1e-12).all()
    assert rates.max() > 0.9


@pytest.mark.parametrize("name", LR_POLICIES)
def test_rates_are_proportional_to_the_initial_rate(name: str) -> None:
    at = {"epoch": 7.25, "epochs": 20, "val_losses": [1.0] * 7}
    assert LR_POLICIES[name](0.003, **at) == pytest.approx(0.003 * LR_POLICIES[name](1.0, **at))


@pytest.mark.parametrize("name", LR_POLICIES)
def test_a_policy_answers_beyond_the_last_epoch(name: str) -> None:
    rate = LR_POLICIES[name](1.0, epoch=25.0, epochs=20, val_losses=[1.0] * 25)
    assert 0 <= rate <= 1


@pytest.mark.parametrize("name", LR_POLICIES)
def test_parameters_are_keyword_only_with_defaults_and_named_in_one_policy_only(name: str) -> None:
    signature = inspect.signature(LR_POLICIES[name])
    own = own_parameters(LR_POLICIES[name])
    assert set(signature.parameters) == COMMON | set(own)
    assert all(p.kind is p.KEYWORD_ONLY for p in signature.parameters.values() if p.name != "initial_lr")
    everywhere = Counter(parameter for policy in LR_POLICIES.values() for parameter in own_parameters(policy))
    assert all(everywhere[parameter] == 1 for parameter in own)
    for parameter in own.values():
        assert parameter.range.low <= parameter.default <= parameter.range.high and parameter.range.meaning


def test_the_baselines_own_defaults() -> None:
    def defaults(name: str) -> dict[str, float]:
        return {parameter: one.default for parameter, one in own_parameters(LR_POLICIES[name]).items()}

    assert defaults("plateau") == {"plateau_factor": 0.5, "plateau_patience": 3}
    assert defaults("step") == {"step_factor": 0.1, "step_fraction": 0.2}
    assert defaults("constant") == {}


@pytest.mark.parametrize("name", [name for name in LR_POLICIES if name != "plateau"])
@pytest.mark.parametrize("epochs", [2, 7, 30])
def test_a_short_training_has_the_long_ones_schedule_in_small(name: str, epochs: int) -> None:
    """A step ends an epoch early, so its end may differ by that."""
    for progress in (0.0, 0.05, 0.33, 0.52, 0.77, 0.999):
        here, there = (
            LR_POLICIES[name](1.0, epoch=progress * n, epochs=n, val_losses=[]) for n in (epochs, 60)
        )
        late = LR_POLICIES[name](1.0, epoch=(progress + 0.25) * 60, epochs=60, val_losses=[])
        if name == "step":
            assert 0.1 * min(there, late) <= here <= there
        else:
            assert here == pytest.approx(there)


def test_an_unknown_policy_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'stairs'.*plateau, step"):
        Recipe.from_hyperparameters({"lr_policy": "stairs"})


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("factor", "patience"), [(0.5, 3), (0.1, 1), (0.7, 5)])
def test_plateau_is_keras_own_callback(seed: int, factor: float, patience: int) -> None:
    rng = np.random.default_rng(seed)
    losses = np.cumsum(rng.normal(-0.01, 0.05, 40)) + 2
    losses[rng.integers(0, 40, 12)] = losses[rng.integers(0, 40, 12)]  # ties
    losses[20:25] = losses.min() - 0.1 - 0.00004 * np.arange(5)  # a new best, then falls too small to count
    if seed == 7:
        losses[10] = np.nan
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    callback = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=factor, patience=patience)
    callback.set_model(model)
    callback.on_train_begin()
    reductions = 0
    for epoch, loss in enumerate(losses, start=1):
        callback.on_epoch_end(epoch - 1, {"val_loss": loss})
        kerass = float(model.optimizer.learning_rate)
        ours = LR_POLICIES["plateau"](
            0.01,
            epoch=epoch,
            epochs=40,
            val_losses=list(losses[:epoch]),
            plateau_factor=factor,
            plateau_patience=patience,
        )
        assert ours == pytest.approx(kerass, rel=1e-5), epoch
        reductions = reductions + (kerass < 0.01)
    assert reductions


def test_step_is_the_baselines() -> None:
    """init_lr * 0.1 ** floor((1 + epoch) / 10) for epochs 0 to 49 (Step_Decay and its options' defaults), and 10 of 60 epochs."""
    np.testing.assert_allclose(
        curve("step", 50, 4), np.repeat([1, 0.1, 0.01, 0.001, 1e-4, 1e-5], [36, 40, 40, 40, 40, 4])
    )
    of_60 = curve("step", 60, 1, step_fraction=10 / 60)
    np.testing.assert_allclose(of_60[:30], np.repeat([1, 0.1, 0.01, 0.001], [9, 10, 10, 1]))


def test_step_falls_by_its_factor_every_so_much_of_the_training() -> None:
    np.testing.assert_allclose(
        curve("step", 9, 1, step_factor=0.5, step_fraction=1 / 3),
        [1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125],
    )
    # Steps of half an epoch: in the middle of the first, at its end less a quarter, and so on.
    np.testing.assert_allclose(
        curve("step", 2, 4, step_factor=0.5, step_fraction=0.25), 0.5 ** np.array([0, 1, 1, 2, 2, 3, 3, 4])
    )


def test_cosine_rises_then_halves_midway_and_ends_near_zero() -> None:
    rates = curve("cosine", epochs=21, steps=100, warmup_fraction=1 / 21)
    assert (
        rates[0] == pytest.approx(0.1) and rates[50] == pytest.approx(0.55) and rates[100] == pytest.approx(1)
    )
    assert rates[1100] == pytest.approx(0.5) and rates[-1] < 1e-5
    assert (np.diff(rates[:101]) > 0).all() and (np.diff(rates[100:]) < 0).all()
    assert curve("cosine", warmup_fraction=0)[0] == 1


def test_exponential_falls_smoothly_to_its_end() -> None:
    rates = curve("exponential", epochs=3, steps=2, decay_to=0.729**2)
    np.testing.assert_allclose(rates, 0.9 ** np.arange(0, 6))


def test_one_cycle_peaks_where_told_between_a_tenth_and_a_thousandth() -> None:
    rates = curve("one_cycle", epochs=10, steps=100, peak_fraction=0.3)
    assert rates[0] == pytest.approx(0.1) and rates.argmax() == 300 and rates[300] == pytest.approx(1)
    assert rates[-1] == pytest.approx(0.001, abs=0.002)
    assert (np.diff(rates[:301]) > 0).all() and (np.diff(rates[300:]) < 0).all()
    assert curve("one_cycle", peak_fraction=0.0)[0] == 1
    assert curve("one_cycle", peak_fraction=1.0).argmax() == 199


def test_constant_stays() -> None:
    assert (curve("constant", val_losses=list(range(20))) == 1).all()
