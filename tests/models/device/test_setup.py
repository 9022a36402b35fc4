from __future__ import annotations

import os

import pytest

from models.device.setup import without_start_up_noise


def test_only_the_known_noise_is_kept_off_the_screen(capfd: pytest.CaptureFixture) -> None:
    with without_start_up_noise():
        os.write(
            2,
            b"I0000 cudart_stub.cc:31] Could not find cuda drivers on your machine\nE0000 something is wrong\n",
        )
    assert capfd.readouterr().err == "E0000 something is wrong\n"


def test_what_was_said_before_a_failure_is_passed_on(capfd: pytest.CaptureFixture) -> None:
    with pytest.raises(ImportError), without_start_up_noise():
        os.write(2, b"the reason\n")
        raise ImportError("no backend")
    assert capfd.readouterr().err == "the reason\n"
