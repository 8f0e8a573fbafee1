"""Tests of `savedmodel_compat.model.defaults`: whose OpDefs tell the defaults, and where they do not agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.model.unstripped import NOBODY, Known, add_node, attrs_of, model, op_def

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.model import schema
from savedmodel_compat.model.defaults import OWN, MetaGraphReport, Registry, put_back, strip
from savedmodel_compat.registry import snapshots

Write = Callable[..., Path]
ONE = op_def("Op", a="i: 1")
TWO = op_def("Op", a="i: 2")
NONE = op_def("Op", a=None)
WITHOUT = op_def("Op")


def carrying(*own: schema.OpDef, release: str) -> schema.SavedModel:
    """A model with nodes that carry 1, 2 and nothing."""
    proto = model(*own, release=release)
    nodes = proto.meta_graphs[0].graph_def.node
    add_node(nodes, "one", "Op", a="i: 1")
    add_node(nodes, "two", "Op", a="i: 2")
    add_node(nodes, "bare", "Op")
    return proto


Stripped = Callable[[schema.SavedModel, Registry], tuple[dict[str, list[str]], MetaGraphReport]]


@pytest.fixture
def stripped(write: Write, tmp_path: Path) -> Stripped:
    """Strip a model, and return the attrs of its nodes and the report."""

    def run(
        proto: schema.SavedModel, registry: Registry
    ) -> tuple[dict[str, list[str]], MetaGraphReport]:
        [found] = strip(write(proto), tmp_path / "out", registry=registry).meta_graphs
        return attrs_of(tmp_path / "out"), found

    return run


LEFT_1 = {"one": ["a"], "two": [], "bare": []}
LEFT_2 = {"one": [], "two": ["a"], "bare": []}
ALL_LEFT = {"one": ["a"], "two": ["a"], "bare": []}


@pytest.mark.parametrize(
    ("release", "own", "known", "left", "source"),
    [
        # The very release.
        ("2.5.3", [], {"2.5.3": (ONE,), "2.6.5": (TWO,)}, LEFT_2, "2.5.3"),
        ("2.5.3", [ONE], {"2.5.3": (ONE,)}, LEFT_2, "2.5.3"),
        # A custom op is in the model's own list only.
        ("2.5.3", [TWO], {"2.5.3": ()}, LEFT_1, OWN),
        ("2.5.0", [TWO], {"2.5.3": (ONE,)}, LEFT_1, OWN),
        ("", [ONE], {"2.5.3": (TWO,)}, LEFT_2, OWN),
        ("unknown", [ONE], {"2.5.3": (TWO,)}, LEFT_2, OWN),
        # The same minor, the nearest patch of it, whatever else there is.
        ("2.5.0", [], {"2.4.4": (TWO,), "2.5.3": (ONE,), "2.6.5": (TWO,)}, LEFT_2, "2.5.3"),
        ("2.5.2", [], {"2.5.0": (TWO,), "2.5.3": (ONE,)}, LEFT_2, "2.5.3"),
        ("2.5.0-rc1", [], {"2.5.3": (ONE,)}, LEFT_2, "2.5.3"),
        # Else its neighbours, if those that know the op agree.
        ("2.5.0", [], {"2.4.4": (ONE,), "2.6.5": (ONE,)}, LEFT_2, "2.4.4 and 2.6.5"),
        ("2.5.0", [], {"2.4.4": (), "2.6.5": (ONE,)}, LEFT_2, "2.6.5"),
        ("2.5.0", [], {"2.4.4": (WITHOUT,), "2.6.5": (ONE,)}, LEFT_2, "2.4.4 and 2.6.5"),
        ("2.5.0", [], {"2.4.4": (ONE,)}, LEFT_2, "2.4.4"),
        ("1.0.0", [], {"1.4.1": (ONE,), "1.7.1": (TWO,)}, LEFT_2, "1.4.1"),
        # A nightly build lies between two minors.
        ("2.5.0-dev20210101", [], {"2.4.4": (ONE,), "2.5.3": (ONE,)}, LEFT_2, "2.4.4 and 2.5.3"),
    ],
)
def test_whose_opdefs_hold(
    *,
    release: str,
    own: list[schema.OpDef],
    known: dict[str, tuple[schema.OpDef, ...]],
    left: dict[str, list[str]],
    source: str,
    stripped: Stripped,
) -> None:
    """The very release, then the model's own list, then the same minor, then the neighbours."""
    attrs, found = stripped(carrying(*own, release=release), Known(by_release=known))

    assert attrs == left
    assert found.sources == {source: 1}
    assert found.changes.undecided == {}


@pytest.mark.parametrize(
    ("release", "own", "known"),
    [
        ("2.5.0", [], {"2.4.4": (ONE,), "2.6.5": (TWO,)}),
        ("2.5.0", [], {"2.4.4": (NONE,), "2.6.5": (TWO,)}),
        ("2.5.0-dev20210101", [], {"2.4.4": (ONE,), "2.5.3": (TWO,)}),
        # A fork that calls itself by the release it was made from.
        ("2.5.3", [TWO], {"2.5.3": (ONE,)}),
        ("2.5.3", [NONE], {"2.5.3": (ONE,)}),
    ],
)
def test_where_opdefs_do_not_agree_nothing_is_done(
    *,
    release: str,
    own: list[schema.OpDef],
    known: dict[str, tuple[schema.OpDef, ...]],
    stripped: Stripped,
    write: Write,
    tmp_path: Path,
) -> None:
    """An attr whose default cannot be known stays, or stays away, and is counted."""
    proto = carrying(*own, release=release)
    attrs, found = stripped(proto, Known(by_release=known))
    [back] = put_back(write(proto), tmp_path / "back", registry=Known(by_release=known)).meta_graphs

    assert attrs == ALL_LEFT == attrs_of(tmp_path / "back")
    assert found.changes.undecided == {("Op", "a"): 2}
    assert back.changes.undecided == {("Op", "a"): 1}


def test_an_attr_that_came_in_between_is_not_put_back(write: Write, tmp_path: Path) -> None:
    """Where only the newer neighbour has an attr, the producer's op may not have it; a node that has it tells."""
    known = Known(by_release={"2.4.4": (WITHOUT,), "2.6.5": (ONE,)})

    source = write(carrying(release="2.5.0"))
    [found] = put_back(source, tmp_path / "out", registry=known).meta_graphs

    assert attrs_of(tmp_path / "out") == ALL_LEFT
    assert found.changes.undecided == {("Op", "a"): 1}


@pytest.mark.parametrize(("release", "left"), [("2.0.4", ["a"]), ("2.1.4", [])])
def test_internal_ops_of_old_releases_stay(
    release: str, left: list[str], write: Write, tmp_path: Path
) -> None:
    """Up to 2.0 Python did not have them in its registry, so its stripping passed over them."""
    proto = model(release=release)
    add_node(proto.meta_graphs[0].graph_def.node, "n", "_Internal", a="i: 0")
    known = Known(by_release={release: (op_def("_Internal", a="i: 0"),)})

    strip(write(proto), tmp_path / "out", registry=known)

    assert attrs_of(tmp_path / "out") == {"n": left}


@pytest.mark.parametrize("release", ["", "unknown", "../2.5.3", "2.5.3/*", "*", "\0", "2" * 5000])
def test_what_is_no_release_is_not_looked_for(release: str, stripped: Stripped) -> None:
    """A model may say anything; only a version is asked for, and nothing is an answer."""
    proto = carrying(release=release)
    attrs, found = stripped(proto, snapshots)

    assert attrs == ALL_LEFT
    assert found.changes.unknown == {"Op": 3}
    assert found.sources == {}


def test_the_shipped_snapshots_know_an_attr_that_came(tmp_path: Path, write: Write) -> None:
    """`VarHandleOp.debug_name`, new in 2.15, is put back by 2.15 and not by the release before."""
    for release, there in (("2.14.1", False), ("2.15.1", True)):
        proto = model(release=release)
        add_node(proto.meta_graphs[0].graph_def.node, "v", "VarHandleOp")
        put_back(write(proto), tmp_path / release, registry=snapshots)
        assert ("debug_name" in attrs_of(tmp_path / release)["v"]) is there


def test_a_registry_that_cannot_be_read_is_an_error(write: Write, tmp_path: Path) -> None:
    """A damaged snapshot is told, and nothing is written."""

    class Damaged(Known):
        def get(self, release: str) -> None:
            raise InfrastructureError(f"{release} is damaged")

    with pytest.raises(InfrastructureError, match="2.5.3 is damaged"):
        strip(write(carrying(release="2.5.3")), tmp_path / "out", registry=Damaged())
    assert not (tmp_path / "out").exists()
    assert NOBODY.get("2.5.3") is None
