"""One Optuna study in a database that may go away, and the attempts at a trial in it."""
