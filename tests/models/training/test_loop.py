from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.networks.compiled import Networks
from models.optimization.lr_policies import LR_POLICIES
from models.recipe import Recipe
from models.training.callbacks import DivergedError
from models.training.history import Epoch, read_history
from models.training.loop import train
from models.training.settings import Listener, Settings

RECIPE = Recipe(
    backbone="small_vgg",
    optimizer="adamw",
    beta_1=0.9,
    learning_rate=2e-3,
    lr_policy="cosine",
    batch_size=32,
    augmentation="light",
    dropout=0.3,
)


SEED_3 = Settings(seed=3)


def figures(history: list[Epoch]) -> np.ndarray:
    return np.array([[e.loss, e.accuracy, e.val_loss, e.val_accuracy, e.learning_rate] for e in history])


@pytest.mark.parametrize("ema_fraction", [0.0, 0.3])
def test_an_interrupted_training_ends_as_one_that_was_not(
    ema_fraction: float, tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    recipe = dataclasses.replace(RECIPE, ema_fraction=ema_fraction)
    whole = train(recipe, tiny, networks=networks, directory=tmp_path / "whole", epochs=4, settings=SEED_3)

    def interrupt(epoch: Epoch) -> bool:
        if epoch.epoch == 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        train(
            recipe,
            tiny,
            networks=networks,
            directory=tmp_path / "cut",
            epochs=4,
            settings=SEED_3,
            listener=Listener(interrupt),
        )
    assert [e.epoch for e in read_history(tmp_path / "cut" / "history.csv")] == [1, 2]
    seen: list[int] = []
    rest = train(
        recipe,
        tiny,
        networks=networks,
        directory=tmp_path / "cut",
        epochs=4,
        settings=SEED_3,
        listener=Listener(lambda e: bool(seen.append(e.epoch))),
    )
    assert seen == [1, 2, 3, 4]
    np.testing.assert_allclose(figures(rest.history), figures(whole.history), rtol=2e-3, atol=2e-3)
    for a, b in zip(rest.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-2, atol=1e-3)


def test_a_longer_training_goes_on_after_a_shorter_one(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    """As Hyperband promotes a trial: its epochs, weights and optimizer state, in a directory of its own."""
    constant = dataclasses.replace(RECIPE, lr_policy="constant")  # the same course at every length
    whole = train(constant, tiny, networks=networks, directory=tmp_path / "whole", epochs=3, settings=SEED_3)
    train(constant, tiny, networks=networks, directory=tmp_path / "short", epochs=1, settings=SEED_3)
    before = read_history(tmp_path / "short" / "history.csv")
    after = dataclasses.replace(SEED_3, after=tmp_path / "short")
    longer = train(constant, tiny, networks=networks, directory=tmp_path / "long", epochs=3, settings=after)
    assert longer.history[:1] == before, "the first epoch was trained once more"
    np.testing.assert_allclose(figures(longer.history), figures(whole.history), rtol=2e-3, atol=2e-3)
    assert read_history(tmp_path / "short" / "history.csv") == before


def test_training_stops_on_request_and_says_so(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    training = train(
        RECIPE,
        tiny,
        networks=networks,
        directory=tmp_path,
        epochs=5,
        listener=Listener(lambda epoch: epoch.epoch == 2),
    )
    assert training.stopped and len(training.history) == 2


def test_a_loss_that_is_not_finite_is_an_error(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    recipe = Recipe(
        optimizer="sgd", learning_rate=90.0, lr_policy="constant", augmentation="none", batch_size=8
    )
    with pytest.raises(DivergedError, match="loss became (nan|inf)"):
        train(recipe, tiny, networks=networks, directory=tmp_path, epochs=30)


def test_a_policy_is_told_the_losses_of_the_epochs_so_far(
    tiny: Dataset, tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[float, list[float]] = {}

    def noting(initial_lr: float, *, epoch: float, epochs: int, val_losses: Sequence[float]) -> float:
        told[epoch] = list(val_losses)
        return initial_lr / 2

    monkeypatch.setitem(LR_POLICIES, "noting", noting)
    recipe = Recipe(
        backbone="small_vgg",
        lr_policy="noting",
        optimizer="sgd",
        learning_rate=1e-3,
        batch_size=100,
        augmentation="none",
    )
    history = train(recipe, tiny, networks=networks, directory=tmp_path, epochs=3).history
    losses = [epoch.val_loss for epoch in history]
    assert told == {0.0: [], 1.0: losses[:1], 2.0: losses[:2]}
    assert [epoch.learning_rate for epoch in history] == pytest.approx([5e-4] * 3)


def test_a_checkpoint_that_went_missing_starts_over(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    train(RECIPE, tiny, networks=networks, directory=tmp_path, epochs=1)
    for path in tmp_path.glob("epoch-*.weights.h5"):
        path.unlink()
    training = train(RECIPE, tiny, networks=networks, directory=tmp_path, epochs=2)
    assert [e.epoch for e in training.history] == [1, 2]
