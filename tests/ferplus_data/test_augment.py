"""Every augmentation: the right arrays, repeatable, different from image to image."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ferplus_data.augment import AUGMENTATIONS, augment

CHANGING = [name for name in AUGMENTATIONS if name != "none"]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Smooth shapes, so that a crop or a flip is visible and interpolation is harmless."""
    y, x = np.mgrid[0:48, 0:48]
    shapes = [60 + k * 9 + 40 * np.sin(x / 5 + k) + 40 * (y > 20) for k in range(12)]
    return np.stack(shapes).astype(np.uint8)


def test_the_names_agreed() -> None:
    assert set(AUGMENTATIONS) == {"none", "light", "baseline", "strong"}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_shape_type_and_repeatability(name: str, images: np.ndarray) -> None:
    original = images.copy()
    apply = augment(name, seed=3)
    first = apply(images)
    assert first.shape == images.shape and first.dtype == np.uint8
    np.testing.assert_array_equal(images, original)
    augment(name, seed=4)(images)
    np.testing.assert_array_equal(apply(images), first)
    np.testing.assert_array_equal(augment(name, seed=3)(images), first)


def test_none_changes_nothing(images: np.ndarray) -> None:
    np.testing.assert_array_equal(augment("none", seed=1)(images), images)


@pytest.mark.parametrize("name", CHANGING)
def test_seed_and_place_in_the_batch_matter(name: str, images: np.ndarray) -> None:
    same = np.repeat(images[:1], 12, axis=0)
    varied = augment(name, seed=0)(same)
    # Crops are of whole pixels, so that a light one may come up twice.
    assert len({image.tobytes() for image in varied}) >= 9
    assert not np.array_equal(varied, augment(name, seed=1)(same))


@pytest.mark.parametrize("name", CHANGING)
def test_an_augmented_image_is_still_that_image(name: str, images: np.ndarray) -> None:
    """Flipped or not, it is nearer to its own original than chance would have it."""
    same = np.repeat(images[:1], 200, axis=0)
    varied = augment(name, seed=0)(same).astype(float)
    plain, flipped = (np.abs(varied - image).mean(axis=(1, 2)) for image in (same, same[:, :, ::-1]))
    assert np.median(np.minimum(plain, flipped)) < 30
    assert 0.3 < (plain < flipped).mean() < 0.7  # about half are flipped


@pytest.mark.parametrize("name", CHANGING)
def test_threads_do_not_disturb_each_other(name: str, images: np.ndarray) -> None:
    """Keras may call from several worker threads."""
    expected = [augment(name, seed)(images) for seed in range(8)]
    found: dict[int, np.ndarray] = {}
    gate = threading.Barrier(8)

    def work(seed: int) -> None:
        gate.wait()
        found[seed] = augment(name, seed)(images)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, images_expected in enumerate(expected):
        np.testing.assert_array_equal(found[seed], images_expected)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="sepia"):
        augment("sepia", seed=0)


def varied(name: str, image: np.ndarray, count: int = 300) -> np.ndarray:
    """Many variations of one image: float [count, 48, 48]."""
    return augment(name, seed=0)(np.repeat(image[None], count, axis=0)).astype(float)


@pytest.mark.parametrize(
    ("name", "share"), [("none", 0.0), ("light", 0.0), ("baseline", 0.0), ("strong", 0.7)]
)
def test_faces_are_turned(name: str, share: float) -> None:
    """A level edge stays level in every crop; it does not when the image is turned, by up to 15 degrees."""
    image = np.full((48, 48), 40, np.uint8)
    image[24:] = 200
    bright = (varied(name, image)[:, :, 8:40] > 120).sum(axis=1)  # the edge's height in each column
    slope = np.abs(bright[:, -4:].mean(axis=1) - bright[:, :4].mean(axis=1))
    # A turn of less than about four degrees does not show, nor does one behind a cover.
    assert (slope >= 2).mean() == pytest.approx(0.7 * share, abs=0.15)
    # Every fifth is turned by eleven degrees or more: 28 columns on, the edge is over five rows up or down.
    assert (np.quantile(slope, 0.8) > 4.5) == (share > 0)


@pytest.mark.parametrize(
    ("name", "share", "least"), [("none", 0, 0), ("light", 0, 0), ("baseline", 0.5, 5), ("strong", 0.7, 15)]
)
def test_faces_are_relit(name: str, share: float, least: float) -> None:
    """A plain grey stays as it is in every crop and turn: what differs is the light."""
    grey = np.median(varied(name, np.full((48, 48), 100, np.uint8)), axis=(1, 2))
    assert (grey != 100).mean() == pytest.approx(share, abs=0.1)
    assert np.abs(grey - 100).max(initial=0) >= 2 * least


@pytest.mark.parametrize(("name", "share"), [("none", 0), ("light", 0), ("baseline", 0), ("strong", 0.5)])
def test_faces_are_covered_in_part(name: str, share: float) -> None:
    """On a nearly black image a rectangle of middle grey is seen at once."""
    grey = (varied(name, np.full((48, 48), 3, np.uint8)) == 128).mean(axis=(1, 2))
    assert (grey > 0).mean() == pytest.approx(share, abs=0.1)
    assert (grey[grey > 0] >= 0.015).all() and (grey <= 0.11).all()
