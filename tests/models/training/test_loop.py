from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.networks.compiled import Networks
from models.optimization.class_weights import CLASS_WEIGHTS
from models.optimization.lr_policies import LR_POLICIES
from models.recipe import Recipe
from models.training.callbacks import DivergedError
from models.training.history import Epoch, read_history
from models.training.loop import train
from models.training.settings import Listener, Settings

RECIPE = Recipe(
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


def test_an_interrupted_training_ends_as_one_that_was_not(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    whole = train(RECIPE, tiny, networks=networks, directory=tmp_path / "whole", epochs=4, settings=SEED_3)

    def interrupt(epoch: Epoch) -> bool:
        if epoch.epoch == 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        train(
            RECIPE,
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
        RECIPE,
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


def test_the_best_epoch_is_kept(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    training = train(RECIPE, tiny, networks=networks, directory=tmp_path, epochs=3)
    assert training.best == max(training.history, key=lambda e: e.val_accuracy)
    predicted = training.model.predict(tiny.val.pixels(), verbose=0).argmax(axis=1)
    assert (predicted == tiny.val.labels).mean() == pytest.approx(training.best.val_accuracy, abs=1e-6)


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


def test_patience_ends_a_training(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    recipe = Recipe(
        optimizer="sgd", learning_rate=1e-9, lr_policy="constant", patience=2, augmentation="none"
    )
    training = train(recipe, tiny, networks=networks, directory=tmp_path, epochs=20)
    assert len(training.history) < 20 and not training.stopped


def test_a_loss_that_is_not_finite_is_an_error(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    recipe = Recipe(
        optimizer="sgd", learning_rate=90.0, lr_policy="constant", augmentation="none", batch_size=8
    )
    with pytest.raises(DivergedError, match="loss became (nan|inf)"):
        train(recipe, tiny, networks=networks, directory=tmp_path, epochs=30)


@pytest.mark.parametrize("policy", LR_POLICIES)
def test_every_policy_sets_the_learning_rate(
    policy: str, tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    recipe = Recipe(
        lr_policy=policy, optimizer="sgd", learning_rate=1e-3, batch_size=100, augmentation="none"
    )
    training = train(recipe, tiny, networks=networks, directory=tmp_path, epochs=2)
    expected = LR_POLICIES[policy](1e-3, epoch=1.0, epochs=2, val_losses=[training.history[0].val_loss])
    assert training.history[1].learning_rate == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("weighting", CLASS_WEIGHTS)
def test_class_weights_scale_the_loss(
    weighting: str, tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    recipe = Recipe(class_weights=weighting, optimizer="sgd", learning_rate=1e-9, batch_size=100, dropout=0.0,
                    augmentation="none", lr_policy="constant")  # fmt: skip
    loss = train(recipe, tiny, networks=networks, directory=tmp_path / "weighted", epochs=1).history[0].loss
    plain = (
        train(
            Recipe(**{**vars(recipe), "class_weights": "none"}),
            tiny,
            networks=networks,
            directory=tmp_path / "plain",
            epochs=1,
        )
        .history[0]
        .loss
    )
    mean_weight = CLASS_WEIGHTS[weighting](tiny.train.class_counts)[tiny.train.labels].mean()
    assert loss / plain == pytest.approx(mean_weight, rel=0.35)


def test_a_checkpoint_that_went_missing_starts_over(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    train(RECIPE, tiny, networks=networks, directory=tmp_path, epochs=1)
    for path in tmp_path.glob("epoch-*.weights.h5"):
        path.unlink()
    training = train(RECIPE, tiny, networks=networks, directory=tmp_path, epochs=2)
    assert [e.epoch for e in training.history] == [1, 2]


def test_another_training_in_the_same_directory_starts_over(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    first = train(RECIPE, tiny, networks=networks, directory=tmp_path, epochs=2)
    other = Recipe(optimizer="sgd", learning_rate=1e-9, lr_policy="constant", batch_size=100)
    second = train(other, tiny, networks=networks, directory=tmp_path, epochs=2)
    assert [e.epoch for e in second.history] == [1, 2]
    assert figures(second.history)[0, 4] != figures(first.history)[0, 4]
