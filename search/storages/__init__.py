"""One Optuna study in a database that may go away, and the attempts at a trial in it."""

GRACE_SECONDS = 120.0
"""Without a sign of life after which a worker is taken for dead."""
MAX_DEATHS = 3
"""How many deaths of its workers a trial survives."""
