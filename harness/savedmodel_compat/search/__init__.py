"""The search for inputs that break a model: how they are drawn, what is asked of each, and what is kept of what was found."""
