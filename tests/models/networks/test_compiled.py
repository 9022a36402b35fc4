"""Networks that stay compiled."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.networks.compiled import Networks
from models.recipe import Recipe
from models.training.loop import train
from models.training.settings import Settings

FIRST = Recipe(
    backbone="small_vgg", optimizer="adamw", beta_1=0.9, weight_decay=0.1, dropout=0.5, batch_size=50,
    learning_rate=1e-3, augmentation="none", lr_policy="constant",
)  # fmt: skip
# Other numbers, the same graph.
SECOND = Recipe(
    backbone="small_vgg", optimizer="adamw", beta_1=0.5, weight_decay=0.0, dropout=0.1, batch_size=20, label_smoothing=0.1,
    learning_rate=3e-4, augmentation="light", lr_policy="cosine", class_weights="balanced", target="soft",
)  # fmt: skip

FROZEN = Recipe(**{**vars(FIRST), "freeze_before": -3, "ema_fraction": 0.05})


def losses(recipe: Recipe, tiny: Dataset, directory: Path, networks: Networks) -> list[float]:
    return [e.loss for e in train(recipe, tiny, directory=directory, epochs=2, networks=networks).history]


def test_a_kept_network_learns_as_a_new_one_and_is_not_traced_again(
    tiny: Dataset, tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = losses(SECOND, tiny, tmp_path / "new", Networks())
    losses(FIRST, tiny, tmp_path / "first", networks)
    network = networks.get(FIRST, weights="none", seed=0, precision="float32")
    assert networks.get(SECOND, weights="none", seed=0, precision="float32") is network
    traced: list[int] = []
    call = type(network.dropout).call
    monkeypatch.setattr(
        type(network.dropout), "call", lambda *args, **options: traced.append(1) or call(*args, **options)
    )
    used = losses(SECOND, tiny, tmp_path / "second", networks)
    assert not traced
    np.testing.assert_allclose(used, new, rtol=1e-4)


def test_another_seed_is_the_same_network_with_other_weights(
    tiny: Dataset, tmp_path: Path, networks: Networks
) -> None:
    def history(seed: int, directory: str, networks: Networks) -> list[float]:
        training = train(
            FROZEN,
            tiny,
            directory=tmp_path / directory,
            epochs=2,
            settings=Settings(seed=seed),
            networks=networks,
        )
        return [e.loss for e in training.history]

    options = {"weights": "none", "precision": "float32"}
    new = {seed: history(seed, f"new{seed}", Networks()) for seed in (3, 4)}
    kept = networks.get(FROZEN, seed=3, **options)  # type: ignore[arg-type]
    prints = kept.fingerprints
    for i, seed in enumerate((3, 4, 3)):
        np.testing.assert_allclose(history(seed, f"kept{i}", networks), new[seed], rtol=1e-4)
        assert networks.get(FROZEN, seed=seed, **options) is kept  # type: ignore[arg-type]
        assert (kept.fingerprints == prints) == (seed == 3)
    assert abs(new[3][0] - new[4][0]) > 1e-3


def test_another_optimizer_or_freeze_index_is_another_network(networks: Networks) -> None:
    options = {"weights": "none", "seed": 0, "precision": "float32"}
    first = networks.get(FIRST, **options)  # type: ignore[arg-type]
    for change in ({"optimizer": "sgd"}, {"freeze_before": -3}, {"image_size": 32}, {"backbone": "small_se"}):
        other = networks.get(Recipe(**{**vars(FIRST), **change}), **options)  # type: ignore[arg-type]
        assert other is not first


def test_the_least_recently_used_network_goes_first() -> None:
    networks = Networks(keep=2)
    options = {"weights": "none", "seed": 0, "precision": "float32"}
    recipes = [Recipe(backbone="small_vgg", image_size=size) for size in (16, 20, 24)]
    first, second = (networks.get(recipe, **options) for recipe in recipes[:2])  # type: ignore[arg-type]
    assert networks.get(recipes[0], **options) is first  # type: ignore[arg-type]
    networks.get(recipes[2], **options)  # type: ignore[arg-type]
    assert networks.get(recipes[0], **options) is first  # type: ignore[arg-type]
    assert networks.get(recipes[1], **options) is not second  # type: ignore[arg-type]


def test_the_dropout_rate_that_is_set_is_the_share_that_is_dropped(networks: Networks) -> None:
    network = networks.get(FIRST, weights="none", seed=0, precision="float32")
    ones = np.ones((50, 400), np.float32)
    for rate in (0.0, 0.3, 0.8):
        network.begin(Recipe(**{**vars(FIRST), "dropout": rate}))
        dropped = np.asarray(network.dropout(ones, training=True))
        assert (dropped == 0).mean() == pytest.approx(rate, abs=0.02)
        assert dropped.mean() == pytest.approx(1, abs=0.05)


def test_nothing_of_a_network_that_has_gone_is_kept(tiny: Dataset, tmp_path: Path) -> None:
    """TensorFlow's own tables would keep the graphs that it was trained with: 13 MB of a small network."""
    networks = Networks(keep=1)
    graphs = []
    for i, size in enumerate((16, 20, 16)):
        recipe = Recipe(backbone="small_vgg", image_size=size, freeze_before=-3, optimizer="adamw")
        train(recipe, tiny, directory=tmp_path / str(i), epochs=1, networks=networks)
        graphs.append(sum(type(one).__name__ == "FuncGraph" for one in gc.get_objects()))
    # The first time, what other tests have left goes, too.
    assert graphs[1] == graphs[2]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the process's memory from /proc")
def test_memory_is_returned_between_trainings(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    """At the rate that is allowed: 200 MB in 100 trainings."""

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

    recipe = Recipe(**{**vars(FIRST), "image_size": 16, "freeze_before": -3})

    def some(name: str, count: int) -> None:
        for i in range(count):
            train(recipe, tiny, directory=tmp_path / f"{name}{i}", epochs=1, networks=networks)

    some("warm-up", 5)
    before = resident()
    some("counted", 15)
    assert resident() - before < 15 * 2
