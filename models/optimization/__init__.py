"""What a training step does with a batch: optimizers, learning-rate policies, class weights."""
