"""The transfer setting of the benchmarks: a space of fine-tunings, and a stand-in for pretrained weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

    from ferplus_data.dataset import Dataset, Split


def transfer(hp: HyperParameters) -> None:
    """Fine-tuning of the small backbone, as the seed's space is of the published ones: every trial freezes a part."""
    hp.Fixed("backbone", "small")
    hp.Choice("freeze_before", [-38, -27, -15, -3])
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


def pretrain(dataset: Dataset, path: Path, epochs: int) -> Split:
    """Train the small backbone on one half of the training split, write its weights to `path` and return the other half."""
    import numpy as np

    from models.recipe import Recipe
    from models.training import train
    from spaces.small import RECIPES

    half = np.random.default_rng(0).permutation(len(dataset.train)) % 2 == 0
    recipe = Recipe.from_hyperparameters({**RECIPES["small-soft"], "backbone": "small"})
    training = train(
        recipe,
        dataset,
        directory=path.with_suffix(".training"),
        epochs=epochs,
        train_split=dataset.train.take(half),
    )
    training.model.save_weights(path)
    return dataset.train.take(~half)
