from __future__ import annotations

import pytest

from ferplus_data.errors import InputError
from models.device import precision
from models.device.precision import resolve_precision


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([], "float32"),
        ([(6, 1)], "float32"),
        ([(7, 5)], "float16"),
        ([(8, 0)], "bfloat16"),
        ([(9, 0), (7, 0)], "float16"),
    ],
)
def test_auto_takes_what_the_slowest_gpu_is_good_at(
    capabilities: list[tuple[int, int]], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "compute_capabilities", lambda: capabilities)
    assert resolve_precision("auto")[0] == expected


def test_a_format_that_the_device_is_not_good_at_is_taken_but_not_silently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(precision, "compute_capabilities", lambda: [])
    monkeypatch.setattr(precision, "processor_has", lambda feature: False)
    name, why = resolve_precision("bfloat16")
    assert name == "bfloat16" and "seldom faster" in why


@pytest.mark.parametrize("asked", ["bfloat16", "float16"])
def test_a_processor_with_units_for_bfloat16_is_good_at_it(
    asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "compute_capabilities", lambda: [])
    monkeypatch.setattr(precision, "processor_has", {"amx_bf16": True}.get)
    name, why = resolve_precision(asked)
    assert name == asked and ("seldom faster" in why) == (asked == "float16")


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="int4"):
        resolve_precision("int4")
