"""Which trial comes next: oracles by name, their samplers and pruners, and the space they draw from."""

DEFAULT_ORACLE, DEFAULT_PRUNER = "portfolio", "promotion"
"""Those of a search that names neither, chosen with benchmarks/oracles.py (docs/search.md)."""
