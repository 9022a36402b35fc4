"""The front door for Python: a search (tuning.py), and a study to look at (study.py), as the commands do it.

>>> from search import tune
>>> study = tune(data="demo", subset=0.1, trials=2, epochs=2, finalists=0, study="first", quiet=True)
>>> study.get_best_trials()[0].score == max(trial.score for trial in study.get_best_trials(2))
True
"""

from search.library.study import FORMATS, Study
from search.library.tuning import tune

__all__ = ["FORMATS", "Study", "tune"]
