"""Patterns of releases, and how the shortest one is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.matrix.made_cells import TABLE

from savedmodel_compat.errors import UnknownReleaseError
from savedmodel_compat.matrix.releases import is_release, parse, spell

PINS = [pin.release for pin in TABLE.on("cpu")]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("2.4.4", ["2.4.4"], ["2.4.3", "2.5.3"]),
        ("2.11", ["2.11.0", "2.11.1"], ["2.1.4", "2.12.1"]),
        (">=2.4,<2.6", ["2.4.4", "2.5.3"], ["2.6.5", "2.3.4"]),
        ("1.15.5,>=2.4,<2.6,2.11", ["1.15.5", "2.5.0", "2.11.1"], ["2.6.5", "1.15.4"]),
        ("smoke", ["1.15.5", "2.21.0"], ["2.20.0"]),
        ("all", PINS, ["2.22.0"]),
        ("unknown", ["unknown"], ["2.4.4"]),
        ("<2.5", ["1.4.0-rc1", "2.4.4"], ["no version", "unknown"]),
    ],
)
def test_what_a_specifier_takes_in(text: str, inside: list[str], outside: list[str]) -> None:
    """Releases, minors, ranges and sets mean what they mean on the command line, of any release."""
    found = parse(text, TABLE)
    assert [each for each in inside if not found.has(each)] == []
    assert [each for each in outside if found.has(each)] == []
    assert found.has(None) is (text == "unknown")


@pytest.mark.parametrize("text", ["smok", ">=", "2.x", ""])
def test_what_is_no_specifier(text: str) -> None:
    """A typing error is told, not taken for a release that is never there."""
    with pytest.raises(UnknownReleaseError):
        parse(text, TABLE)


@pytest.mark.parametrize(
    ("releases", "text"),
    [
        ({"2.4.4"}, "2.4.4"),
        ({"2.4.4", "2.5.3"}, "2.4.4,2.5.3"),
        ({"2.12.1", "2.13.1", "2.14.1", "2.15.1"}, ">=2.12,<2.16"),
        ({"1.4.1", "1.7.1", "1.12.3", "1.13.2"}, "<1.15"),
        ({"2.19.1", "2.20.0", "2.21.0"}, ">=2.19"),
        ({"1.4.1", "2.12.1", "2.13.1", "2.14.1"}, "1.4.1,>=2.12,<2.15"),
        (set(PINS), ">=0"),
        ({"unknown"}, "unknown"),
    ],
)
def test_the_shortest_spelling(releases: set[str], text: str) -> None:
    """A range stands where it is exact over the pins, a list where there is none."""
    assert spell(frozenset(releases), PINS) == text


def test_two_patch_releases_of_a_minor() -> None:
    """Where a minor version is cut in two, the range says so to the patch."""
    known = ["2.3.4", "2.4.0", "2.4.4", "2.5.3", "2.6.5"]
    assert spell(frozenset(["2.4.4", "2.5.3", "2.6.5"]), known) == ">=2.4.4"
    assert spell(frozenset(["2.3.4", "2.4.0"]), known) == "2.3.4,2.4.0"


@given(st.sets(st.sampled_from([*PINS, "unknown", "2.7.0", "1.14.0"]), min_size=1))
def test_a_spelling_is_exact(releases: set[str]) -> None:
    """Whatever the set, its spelling takes in all of it and nothing else that is known."""
    known = {*PINS, "2.7.0", "1.14.0"}
    found = parse(spell(frozenset(releases), known), TABLE)
    assert {each for each in {*known, "unknown"} if found.has(each)} == releases


def test_what_a_specifier_can_name() -> None:
    """A vendor's text is no version, and a minor version names all its releases."""
    assert [each for each in ("2.4.4", "2.4", "2.4.4-nv1", "2.0.0rc1") if is_release(each)] == [
        "2.4.4",
        "2.0.0rc1",
    ]
