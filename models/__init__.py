"""Networks, their training, and what comes out of it.

recipe.py holds every choice of one training.
    networks/       recipe -> Keras model: backbones, weights, freezing
    training/       the epochs: optimizers, learning-rate policies, class weights, checkpoints
    frozen_prefix/  the frozen layers, run once for each image
    metrics/        figures of a model's probabilities
    serving/        a finished model in use: pictures, exports, runtimes
    device/         GPUs, cores, number formats
"""
