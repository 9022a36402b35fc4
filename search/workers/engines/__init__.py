"""Engines by name: what places the workers of a search. Adding one is a file here and a line in ENGINES.

An engine is a context manager. Entering it starts the workers of its team, `poll` replaces those that died and says whether any
is left, and leaving it stops them.
"""

from __future__ import annotations

from collections.abc import Callable

from search.workers.engines.local import local
from search.workers.engines.ray import ray
from search.workers.engines.team import Engine, Team

ENGINES: dict[str, Callable[[Team], Engine]] = {"local": local, "ray": ray}
