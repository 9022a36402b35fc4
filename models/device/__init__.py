"""The device made ready: TensorFlow started, GPUs, number formats, silent native libraries."""
