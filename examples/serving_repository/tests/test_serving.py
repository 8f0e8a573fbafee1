"""Every server answers as the release that exported the model did."""

import pytest


@pytest.mark.savedmodel("regressor", producers="2.11.1", strip="on")
def test_every_server_answers_alike(savedmodel_cell: list) -> None:
    """One item for each server; what does not load, or answers otherwise, fails before this line."""
    assert [result.reference for result in savedmodel_cell] == ["export"]
