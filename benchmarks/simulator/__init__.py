"""Search methods compared on recorded learning curves, in seconds and on a virtual clock.

tasks.py names the tasks; lcbench.py, taskset.py and recorded.py read their curves; tellings.py declares each as a search space;
methods.py makes the oracles; study.py runs one study; scores.py and output.py say what came out.
"""
