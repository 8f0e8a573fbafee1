"""Hypothesis, or what to do where it is not there."""

from savedmodel_compat.errors import UsageError

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    raise UsageError(
        "the search for inputs needs Hypothesis, which is not there",
        hint="install savedmodel-compat with its extra [hypothesis], or `pip install hypothesis`",
    ) from error

try:
    from hypothesis.internal.conjecture.providers import HypothesisProvider
except ModuleNotFoundError:
    # Where it was in older ones.
    from hypothesis.internal.conjecture.data import (  # type: ignore[attr-defined]
        HypothesisProvider,
    )

__all__ = ["HypothesisProvider", "st"]
