"""The training loop: what feeds it, callbacks, checkpoints, history."""
