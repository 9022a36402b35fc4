"""recipe -> Keras model: preprocessing, backbone, head, in one flat graph."""

from __future__ import annotations

import keras
from keras import layers

from ferplus_data.labels import EMOTIONS
from models.backbones.registry import BACKBONES, Backbone
from models.device.precision import dtype_policy
from models.networks.freezing import freeze
from models.networks.weights import load_weights
from models.recipe import Recipe


def build_model(
    recipe: Recipe,
    *,
    weights: str = "none",
    precision: str = "float32",
    dropout: type[layers.Layer] = layers.Dropout,
) -> keras.Model:
    """Return the uncompiled model of `recipe`: uint8 grey faces [B, 48, 48, 1] in, float32 probabilities [B, 8] out.

    The graph is flat, so that `model.layers[-k]` counts as it does in the baseline's layer listings. Only layers that
    Keras ships are used, so that a saved model loads anywhere in safe mode.

    Args:
        recipe: What to build.
        weights: "none", "vggface2" or the path of a weights file, as `models.networks.weights.load_weights` takes it.
        precision: Name in `models.device.precision.PRECISIONS`, of the backbone's arithmetic. The faces' preparation and the
            softmax are float32 in each.
        dropout: Class of the dropout layer.

    Raises:
        InputError: The weights cannot be had or do not fit, or freeze_before is out of range.

    Example:
        >>> model = build_model(Recipe(freeze_before=-3))
        >>> model.input_shape, model.output_shape, len(model.trainable_weights)
        ((None, 48, 48, 1), (None, 8), 2)
    """
    backbone = BACKBONES[recipe.backbone]
    with dtype_policy(precision):
        model = _graph(recipe, backbone, dropout)
    if backbone.batch_norm_momentum is not None:
        for layer in model.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = backbone.batch_norm_momentum
    load_weights(model, backbone, weights)
    freeze(model, recipe.freeze_before)
    return model


def _graph(recipe: Recipe, backbone: Backbone, dropout: type[layers.Layer]) -> keras.Model:
    size = recipe.resolved_image_size
    faces = keras.Input((48, 48, 1), dtype="uint8", name="face")
    x = layers.Rescaling(1.0, dtype="float32", name="to_float")(faces)
    if size != 48:
        # Its own default is training=True, which Keras hands on to every layer after it when the model is called without one.
        resize = layers.Resizing(size, size, interpolation="bilinear", dtype="float32", name="resize")
        x = resize(x, training=False)
    x = layers.Concatenate(dtype="float32", name="grey_to_bgr")([x, x, x])
    x = layers.Normalization(
        axis=-1,
        mean=backbone.channel_means,
        variance=(backbone.channel_scale**2,) * 3,
        dtype="float32",
        name="subtract_mean",
    )(x)
    x = backbone.body(x)
    x = layers.Flatten(name="flatten")(x)
    x = dropout(recipe.dropout, name="dropout_layer")(x)
    # float32 whatever the precision policy: a softmax in half precision loses the small probabilities.
    outputs = layers.Dense(len(EMOTIONS), activation="softmax", dtype="float32", name="dense")(x)
    return keras.Model(faces, outputs, name=f"ferplus_{recipe.backbone}")


def compile_model(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Compile `model` for training. The loss is plain cross-entropy: label smoothing and class weights are in the targets and
    sample weights of the training batches, so that the validation loss means the same in every trial. XLA is left to Keras,
    which uses it on GPUs and, under TensorFlow, not on CPUs."""
    model.compile(
        optimizer=optimizer,
        loss="categorical_crossentropy",
        # By name, Keras would make its variables while it traces the first step, and TensorFlow then traces that again.
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
    )
