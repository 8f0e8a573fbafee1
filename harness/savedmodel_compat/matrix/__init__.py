"""Models x consumers: what is to run, what it gave, and why."""
