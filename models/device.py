"""The process and its accelerator, made ready for training: one visible GPU, or CPU cores that do not wait for memory."""

from __future__ import annotations

import ctypes
import platform

import keras


def prepare_device() -> None:
    """Make TensorFlow take GPU memory as it needs it, so that several processes can share a machine; on a CPU, keep freed memory
    for the next step. To be called before the first tensor; other backends are left alone."""
    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Stop glibc's malloc from giving every step's tensors back to the system. Their pages are otherwise mapped and cleared anew
    each step, which took up to half of the time of small networks (docs/results.md)."""
    if platform.libc_ver()[0] != "glibc":
        return
    m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4  # malloc.h
    mallopt = ctypes.CDLL(None).mallopt
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_top_pad, 256 * 2**20)
