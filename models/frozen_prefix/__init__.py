"""The frozen layers of a network, run once for each image instead of once for each step."""
