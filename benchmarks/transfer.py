"""The transfer setting of the benchmarks: a space of fine-tunings, and a stand-in for pretrained weights."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

    from ferplus_data.dataset import Dataset, Split

BACKBONE, IMAGE_SIZE = "resnet50", 48


def transfer(hp: HyperParameters) -> None:
    """Fine-tuning of ResNet50: its last block or the head alone. At 48 pixels, so that CPUs can do it."""
    hp.Fixed("backbone", BACKBONE)
    hp.Fixed("image_size", IMAGE_SIZE)
    hp.Choice("freeze_before", [-12, -3])
    hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    hp.Choice("optimizer", ["adam"])
    hp.Float("learning_rate", 1e-4, 1e-2, sampling="log", default=1e-3)
    hp.Choice("beta_1", [0.5, 0.9], default=0.9)
    hp.Choice("batch_size", [32, 64, 128], default=64)
    hp.Choice("lr_policy", ["cosine", "exponential", "one_cycle"])
    hp.Choice("class_weights", ["none", "sqrt_balanced"])
    hp.Choice("target", ["soft", "majority"])
    hp.Choice("label_smoothing", [0.0, 0.05, 0.1])
    hp.Choice("augmentation", ["light", "seed"])


def halves(dataset: Dataset) -> tuple[Split, Split]:
    """Return the half of the training split that the stand-in is trained on, and the other one."""
    import numpy as np

    first = np.random.default_rng(0).permutation(len(dataset.train)) % 2 == 0
    return dataset.train.take(first), dataset.train.take(~first)


def pretrain(dataset: Dataset, path: Path, epochs: int) -> None:
    """Train the backbone on the first half of the training split and write its weights to `path`, unless they are there."""
    from models.recipe import Recipe
    from models.training.loop import train
    from models.training.settings import Listener, Settings
    from spaces.small import RECIPES

    if path.exists():
        return
    recipe = Recipe.from_hyperparameters(
        {**RECIPES["small-soft"], "backbone": BACKBONE, "image_size": IMAGE_SIZE, "learning_rate": 1e-3}
    )
    training = train(
        recipe,
        dataset,
        directory=path.with_suffix(".training"),
        epochs=epochs,
        settings=Settings(train_split=halves(dataset)[0]),
        listener=Listener(say=lambda line: print(line, file=sys.stderr)),
    )
    print(f"stand-in: validation accuracy {training.best.val_accuracy:.4f}", file=sys.stderr)
    training.model.save_weights(path)
