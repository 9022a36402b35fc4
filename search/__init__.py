"""How a space is explored.

launch.py is a search from arguments to report. On its way: preparation.py gathers what it needs, space.py finds and pins the
space, oracle.py (with distributions.py, samplers.py, pruners.py) or mirrored.py hands out trials of the study in storage.py,
tuner.py runs them while clock.py watches the time, retraining.py trains the best again and reads the test split. study.py is how
reports and status read a study.

Any number of processes do so on one study: engines/ places them, patient.py and reading.py are their way to its database,
lineage.py counts a trial and its continuations as one, heartbeat.py finds those whose worker is gone, preemption.py answers
SIGTERM, artifacts.py carries checkpoints between machines, watching.py shows what all of them do.
"""
