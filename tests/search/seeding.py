"""Models with a fault, how a property fails of them, and the smallest inputs that show it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from savedmodel_compat.properties import BrokenError, DoesNotApplyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from savedmodel_compat.properties import Subject, Tally

FILE = "tests/search/exporters.py"


def seeded(function: str, **options: object) -> pytest.MarkDecorator:
    """Return the marker of a model with a fault, in the release that wrote it."""
    said = {"producers": "2.11.1", "on": "2.11.1", "strip": "on", "examples": "200", **options}
    return pytest.mark.savedmodel(f"{FILE}::{function}", **said)


def broken(holds: Callable[[Subject], Tally], subject: Subject) -> str:
    """Return how a property fails; that it does not apply would be a skip, and a fault here."""
    try:
        tally = holds(subject)
    except BrokenError as error:
        return str(error)
    except DoesNotApplyError as error:
        pytest.fail(f"it does not apply: {error}")
    pytest.fail(f"it holds: {tally}")


def smallest(text: str) -> str:
    """Return the smallest inputs of a failure in words."""
    found = re.search(r"^  smallest inputs: (.*)$", text, re.MULTILINE)
    assert found, text
    return found.group(1)
