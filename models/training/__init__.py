"""The training loop: optimizers, learning-rate policies, class weights, callbacks, checkpoints."""
