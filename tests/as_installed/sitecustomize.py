"""Hides what the tests alone install from the processes that they start. TensorFlow and Keras would load it at each start, and
for a user they do not."""

import os
import sys

HIDDEN = ["matplotlib"] if os.environ.get("KERAS_BACKEND") == "jax" else ["matplotlib", "jax"]

for name in HIDDEN:
    sys.modules[name] = None  # type: ignore[assignment]
