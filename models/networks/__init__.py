"""A recipe's network: backbones, their weights, freezing, the Keras model and its compiled form."""
