"""Which ops TensorFlow knows: data taken from the libraries of the pinned releases, shipped with the package."""
