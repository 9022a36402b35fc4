"""A trial on two devices. Two logical CPUs stand in for the GPUs, in a process of its own: TensorFlow makes them at its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from pathlib import Path
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from ferplus_data.dataset import load_dataset
from models.recipe import Recipe
from models.training.loop import train
from models.training.settings import Listener, Settings

dataset = load_dataset("demo", subset=0.05)
recipe = Recipe(backbone="small_vgg", batch_size=32, optimizer="adamw", dropout=0.2)
directory = Path(sys.argv[1])
class Stop(Exception): pass
def stop(epoch):
    raise Stop
try:
    train(recipe, dataset, directory=directory, epochs=2, settings=Settings(replicas=2), listener=Listener(stop))
except Stop:
    pass
training = train(recipe, dataset, directory=directory, epochs=2, settings=Settings(replicas=2))
assert [e.epoch for e in training.history] == [1, 2], training.history
assert all(0 < e.loss < 100 for e in training.history), training.history
assert training.model.predict(dataset.val.images[:3][..., None], verbose=0).shape == (3, 8)
from models.device.setup import replicated
with replicated(2):
    print("replicas", tf.distribute.get_strategy().num_replicas_in_sync)
try:
    train(recipe, dataset, directory=directory, epochs=2, settings=Settings(replicas=3))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_trial_trains_and_continues_on_two_devices(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert "replicas 2" in result.stdout
    assert "InputError --gpus-per-trial 3: expected that many devices, found 2" in result.stdout
