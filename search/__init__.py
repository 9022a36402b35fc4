"""A search: which trial comes next, who runs it, where it is kept, what becomes of the best.

    from search import tune, Study          # docs/library.md

library/ is the front door for Python, launch.py a search from its configuration to its result, callbacks.py what programs
are told. Before the first trial: preflight.py checks, setup.py makes what a search needs, readiness.py and time_estimate.py say
what it would find and take, warm_start.py brings results known before, user_functions.py loads FILE.py:FUNCTION. queueing.py
takes configurations of the user's own.
    commands/   the command line, a file each
    study/      what a study is asked, keeps and leaves on disk
    storages/   one Optuna study in a database that may go away
    oracles/    which trial comes next
    workers/    who runs it
    results/    from the best trial to a measured, shipped model
    console/    what a person sees
    tracking/   what TensorBoard, MLflow, Weights & Biases or a URL is told
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.callbacks import SearchCallback as SearchCallback
    from search.library import Study as Study
    from search.library import tune as tune
    from search.oracles.optuna_oracle import OptunaOracle as OptunaOracle

__version__ = "0.2.0"
__all__ = ["OptunaOracle", "SearchCallback", "Study", "tune"]

_MODULES = {
    "OptunaOracle": "search.oracles.optuna_oracle",
    "SearchCallback": "search.callbacks",
    "Study": "search.library",
    "tune": "search.library",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for now: Keras and TensorFlow, which take seconds, are imported when they are used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
