"""A page on this machine on which a model can be tried: pictures that are dropped, chosen or taken by the camera."""
