"""What runs inside producers on behalf of a search; CPython 3.6 syntax, numpy and TensorFlow only."""
