"""What a study ran on: versions, processor, GPUs, commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from ferplus_data.cores import cores

_PACKAGES = [
    "tensorflow",
    "keras",
    "keras-tuner",
    "keras-vggface",
    "optuna",
    "albumentations",
    "numpy",
    "pandas",
    "plotly",
    "scikit-learn",
]


def versions() -> dict[str, str]:
    """Return the version of Python and of each package that a figure may depend on."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def machine() -> dict[str, Any]:
    """Return the system, the CPU and the GPUs of this process. Loads Keras."""
    import keras

    gpus: list[str] = []
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = [
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices("GPU")
        ]
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": cores(),
        "processor": processor(),
        "gpus": gpus,
        "backend": keras.backend.backend(),
    }


def threads() -> dict[str, int]:
    """Return how many threads this process computes with: openmp, of libraries that use it, and with TensorFlow intra_op, within
    an operation, and inter_op, operations at the same time. Loads Keras."""
    import keras

    found = {"openmp": _asked_for("OMP_NUM_THREADS") or cores()}
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # 0 where the program has not set it: then TensorFlow goes by the environment, and without it by the cores.
        intra_op = tf.config.threading.get_intra_op_parallelism_threads()
        inter_op = tf.config.threading.get_inter_op_parallelism_threads()
        found["intra_op"] = intra_op or _asked_for("TF_NUM_INTRAOP_THREADS") or cores()
        found["inter_op"] = inter_op or _asked_for("TF_NUM_INTEROP_THREADS") or cores()
    return found


def _asked_for(variable: str) -> int:
    """The number in an environment variable, of a list (OpenMP has one for each level) the first; 0 where there is none."""
    text = os.environ.get(variable, "").partition(",")[0].strip()
    return int(text) if text.isascii() and text.isdecimal() else 0


def processor() -> str:
    """Return the name of the processor's model, "" where the system does not tell it."""
    return _cpuinfo("model name") or platform.processor()


def processor_has(feature: str) -> bool:
    """Whether the processor is known to have `feature`, as Linux names it: "amx_bf16"."""
    return feature in _cpuinfo("flags").split()


def _cpuinfo(field: str) -> str:
    """What Linux tells of the first processor; "" where it does not, and on other systems."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(field):
                return line.partition(":")[2].strip()
    return ""


def git_commit() -> str | None:
    """Return the commit of this code, None where it is not in a git repository."""
    try:
        result = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()
