"""A search: which trial comes next, who runs it, where it is kept, what becomes of the best.

launch.py is a search from its configuration to its result, setup.py what it needs before the first trial.
    study/      what a study is asked, keeps and leaves on disk
    storages/   one Optuna study in a database that may go away
    oracles/    which trial comes next
    workers/    who runs it
    results/    from the best trial to a measured, shipped model
    console/    what a person sees
"""

__version__ = "0.2.0"
