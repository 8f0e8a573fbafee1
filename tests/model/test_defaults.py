"""Tests of `savedmodel_compat.model.defaults`: which attrs go and come back, and what else stays."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.model.unstripped import (
    NOBODY,
    Known,
    add_meta_graph,
    add_node,
    attrs_of,
    model,
    op_def,
)

from savedmodel_compat.model import read, schema
from savedmodel_compat.model.defaults import put_back, strip
from savedmodel_compat.registry import snapshots

MODELS = Path(__file__).parent.parent / "models"
FROZEN = ("builder-1.15.5", "module-2.21.0")
WHOLE_CORPUS = (
    "counter_stateful",
    "cyclic_module",
    "half_plus_two_cpu",
    "half_plus_two_extra_assets",
    "half_plus_two_pbtxt",
    "half_plus_two_tf2",
    "keras2_lstm",
    "regression_train_tags",
    "static_hash_table",
)
NAN = b"\x25" + struct.pack("<I", 0x7FC00000)
OTHER_NAN = b"\x25" + struct.pack("<I", 0x7FC00001)
LIST = "dtype: DT_UINT8 tensor_shape { dim { size: 2 } } int_val: 7 int_val: 7"
CONTENT = r'dtype: DT_UINT8 tensor_shape { dim { size: 2 } } tensor_content: "\007\007"'
STRING = 'dtype: DT_STRING string_val: "a"'
BOUND = 'func { name: "f" attr { key: "a" value { i: 1 } } attr { key: "b" value { i: 2 } } }'
Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("default", "value", "same"),
    [
        ("i: 0", "i: 0", True),
        ("i: 0", "i: 1", False),
        ("i: 0", "b: false", False),
        ("i: 0", "", False),
        ("b: true", "b: true", True),
        ("f: 0.0", "f: 0.0", True),
        ("f: 0.0", "f: -0.0", False),
        ("f: -0.0", "f: 0.0", False),
        (NAN, NAN, True),
        (NAN, OTHER_NAN, False),
        ('s: ""', 's: ""', True),
        (r's: "\377\000"', r's: "\377\000"', True),
        ('s: "a"', 'placeholder: "a"', False),
        ("type: DT_FLOAT", "type: DT_FLOAT", True),
        ("type: DT_FLOAT", "type: DT_FLOAT_REF", False),
        ("shape { unknown_rank: true }", "shape { unknown_rank: true }", True),
        ("shape { unknown_rank: true }", "shape {}", False),
        ("shape { dim { size: -1 } }", "shape { dim { size: -1 } }", True),
        ("shape { dim { size: 1 } }", 'shape { dim { size: 1 name: "n" } }', False),
        ("list {}", "list {}", True),
        ("list {}", "", False),
        ("list {}", "list { i: 0 }", False),
        ("list { i: 1 i: 1 }", "list { i: 1 i: 1 }", True),
        # The same numbers, one field each, as protocol buffers of version 2 wrote them.
        ("list { i: 1 i: 1 }", b"\x0a\x04\x18\x01\x18\x01", True),
        ("list { i: 1 i: 1 }", "list { i: 1 }", False),
        ("list { type: DT_INT32 }", "list { type: DT_INT32 }", True),
        ("list { shape {} }", "list { shape {} }", True),
        ('list { s: "a" }', 'list { s: "a" }', True),
        ('list { func { name: "f" } }', 'list { func { name: "f" } }', True),
        ('list { func { name: "f" } }', 'list { func { name: "g" } }', False),
        ('func { name: "f" }', 'func { name: "f" }', True),
        ('func { name: "f" }', 'func { name: "g" }', False),
        (BOUND, BOUND.replace('"a"', '"c"'), False),
        (BOUND, BOUND.replace("i: 2", "i: 3"), False),
        (BOUND, BOUND, True),
        (
            BOUND.replace("i: 2", f"tensor {{ {LIST} }}"),
            BOUND.replace("i: 2", f"tensor {{ {CONTENT} }}"),
            True,
        ),
        (f"tensor {{ {LIST} }}", f"tensor {{ {LIST} }}", True),
        (f"tensor {{ {LIST} }}", f"tensor {{ {CONTENT} }}", True),
        (f"tensor {{ {LIST} }}", f"tensor {{ {CONTENT.replace('007', '006')} }}", False),
        (f"tensor {{ {LIST} }}", f"tensor {{ {LIST.replace('UINT8', 'INT8')} }}", False),
        (f"tensor {{ {LIST} }}", f"tensor {{ {LIST.replace('size: 2', 'size: 3')} }}", False),
        (f"tensor {{ {STRING} }}", f"tensor {{ {STRING} }}", True),
        (
            f"tensor {{ {STRING} }}",
            f"tensor {{ {STRING} tensor_shape {{ dim {{ size: 1 }} }} }}",
            False,
        ),
    ],
)
def test_a_value_that_is_its_default_goes(
    default: str, value: str, same: bool, write: Write, tmp_path: Path
) -> None:
    """What is the same to TensorFlow goes, and nothing else."""
    proto = model(op_def("Op", a=default))
    add_node(proto.meta_graphs[0].graph_def.node, "n", "Op", a=value)

    report = strip(write(proto), tmp_path / "out", registry=NOBODY)

    assert attrs_of(tmp_path / "out") == {"n": [] if same else ["a"]}
    assert report.meta_graphs[0].changes.attrs == ({("Op", "a"): 1} if same else {})


def test_what_the_op_does_not_define_stays(write: Write, tmp_path: Path) -> None:
    """Attrs such as `_class`, attrs that the op does not have, and attrs without a default are left."""
    proto = model(op_def("Op", a="i: 0", T=None))
    nodes = proto.meta_graphs[0].graph_def.node
    add_node(nodes, "n", "Op", a="i: 0", T="i: 0", other="i: 0", _class="i: 0")

    strip(write(proto), tmp_path / "out", registry=NOBODY)

    assert attrs_of(tmp_path / "out") == {"n": ["T", "_class", "other"]}


def test_calls_of_functions_stay(write: Write, tmp_path: Path) -> None:
    """A node whose op is a function of the library is left, though an op has that name."""
    proto = model(op_def("Op", a="i: 0"))
    graph = proto.meta_graphs[0].graph_def
    graph.library.function.add().signature.name = "Op"
    add_node(graph.node, "call", "Op", a="i: 0")

    stripped = strip(write(proto), tmp_path / "out", registry=NOBODY)
    back = put_back(write(proto), tmp_path / "back", registry=NOBODY)

    assert attrs_of(tmp_path / "out") == attrs_of(tmp_path / "back") == {"call": ["a"]}
    assert stripped.meta_graphs[0].changes.unknown == back.meta_graphs[0].changes.unknown == {}


def test_unknown_ops_stay_and_are_counted(write: Write, tmp_path: Path) -> None:
    """Of an op that nobody knows nothing can be said, and that is said."""
    proto = model(op_def("Op", a="i: 0"))
    graph = proto.meta_graphs[0].graph_def
    add_node(graph.node, "n", "Custom", a="i: 0")
    add_node(graph.library.function.add().node_def, "m", "Custom", a="i: 0")

    [found] = strip(write(proto), tmp_path / "out", registry=NOBODY).meta_graphs

    assert found.changes.unknown == {"Custom": 2}
    assert attrs_of(tmp_path / "out") == {"n": ["a"], "m": ["a"]}


def test_every_function_is_gone_through(write: Write, tmp_path: Path) -> None:
    """The bodies of all functions, called or not, one calling another; their own attrs stay."""
    proto = model(op_def("Op", a="i: 0"), op_def("Call", f=None, a="i: 0"))
    library = proto.meta_graphs[0].graph_def.library
    for name, inner in (("outer", "inner"), ("inner", "outer"), ("unused", "inner")):
        function = library.function.add()
        function.signature.name = name
        function.attr["a"].i = 0
        function.arg_attr[0].attr["a"].i = 0
        add_node(function.node_def, f"{name}/op", "Op", a="i: 0")
        add_node(
            function.node_def, f"{name}/call", "Call", a="i: 0", f=f'func {{ name: "{inner}" }}'
        )

    [found] = strip(write(proto), tmp_path / "out", registry=NOBODY).meta_graphs

    names = ("outer", "inner", "unused")
    left: dict[str, list[str]] = {f"{name}/op": [] for name in names} | {
        f"{name}/call": ["f"] for name in names
    }
    assert attrs_of(tmp_path / "out") == left
    assert (found.changes.changed, len(found.changes.functions)) == (6, 3)
    for function in read(tmp_path / "out").meta_graphs[0].proto.graph_def.library.function:
        assert "a" in function.attr
        assert "a" in function.arg_attr[0].attr


def test_each_meta_graph_has_its_own_producer(write: Write, tmp_path: Path) -> None:
    """What is a default to one producer is none to another, and each report says whose it was."""
    registry = Known(
        by_release={"1.0.0": (op_def("Op", a="i: 1"),), "2.0.0": (op_def("Op", a="i: 2"),)}
    )
    proto = schema.SavedModel(saved_model_schema_version=1)
    for release in registry.releases():
        nodes = add_meta_graph(proto, release=release, tag=release).graph_def.node
        add_node(nodes, f"{release}/one", "Op", a="i: 1")
        add_node(nodes, f"{release}/two", "Op", a="i: 2")

    report = strip(write(proto), tmp_path / "out", registry=registry)

    assert attrs_of(tmp_path / "out") == {
        "1.0.0/one": [],
        "1.0.0/two": ["a"],
        "2.0.0/one": ["a"],
        "2.0.0/two": [],
    }
    assert [(g.producer, dict(g.sources)) for g in report.meta_graphs] == [
        ("1.0.0", {"1.0.0": 1}),
        ("2.0.0", {"2.0.0": 1}),
    ]


def test_defaults_are_put_back(write: Write, tmp_path: Path) -> None:
    """What is absent comes, with its default; what is there stays, whatever it is."""
    proto = model(op_def("Op", a="i: 1", b="list {}", c='s: "x"', T=None))
    add_node(proto.meta_graphs[0].graph_def.node, "n", "Op", b="list { i: 7 }")

    report = put_back(write(proto), tmp_path / "out", registry=NOBODY)

    [node] = read(tmp_path / "out").meta_graphs[0].proto.graph_def.node
    assert (node.attr["a"].i, node.attr["c"].s) == (1, b"x")
    assert list(node.attr["b"].list.i) == [7]
    assert "T" not in node.attr
    assert report.meta_graphs[0].changes.attrs == {("Op", "a"): 1, ("Op", "c"): 1}


@pytest.mark.parametrize("flag", [False, True])
def test_the_flag_says_what_was_done(flag: bool, write: Write, tmp_path: Path) -> None:
    """`stripped_default_attrs` is set by the one and cleared by the other, also where no attr changes."""
    proto = model()
    proto.meta_graphs[0].meta_info_def.stripped_default_attrs = flag
    source = write(proto)

    stripped = strip(source, tmp_path / "stripped", registry=NOBODY)
    back = put_back(source, tmp_path / "back", registry=NOBODY)

    assert read(tmp_path / "stripped").meta_graphs[0].stripped_default_attrs
    assert not read(tmp_path / "back").meta_graphs[0].stripped_default_attrs
    assert (stripped.is_empty, back.is_empty) == (flag, not flag)


def test_nothing_to_do_is_a_copy(tmp_path: Path) -> None:
    """A model that its producer has stripped is the same, file by file, and the report says so."""
    report = strip(MODELS / "module-2.21.0", tmp_path / "out", registry=snapshots)

    assert report.is_empty
    for file in ("saved_model.pb", "fingerprint.pb"):
        before = (MODELS / "module-2.21.0" / file).read_bytes()
        assert (tmp_path / "out" / file).read_bytes() == before


@pytest.mark.parametrize("name", FROZEN)
def test_stripping_undoes_putting_back(name: str, tmp_path: Path) -> None:
    """What is left of a stripped model to which the defaults were put back is the model, byte for byte."""
    strip(MODELS / name, tmp_path / "stripped", registry=snapshots)

    put_back(tmp_path / "stripped", tmp_path / "back", registry=snapshots)
    strip(tmp_path / "back", tmp_path / "again", registry=snapshots)

    changed = read(tmp_path / "back").proto != read(tmp_path / "stripped").proto
    assert changed
    assert content(tmp_path / "again") == content(tmp_path / "stripped")


@pytest.mark.parametrize("name", WHOLE_CORPUS)
def test_third_party_models_come_back(name: str, corpus: Path, tmp_path: Path) -> None:
    """So it is for models of others, of releases from 1.1 to 2.14; and those that were never stripped are whole again."""
    strip(corpus / name, tmp_path / "stripped", registry=snapshots)
    put_back(tmp_path / "stripped", tmp_path / "back", registry=snapshots)
    strip(tmp_path / "back", tmp_path / "again", registry=snapshots)

    assert message(tmp_path / "again") == message(tmp_path / "stripped")
    if not read(corpus / name).meta_graphs[0].stripped_default_attrs:
        assert message(tmp_path / "back") == message(corpus / name)


def content(folder: Path) -> bytes:
    """The bytes of the file of a model."""
    return read(folder).file.read_bytes()


def message(folder: Path) -> bytes:
    """What a model holds, in an order that does not depend on the file."""
    return bytes(read(folder).proto.SerializeToString(deterministic=True))
