"""What is recorded of the machine."""

from __future__ import annotations

import pytest

from ferplus_data.cores import cores
from models.device.machine import threads

VARIABLES = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ((None, None, None), (None, None, None)),
        (("3", "5", "7"), (3, 5, 7)),
        (("4,2", "many", "0"), (4, None, None)),
    ],
)
def test_the_number_of_threads_is_known_whether_it_was_asked_for_or_not(
    environment: tuple[str | None, ...], found: tuple[int | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(VARIABLES, environment, strict=True):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    expected = [number or cores() for number in found]
    assert threads() == dict(zip(("openmp", "intra_op", "inter_op"), expected, strict=True))
