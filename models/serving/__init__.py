"""A finished model in use: model files, prediction of pictures, exports and the runtimes that open them."""
