"""Run with Keras 2 alone (tf_keras): writes seed.hdf5, a checkpoint of the baseline's kind, and the labels it gives to faces.npy.

python keras_2_checkpoint.py FOLDER NETWORK
"""

import sys
import types

import cv2
import numpy as np
import tf_keras

sys.modules["keras"] = tf_keras
for name in ("layers", "models", "backend", "utils"):
    sys.modules["keras." + name] = getattr(tf_keras, name)


def lend(name, **members):
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__.update(members)


lend("keras.engine")
lend("keras.engine.topology", get_source_inputs=tf_keras.utils.get_source_inputs)
lend("keras.utils.data_utils", get_file=tf_keras.utils.get_file)
tf_keras.utils.layer_utils = None
from keras_vggface import models  # noqa: E402

folder, network = sys.argv[1:]
tf_keras.utils.set_random_seed(0)
body = getattr(models, network.upper())(include_top=False, weights=None, input_shape=(224, 224, 3))
x = tf_keras.layers.Flatten(name="flatten")(body.output)
x = tf_keras.layers.Dropout(0.3, name="dropout_layer")(x)
model = tf_keras.Model(body.input, tf_keras.layers.Dense(8, activation="softmax", name="classifier")(x))

# As the baseline's loader does it: resized as bytes, grey repeated to RGB, BGR, minus keras_vggface's mean.
faces = np.load(f"{folder}/faces.npy")
images = np.stack([cv2.resize(face, (224, 224), interpolation=cv2.INTER_LINEAR) for face in faces])
images = np.repeat(images[..., None], 3, axis=-1)[..., ::-1].astype("float32") - (91.4953, 103.8827, 131.0912)

norms = [layer for layer in model.layers if "BatchNormalization" in type(layer).__name__]
for layer in norms:
    layer.momentum = 0.2
model(images[:8], training=True)  # moving statistics that fit the activations, so that outputs stay in range
# A head that tells the faces apart: without one every face would get the same label.
features = tf_keras.Model(model.input, model.get_layer("flatten").output).predict(images, verbose=0)
centred = features - features.mean(axis=0)
_, _, directions = np.linalg.svd(centred, full_matrices=False)
kernel = (directions[:8].T / (centred @ directions[:8].T).std(axis=0)).astype("float32") * 2
model.layers[-1].set_weights([kernel, (-features.mean(axis=0) @ kernel).astype("float32")])
np.save(f"{folder}/probabilities.npy", model.predict(images, verbose=0))
model.compile("adam", "categorical_crossentropy")
model.save(f"{folder}/seed.hdf5")
