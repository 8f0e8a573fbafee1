"""The JSON record, and what is drawn from it."""
