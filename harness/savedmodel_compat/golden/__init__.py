"""The memory of what the answer was: comparison of outputs with a reference."""
