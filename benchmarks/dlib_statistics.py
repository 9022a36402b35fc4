"""The statistics that dlib's face network is given to train with: writes models/backbones/dlib_face_statistics.npy.

    python benchmarks/dlib_statistics.py --data PATH [--weights dlib_face_recognition_resnet_model_v1.dat]

Mean and variance, over faces and pixels, of what each batch normalisation is given while the network computes what dlib's does.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from ferplus_data.dataset import load_dataset, stratified  # noqa: E402
from models.backbones import dlib_face  # noqa: E402
from models.networks.build import build_model  # noqa: E402
from models.recipe import Recipe  # noqa: E402

FACES = 256


def statistics(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    """Return the means and variances, float32 [2, C in all], of the inputs of the normalisations of `model` for `faces`, uint8
    [N, 48, 48, 1]."""
    inputs = [model.get_layer(f"{name}_affine").input for name in dlib_face.convolution_names()]
    network = keras.Model(model.inputs, inputs)
    values = [value.astype(np.float64) for value in network.predict(faces, batch_size=32, verbose=0)]
    return np.array(
        [
            np.concatenate([value.mean((0, 1, 2)) for value in values]),
            np.concatenate([value.var((0, 1, 2)) for value in values]),
        ],
        np.float32,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="FER+")
    parser.add_argument("--weights", default="dlib", help="dlib (the installed package) or dlib's file")
    arguments = parser.parse_args()
    train = load_dataset(arguments.data).train
    faces = np.array(stratified(train, FACES / len(train), (0, 0)).pixels())[:FACES]
    model = build_model(Recipe(backbone="dlib_face"), weights=arguments.weights)
    found = statistics(model, faces)
    np.save(dlib_face.STATISTICS, found)
    print(f"{dlib_face.STATISTICS}: {found.shape[1]:,} channels, over {len(faces)} faces")


if __name__ == "__main__":
    main()
