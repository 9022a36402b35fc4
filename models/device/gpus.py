"""The GPUs that this process sees."""

from __future__ import annotations

import os


def visible_gpus() -> list[str]:
    """Return the GPUs that this process sees, by the names that CUDA_VISIBLE_DEVICES takes."""
    found = _count()
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named[:found] if named else [str(i) for i in range(found)]


def _count() -> int:
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if keras.backend.backend() == "jax":
        import jax

        return sum(device.platform == "gpu" for device in jax.local_devices())
    return 0
