"""The search space as it was declared: its hyperparameters, their checks, and drawing them in the order of their conditions."""
