"""Will this SavedModel load, and answer the same, in every TensorFlow that has to serve it?"""

__version__ = "0.1.0"
