"""Not written yet."""

from __future__ import annotations


class Tree:
    """Stand in."""


def walk(root):
    """Stand in."""
    return Tree()
