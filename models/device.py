"""The accelerator: one process, one visible GPU, memory taken as needed."""

from __future__ import annotations

import keras


def prepare_device() -> None:
    """Make TensorFlow take GPU memory as it needs it, so that several processes can share a machine. To be called before the
    first tensor; without a GPU it does nothing."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
