"""What a study ran on: versions, processor, GPUs, commit."""

from __future__ import annotations

import importlib.metadata
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


def processor() -> str:
    """Return the name of the processor's model, "" where the system does not tell it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


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
