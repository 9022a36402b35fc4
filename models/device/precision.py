"""Number formats that a network can be trained in. Adding one is a line in PRECISIONS."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from ferplus_data.errors import InputError
from models.device.machine import processor_has

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
"""Name -> Keras dtype policy. Weights are float32 under each; mixed_float16 also scales the loss (Micikevicius et al. 2018)."""

# The first NVIDIA generations with tensor cores for each format: Ampere (8.0) and Volta (7.0).
_BFLOAT16_FROM, _FLOAT16_FROM = (8, 0), (7, 0)


def resolve_precision(asked: str) -> tuple[str, str]:
    """Return the precision to train in and why.

    Args:
        asked: A name in PRECISIONS, taken as it is, or "auto": the fastest that every GPU of this process has units for, and
            float32 on CPUs, few of which have units for another.

    Raises:
        InputError: No such precision.
    """
    if asked not in ("auto", *PRECISIONS):
        raise InputError(f"--precision {asked!r}: expected auto, {', '.join(PRECISIONS)}")
    capabilities = compute_capabilities()
    lowest = min(capabilities, default=None)
    good = ["float32"]
    if lowest is not None and lowest >= _FLOAT16_FROM:
        good.append("float16")
    if lowest is not None and lowest >= _BFLOAT16_FROM:
        good.append("bfloat16")
    device = "no GPU" if lowest is None else f"a GPU of compute capability {lowest[0]}.{lowest[1]}"
    if asked == "auto":
        return good[-1], f"{device}"
    if asked == "bfloat16" and not capabilities and processor_has("amx_bf16"):
        return asked, "as asked; this processor computes matrices in it (AMX)"
    if asked not in good:
        return asked, f"as asked; with {device} it is seldom faster than float32"
    return asked, "as asked"


@contextlib.contextmanager
def dtype_policy(precision: str) -> Iterator[None]:
    """Make layers in `precision` while the block runs."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[precision])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def compute_capabilities() -> list[tuple[int, int]]:
    """Return (major, minor) of every NVIDIA GPU that the backend sees."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return [detail.get("compute_capability", (0, 0)) for detail in details]
    if keras.backend.backend() == "jax":
        import jax

        versions = [getattr(d, "compute_capability", "0.0") for d in jax.devices() if d.platform == "gpu"]
        return [(int(major), int(minor)) for major, _, minor in (v.partition(".") for v in versions)]
    return []
