"""Static rules: a model in, findings out; nothing is run."""
