"""Who runs the trials: the trial runner, heartbeat, preemption, checkpoint store, time budget; engines place workers."""
