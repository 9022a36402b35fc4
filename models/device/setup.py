"""The process made ready for training: TensorFlow started quietly, one visible GPU, or CPU cores that do not wait for memory."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from ferplus_data.errors import InputError
from models.device.keras_settings import apply_keras_settings, check_keras_settings

# What the C++ libraries say on standard error at their start, whatever the log level.
_START_UP_NOISE = (
    "All log messages before absl::InitializeLog",
    "Could not find cuda drivers",
    "failed call to cuInit",  # a CUDA library without a GPU
    "oneDNN custom operations are on",
    "This TensorFlow binary is optimized",
    "To enable the following instructions",
)


def prepare_device() -> None:
    """Start Keras's backend. TensorFlow and JAX take GPU memory as they need it, so that several processes can share a machine;
    on a CPU TensorFlow computes with oneDNN and keeps freed memory. To be called before Keras is imported elsewhere.

    Raises:
        InputError: KERAS_BACKEND or keras.json keep Keras from starting.
    """
    check_keras_settings()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN's convolutions are faster also on the CPUs for which TensorFlow does not choose them by itself.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX's
    with without_start_up_noise():
        import keras

        apply_keras_settings()
        if keras.backend.backend() != "tensorflow":
            return
        import tensorflow as tf

        # Its warnings are of tracing, which every new network and batch size needs.
        tf.get_logger().setLevel("ERROR")

        gpus = tf.config.list_physical_devices("GPU")
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        keep_freed_memory()


@functools.cache
def _strategy(replicas: int) -> Any:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < replicas:
        raise InputError(f"--gpus-per-trial {replicas}: expected that many devices, found {len(devices)}")
    return tf.distribute.MirroredStrategy([device.name for device in devices[:replicas]])


def replicated(replicas: int) -> contextlib.AbstractContextManager[Any]:
    """Return a scope in which a model is built, compiled and restored so that `replicas` GPUs (or, without any, logical CPU
    devices) share each of its batches; for one replica, a scope that changes nothing.

    Raises:
        InputError: There are fewer devices, or the backend is not TensorFlow.
    """
    if replicas == 1:
        return contextlib.nullcontext()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"--gpus-per-trial {replicas}: expected the TensorFlow backend, found {keras.backend.backend()}"
        )
    return _strategy(replicas).scope()


def has_gpu() -> bool:
    """Whether Keras's backend computes on a GPU."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_logical_devices("GPU"))
    return any(name.startswith(("gpu", "cuda")) for name in keras.distribution.list_devices())


def keep_freed_memory() -> None:
    """Stop glibc's malloc from giving every step's tensors back to the system. Their pages are otherwise mapped and cleared
    anew each step."""
    if platform.libc_ver()[0] != "glibc":
        return
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4  # malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 256 * 2**20)


@contextlib.contextmanager
def without_start_up_noise() -> Iterator[None]:
    """Set file descriptor 2 aside while the block runs, then pass on what is not the known noise."""
    sys.stderr.flush()
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8", errors="replace") as aside:
        standard_error = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            aside.seek(0)
            sys.stderr.writelines(
                line for line in aside if not any(noise in line for noise in _START_UP_NOISE)
            )
