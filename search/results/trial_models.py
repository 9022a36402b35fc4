"""The models of trials, as their searches left them."""

from __future__ import annotations

import keras

from ferplus_data.errors import InputError
from models.networks.build import build_model
from models.networks.compiled import Network
from models.recipe import Recipe
from models.training.checkpoints import Checkpoints
from search.setup import weights_for
from search.study.arguments import SearchArguments
from search.study.view import TrialRecord


def load_trial_model(trial: TrialRecord, arguments: SearchArguments) -> keras.Model:
    """Return the network of `trial`, of a study of `arguments`, with the weights of its best epoch: uint8 [B, 48, 48, 1] ->
    float32 probabilities [B, 8].

    Raises:
        InputError: The trial left no weights here.
    """
    if not (trial.directory / "best.weights.h5").is_file():
        raise InputError(
            f"trial {trial.number}: expected its weights in {trial.directory}, found none; it finished no epoch, or another "
            "machine has them"
        )
    recipe = Recipe.from_hyperparameters(trial.hyperparameters)
    weights = weights_for(arguments, recipe.backbone)
    network = Network(recipe, weights=weights, seed=arguments.seed, precision="float32")
    Checkpoints(trial.directory).load_best(network.suffix)
    model = build_model(recipe)
    model.set_weights(network.model.get_weights())
    return model
