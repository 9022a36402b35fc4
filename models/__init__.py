"""Networks, their training, and what comes out of it.

recipe.py holds every choice of one training, hyperparameters.py what a hyperparameter declares of itself.
    backbones/      bodies of networks, where their weights are published, under which terms
    networks/       recipe -> Keras model: weights, freezing, compiled networks kept between trainings
    optimization/   optimizers, learning-rate policies, class weights
    training/       the epochs: callbacks, checkpoints, history
    frozen_prefix/  the frozen layers, run once for each image
    metrics/        figures of a model's probabilities: objectives, intervals
    serving/        a finished model in use: pictures, exports, runtimes
    device/         GPUs, number formats
"""
