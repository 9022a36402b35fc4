"""Trainings on cached activations against trainings of the whole network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferplus_data.dataset import Dataset
from models.frozen_prefix.activations import Caching, PrefixActivations, PrefixCost
from models.frozen_prefix.cache import PrefixCache
from models.networks.compiled import Network, Networks
from models.recipe import Recipe
from models.training.loop import Training, train
from models.training.settings import Listener

# A middle cut, inside of the last stage of the backbone, and the head alone.
FREEZE = [-8, -3]


def recipe(freeze_before: int, augmentation: str = "none") -> Recipe:
    return Recipe(
        backbone="small_vgg",
        freeze_before=freeze_before,
        optimizer="sgd",
        learning_rate=1e-3,
        lr_policy="cosine",
        dropout=0.2,
        batch_size=32,
        augmentation=augmentation,
    )


def run(
    one: Recipe, tiny: Dataset, directory: Path, networks: Networks, caching: Caching | None, epochs: int = 3
) -> tuple[Training, list[str], dict[str, Any]]:
    lines: list[str] = []
    record: dict[str, Any] = {}
    training = train(
        one,
        tiny,
        directory=directory,
        epochs=epochs,
        networks=networks,
        caching=caching,
        listener=Listener(say=lines.append, record=record),
    )
    return training, lines, record


def curve(training: Training) -> np.ndarray:
    return np.array([[e.loss, e.val_loss] for e in training.history])


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny data set is cheap either way, so that the decision may fall on either side."""
    monkeypatch.setattr(
        "models.frozen_prefix.activations.PrefixActivations.pays", lambda *args: (True, "used: always")
    )


@pytest.mark.parametrize("freeze_before", FREEZE)
def test_the_loss_curve_is_the_same_to_float16_rounding(
    freeze_before: int, tiny: Dataset, tmp_path: Path, networks: Networks, always: None
) -> None:
    one = recipe(freeze_before)
    whole, _, _ = run(one, tiny, tmp_path / "whole", networks, None)
    cache = PrefixCache(tmp_path / "cache", 10**8)
    cached, _, record = run(one, tiny, tmp_path / "cached", networks, Caching(cache))
    assert cached.cached and not whole.cached and record["prefix_cache"]["used"]
    np.testing.assert_allclose(curve(cached), curve(whole), rtol=5e-3)
    faces = tiny.val.pixels()
    np.testing.assert_allclose(
        cached.model.predict(faces, verbose=0), whole.model.predict(faces, verbose=0), atol=5e-3
    )


def test_a_second_training_computes_nothing_and_learns_the_same(
    tiny: Dataset, tmp_path: Path, networks: Networks, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PrefixCache(tmp_path / "cache", 10**8)
    first, _, _ = run(recipe(-3, "light"), tiny, tmp_path / "first", networks, Caching(cache, views=2))
    assert (
        len(list((tmp_path / "cache").glob("*/activations.npy"))) == 3
    )  # two views, and the validation split

    def compute(*args: Any) -> None:
        raise AssertionError("computed although it was there")

    monkeypatch.setattr(Network, "prefix_from", compute)
    second, _, _ = run(recipe(-3, "light"), tiny, tmp_path / "second", networks, Caching(cache, views=2))
    np.testing.assert_allclose(curve(second), curve(first), rtol=1e-4)


def test_a_longer_prefix_goes_on_from_a_shorter_one(
    tiny: Dataset, tmp_path: Path, networks: Networks, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was computed from the shorter prefix's stored activations is what is computed from the faces, to float16."""
    alone, after = (PrefixCache(tmp_path / name, 10**8) for name in ("alone", "after"))
    one = recipe(-3, "light")
    expected, _, _ = run(one, tiny, tmp_path / "expected", networks, Caching(alone, views=1))
    run(recipe(-8, "light"), tiny, tmp_path / "shorter", networks, Caching(after, views=1))
    network = networks.get(one, weights="none", seed=0, precision="float32")
    begun_at: list[int | None] = []
    prefix_from = Network.prefix_from
    monkeypatch.setattr(Network, "prefix_from", lambda self, at: begun_at.append(at) or prefix_from(self, at))
    found, _, _ = run(one, tiny, tmp_path / "found", networks, Caching(after, views=1))
    assert set(begun_at) == {sorted(network.fingerprints)[-2]}
    np.testing.assert_allclose(curve(found), curve(expected), rtol=5e-3)


def test_views_differ_and_come_round(
    tiny: Dataset, tmp_path: Path, networks: Networks, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    original = "models.frozen_prefix.activations.ActivationBatches.inputs"
    from models.frozen_prefix.activations import ActivationBatches

    inputs = ActivationBatches.inputs

    def spy(self: ActivationBatches, chosen: np.ndarray, index: int) -> np.ndarray:
        found = inputs(self, chosen, index)
        if self.shuffle and index == 0:
            seen.append(inputs(self, np.arange(4), index))
        return found

    monkeypatch.setattr(original, spy)
    caching = Caching(PrefixCache(tmp_path / "cache", 10**8), views=2)
    run(recipe(-3, "baseline"), tiny, tmp_path / "run", networks, caching, epochs=4)
    first, second, third, fourth = seen[-4:]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    np.testing.assert_array_equal(second, fourth)


@pytest.mark.parametrize("trouble", ["no room", "damaged"])
def test_trouble_with_the_cache_is_said_once_and_changes_nothing(
    trouble: str, tiny: Dataset, tmp_path: Path, networks: Networks, always: None
) -> None:
    one = recipe(-3, "light")
    whole, _, _ = run(one, tiny, tmp_path / "whole", networks, None)
    directory = tmp_path / "cache"
    cache = PrefixCache(directory, 10 if trouble == "no room" else 10**8)
    if trouble == "damaged":
        run(one, tiny, tmp_path / "before", networks, Caching(cache))
        for path in directory.glob("*/activations.npy"):
            path.write_bytes(path.read_bytes()[:-10])
        cache = PrefixCache(directory, 10**8)
    fallen_back, lines, record = run(one, tiny, tmp_path / "fallen back", networks, Caching(cache))
    assert not fallen_back.cached and not record["prefix_cache"]["used"]
    assert sum("whole network" in line for line in lines) == 1
    np.testing.assert_allclose(curve(fallen_back), curve(whole), rtol=1e-4)


def test_a_cache_that_costs_more_than_it_saves_is_not_used(
    tiny: Dataset, tmp_path: Path, networks: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As measured: first a prefix that takes no time at all, then one that takes a second an image."""
    caching = Caching(PrefixCache(tmp_path / "cache", 10**8))
    for seconds, used in ((0.0, False), (1.0, True)):
        monkeypatch.setattr(
            "models.frozen_prefix.activations.PrefixActivations.measure",
            lambda *args, s=seconds: PrefixCost(whole=s, rest=s, transfer=1e-4, size=512),
        )
        training, lines, _ = run(recipe(-3), tiny, tmp_path / str(used), networks, caching, epochs=2)
        assert training.cached == used
        assert any(("not used" in line) != used for line in lines)


@pytest.mark.parametrize(
    ("trials", "rest", "said"),
    [
        # 2 epochs of 100 + 40 faces at 1 s: 280 s. One view and the validation split take 140 s, and reading them 0.3 s.
        (1.0, 1.0, "used, 1 kB an image, 1 of 1 views to compute, 280 s of prefix uncached against 140 s"),
        (4.0, 1.0, "used, 1 kB an image, 1 of 1 views to compute, 280 s of prefix uncached against 35 s"),
        # From a shorter prefix: what an uncached epoch costs stays the same.
        (1.0, 0.25, "used, 1 kB an image, 1 of 1 views to compute, 280 s of prefix uncached against 35 s"),
        (
            1.0,
            3.0,
            "not used, 1 kB an image, 1 of 1 views to compute, 280 s of prefix uncached against 420 s",
        ),
    ],
)
def test_what_the_cache_costs_is_held_against_what_it_saves(
    trials: float, rest: float, said: str, tiny: Dataset, tmp_path: Path, networks: Networks,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(
        "models.frozen_prefix.activations.PrefixActivations.measure",
        lambda *args: PrefixCost(whole=1.0, rest=rest, transfer=1e-3, size=512),
    )
    caching = Caching(PrefixCache(tmp_path / "cache", 10**8), trials_per_prefix=lambda recipe: trials)
    _, lines, _ = run(recipe(-3), tiny, tmp_path / "run", networks, caching, epochs=2)
    (line,) = [line for line in lines if line.startswith("prefix cache")]
    assert line.partition(": ")[2] == said


def test_what_goes_on_from_a_shorter_prefix_is_timed_from_there_and_an_uncached_step_from_the_face(
    tiny: Dataset, tmp_path: Path, networks: Networks, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = PrefixCache(tmp_path / "cache", 10**8)
    one = recipe(-3)
    network = networks.get(one, weights="none", seed=0, precision="float32")
    activations = PrefixActivations(network, one, 0, Caching(cache), tiny.fingerprint, print)
    alone = activations.measure(tiny.train, 0)
    assert alone.rest == alone.whole
    run(recipe(-8), tiny, tmp_path / "shorter", networks, Caching(cache))
    begun_at: list[int | None] = []
    prefix_from = Network.prefix_from
    monkeypatch.setattr(Network, "prefix_from", lambda self, at: begun_at.append(at) or prefix_from(self, at))
    after = activations.measure(tiny.train, 0)
    assert begun_at == [None, sorted(network.fingerprints)[-2]]
    assert after.rest != after.whole and after.size == alone.size


def test_nothing_frozen_nothing_cached(tiny: Dataset, tmp_path: Path, networks: Networks) -> None:
    training, _, record = run(
        recipe(0), tiny, tmp_path, networks, Caching(PrefixCache(tmp_path / "cache")), epochs=1
    )
    assert not training.cached and "nothing is frozen" in record["prefix_cache"]["reason"]


def test_a_training_begun_without_the_cache_is_continued_with_it(
    tiny: Dataset, tmp_path: Path, networks: Networks, always: None
) -> None:
    one = recipe(-15)
    whole, _, _ = run(one, tiny, tmp_path / "whole", networks, None, epochs=3)

    class Stop(Exception):
        pass

    def stop(epoch: Any) -> bool:
        raise Stop

    with pytest.raises(Stop):
        train(one, tiny, directory=tmp_path / "cut", epochs=3, networks=networks, listener=Listener(stop))
    caching = Caching(PrefixCache(tmp_path / "cache", 10**8))
    rest, _, _ = run(one, tiny, tmp_path / "cut", networks, caching, epochs=3)
    assert rest.cached and [e.epoch for e in rest.history] == [1, 2, 3]
    np.testing.assert_allclose(curve(rest), curve(whole), rtol=5e-3)
