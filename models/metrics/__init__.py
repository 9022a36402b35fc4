"""Figures of a model's probabilities, with their intervals."""
