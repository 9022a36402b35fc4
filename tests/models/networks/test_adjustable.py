"""Numbers that a step of JAX's is given anew, the learning rate among them, and the order of the first epoch. TensorFlow's are
tested with the networks that stay compiled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import run_search

# With the head alone trainable, a step compiles in a second.
PROGRAM = """
import json, sys
from pathlib import Path
from models.device.setup import prepare_device
prepare_device()
import numpy as np
from ferplus_data.dataset import load_dataset
from models.networks.build import build_model
from models.networks.compiled import Networks
from models.recipe import Recipe
from models.training.loop import train

same = dict(
    backbone="small_vgg", image_size=16, freeze_before=-3, optimizer="adamw", batch_size=32, lr_policy="cosine",
    policy_parameters={"warmup_fraction": 0.0},
)
first = Recipe(**same, dropout=0.5, weight_decay=0.1, beta_1=0.9, learning_rate=1e-2)
second = Recipe(**same, dropout=0.2, weight_decay=30.0, beta_1=0.5, learning_rate=2e-2)
data = load_dataset("demo", subset=0.04)

def losses(recipe, name, networks):
    epoch, = train(recipe, data, directory=Path(sys.argv[1], name), epochs=1, networks=networks).history
    rates.append(epoch.learning_rate)
    return [epoch.loss]

kept, rates = Networks(), []
begun = losses(first, "first", kept)
network = kept.get(second, weights="none", seed=0, precision="float32")
traced, call = [], type(network.dropout).call
type(network.dropout).call = lambda *args, **options: traced.append(1) or call(*args, **options)
used = losses(second, "second", kept)
again = len(traced)
type(network.dropout).call = call
new = losses(second, "third", Networks())
dropped = np.asarray(network.dropout(np.ones((50, 400), np.float32), training=True))
network.begin(Recipe(**{**vars(first), "dropout": 0.0}))
kept_all = np.asarray(network.dropout(np.ones((9, 9), np.float32), training=True))
print(json.dumps({
    "same network": kept.get(first, weights="none", seed=0, precision="float32") is network,
    "traced": again, "rates": rates,
    "begun": begun, "used": used, "new": new,
    "dropped": [float(share) for share in ((dropped == 0).mean(), dropped.mean(), (kept_all == 0).mean())],
    "weights": [len(network.model.get_weights()), len(build_model(first).get_weights())],
}))
"""


def test_jax_trains_with_other_numbers_without_another_compilation(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        cwd=Path(run_search.__file__).parent,
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["same network"] and found["traced"] == 0
    np.testing.assert_allclose(found["used"], found["new"], rtol=1e-4)
    # The last of three or more steps has at most a quarter of the rate that the first had.
    assert all(
        rate <= first / 4 + 1e-8 for rate, first in zip(found["rates"], (1e-2, 2e-2, 2e-2), strict=True)
    )
    assert abs(found["used"][0] - found["begun"][0]) > 1e-3
    assert found["dropped"] == pytest.approx([0.2, 1.0, 0.0], abs=0.05)
    assert found["weights"][0] == found["weights"][1]
