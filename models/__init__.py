"""Backbones, training and what comes out of it.

recipe.py says what can be chosen; build.py makes the network (vggface.py and backbones.py its body, weights.py and
freezing.py its start); training.py runs the epochs with lr_policies.py, optimizers.py and class_weights.py and keeps them
with checkpoints.py; evaluation.py scores, saved.py stores whole models, prediction.py names the expression of a picture.
"""
