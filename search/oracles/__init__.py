"""Which trial comes next: oracles by name, their samplers and pruners, and the space they draw from."""

DEFAULT_ORACLE, DEFAULT_PRUNER = "portfolio", "promotion"
"""Those of a search that names neither, chosen with benchmarks/oracles.py (docs/search.md)."""

LEARNING = ("portfolio", "tpe", "gp", "hyperband")
"""Oracles that results from elsewhere can be told to."""


def own_pruner(oracle: str) -> str | None:
    """Return the pruner of an oracle that decides itself when a trial ends; None for one that works with any."""
    if oracle == "hyperband":
        return "hyperband"
    return "none" if oracle == "bayesian" or oracle.startswith("kt-") else None
