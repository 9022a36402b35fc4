from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.frozen_prefix.cache import CacheError, PrefixCache

ROWS, SHAPE = 40, (2, 2, 8)


def content(factor: float = 1.0) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, *SHAPE)).astype(np.float32) * np.float32(factor)


def chunks(values: np.ndarray) -> Iterator[np.ndarray]:
    yield from np.split(values, 4)


def never() -> Iterator[np.ndarray]:
    raise AssertionError("computed although it was there")


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e4, 1e12])
def test_what_was_computed_is_read_back_to_the_rounding_of_float16(tmp_path: Path, factor: float) -> None:
    values = content(factor)
    PrefixCache(tmp_path, 10**6).get({"a": 1}, ROWS, lambda: chunks(values))
    found = PrefixCache(tmp_path, 10**6).get({"a": 1}, ROWS, never).take(np.array([3, 1, 39]))
    np.testing.assert_allclose(found, values[[3, 1, 39]], rtol=2**-10, atol=factor * 2**-20)


def test_another_identity_is_another_entry(tmp_path: Path) -> None:
    cache = PrefixCache(tmp_path, 10**6)
    cache.get({"view": 0}, ROWS, lambda: chunks(content()))
    assert cache.has({"view": 0}) and not cache.has({"view": 1})


def test_one_computes_while_the_others_wait(tmp_path: Path) -> None:
    computed, waited = [], []

    def slowly() -> Iterator[np.ndarray]:
        computed.append(1)
        for chunk in chunks(content()):
            time.sleep(0.1)
            yield chunk

    def work() -> None:
        PrefixCache(tmp_path, 10**6).get({}, ROWS, slowly, on_wait=lambda: waited.append(1))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(computed) == 1 and len(waited) >= 1


def test_what_a_killed_process_had_begun_is_never_read(tmp_path: Path) -> None:
    program = f"""
import os, sys, numpy as np
from pathlib import Path
from models.frozen_prefix.cache import PrefixCache
def chunks():
    yield np.zeros((10, 2, 2, 8), np.float32)
    os.kill(os.getpid(), 9)
PrefixCache(Path({str(tmp_path)!r}), 10**6).get({{}}, {ROWS}, chunks)
"""
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", program], cwd=root).returncode == -9
    cache = PrefixCache(tmp_path, 10**6)
    assert not cache.has({})
    found = cache.get({}, ROWS, lambda: chunks(content()))
    assert found.values.any()


def test_the_least_recently_used_makes_room(tmp_path: Path) -> None:
    size = 2 * ROWS * int(np.prod(SHAPE))
    cache = PrefixCache(tmp_path, int(2.5 * size))
    for name in ("first", "second"):
        cache.get({"name": name}, ROWS, lambda: chunks(content()))
        time.sleep(0.02)
    cache.get({"name": "first"}, ROWS, never)
    time.sleep(0.02)
    cache.get({"name": "third"}, ROWS, lambda: chunks(content()))
    assert [cache.has({"name": name}) for name in ("first", "second", "third")] == [True, False, True]


def test_more_than_there_is_room_for_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="more than the 0.0 GB"):
        PrefixCache(tmp_path, 100).get({}, ROWS, lambda: chunks(content()))
    assert not list(tmp_path.rglob("*.npy"))


def test_a_file_that_cannot_be_written_whole_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: both fail in `write`."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        with pytest.raises(CacheError):
            PrefixCache(tmp_path, 10**6).get({}, ROWS, lambda: chunks(content()))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize("damage", ["byte", "truncated", "meta"])
def test_a_damaged_entry_is_an_error_once_and_then_made_anew(tmp_path: Path, damage: str) -> None:
    PrefixCache(tmp_path, 10**6).get({}, ROWS, lambda: chunks(content()))
    (path,) = tmp_path.glob("*/activations.npy")
    if damage == "byte":
        raw = bytearray(path.read_bytes())
        raw[-5] ^= 1
        path.write_bytes(raw)
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        (path.parent / "meta.json").write_text("{")
    cache = PrefixCache(tmp_path, 10**6)
    with pytest.raises(CacheError, match="damaged"):
        cache.get({}, ROWS, never)
    assert cache.get({}, ROWS, lambda: chunks(content())).values.shape == (ROWS, *SHAPE)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    values = content()
    values[0, 0, 0, 0] = value
    with pytest.raises(CacheError, match="not finite"):
        PrefixCache(tmp_path, 10**6).get({}, ROWS, lambda: chunks(values))
