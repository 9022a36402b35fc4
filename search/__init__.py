"""How a space is explored.

launch.py is a search from arguments to report. On its way: space.py finds and pins the space, oracle.py (with distributions.py,
samplers.py, pruners.py) or mirrored.py hands out trials of the study in storage.py, tuner.py runs them while clock.py watches the
time, retraining.py trains the best again and reads the test split. study.py is how reports and status read a study.
"""
