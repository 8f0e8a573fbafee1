"""Tests of `savedmodel_compat.model.defaults`: what else is in the file stays as it stands, in both forms, and the fingerprint."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from tests.model.unstripped import NOBODY, add_node, attrs_of, model, op_def

from savedmodel_compat.checks.run import check
from savedmodel_compat.errors import DamagedModelError, UnsupportedError
from savedmodel_compat.model import fingerprint, read, schema, wire
from savedmodel_compat.model.canonical import canonical
from savedmodel_compat.model.defaults import Report, State, put_back, strip
from savedmodel_compat.model.fingerprint import Verdict
from savedmodel_compat.registry import snapshots

MODELS = Path(__file__).parent.parent / "models"
FINGERPRINTED = MODELS / "module-2.21.0"
OP = op_def("Op", a="i: 0", b="i: 0", c="i: 0")
Write = Callable[..., Path]


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    return wire.as_varint(wire.tag_of(number)) + wire.as_varint(len(content)) + content


def entry(key: str, value: bytes = b"\x18\x00") -> bytes:
    """An attr of a node, by default ``i: 0``."""
    return field(5, field(1, key.encode()) + field(2, value))


def file_of(*nodes: bytes, graph: bytes = b"", info: bytes = b"") -> bytes:
    """A SavedModel with these nodes, of which each is an `Op`, and with more in its graph and in what it says of itself."""
    own = schema.OpList(op=[OP]).SerializeToString()
    body = b"".join(field(1, field(1, b"n") + field(2, b"Op") + node) for node in nodes)
    return b"\x08\x01" + field(2, field(1, field(2, own) + info) + field(2, body + graph))


STRIPPED = b"\x38\x01"
NEW = field(99, b"new")
DEBUG = field(6, b"")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (entry("a"), b""),
        # Other orders than that of any serializer, and fields that are not known.
        (entry("c", b"\x18\x07") + entry("a"), entry("c", b"\x18\x07")),
        (entry("_x") + entry("a") + NEW + entry("Z"), entry("_x") + NEW + entry("Z")),
        # The last of several holds; all go with it.
        (entry("a", b"\x18\x01") + entry("a"), b""),
        (entry("a") + entry("a", b"\x18\x01"), entry("a") + entry("a", b"\x18\x01")),
        # An entry whose value comes first.
        (field(5, field(2, b"\x18\x00") + field(1, b"a")), b""),
        # A length in more bytes than it needs.
        (b"\x2a\x87\x00" + field(1, b"a") + field(2, b"\x18\x00"), b""),
    ],
)
def test_only_the_entries_go(before: bytes, after: bytes, write: Write, tmp_path: Path) -> None:
    """All other bytes stay, whoever wrote them."""
    strip(write(file_of(before, entry("T"))), tmp_path / "out", registry=NOBODY)

    wanted = file_of(after, entry("T"), info=STRIPPED)
    assert (tmp_path / "out/saved_model.pb").read_bytes() == wanted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", entry("a") + entry("b") + entry("c")),
        (entry("b", b"\x18\x07"), entry("a") + entry("b", b"\x18\x07") + entry("c")),
        (entry("_x") + entry("b"), entry("_x") + entry("a") + entry("b") + entry("c")),
        (DEBUG, entry("a") + entry("b") + entry("c") + DEBUG),
        (
            entry("c") + DEBUG + entry("_x"),
            entry("a") + entry("b") + entry("c") + DEBUG + entry("_x"),
        ),
    ],
)
def test_entries_come_where_they_belong(
    before: bytes, after: bytes, write: Write, tmp_path: Path
) -> None:
    """What is put back stands in the order in which C++ writes it, as far as the rest is in it."""
    put_back(write(file_of(before)), tmp_path / "out", registry=NOBODY)

    assert (tmp_path / "out/saved_model.pb").read_bytes() == file_of(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", STRIPPED),
        (field(5, b"2.4"), field(5, b"2.4") + STRIPPED),
        (field(8, b"") + field(99, b"x"), STRIPPED + field(8, b"") + field(99, b"x")),
        (b"\x38\x00" + field(8, b""), STRIPPED + field(8, b"")),
    ],
)
def test_the_flag_stands_in_the_order_of_fields(
    before: bytes, after: bytes, write: Write, tmp_path: Path
) -> None:
    """It is set where a serializer would write it, and only once."""
    strip(write(file_of(info=before)), tmp_path / "out", registry=NOBODY)

    assert (tmp_path / "out/saved_model.pb").read_bytes() == file_of(info=after)


def test_what_stands_in_several_parts(write: Write, tmp_path: Path) -> None:
    """Messages that a reader puts together are changed part by part, and nodes are counted through."""
    graph = field(1, field(1, b"n") + field(2, b"Op") + entry("a"))
    body = field(3, field(1, b"m") + field(2, b"Op") + entry("b"))
    function = field(1, field(1, field(1, b"f")) + body)
    own = schema.OpList(op=[OP]).SerializeToString()
    parts = [
        field(2, graph),
        field(1, field(2, own)),
        field(2, field(2, function) + graph + field(2, function)),
        field(1, field(4, b"serve")),
    ]
    strip(write(b"\x08\x01" + field(2, b"".join(parts))), tmp_path / "out", registry=NOBODY)

    found = read(tmp_path / "out").meta_graphs[0]
    assert attrs_of(tmp_path / "out") == {"n": [], "m": []}
    assert [len(f.node_def) for f in found.proto.graph_def.library.function] == [1, 1]
    assert (len(found.proto.graph_def.node), found.stripped_default_attrs) == (2, True)
    assert found.tags == ("serve",)


def test_a_meta_graph_that_says_nothing_of_itself(write: Write, tmp_path: Path) -> None:
    """It gets the flag, and what says it."""
    data = b"\x08\x01" + field(2, field(2, b""))
    strip(write(data), tmp_path / "out", registry=NOBODY)

    wanted = b"\x08\x01" + field(2, field(1, STRIPPED) + field(2, b""))
    assert (tmp_path / "out/saved_model.pb").read_bytes() == wanted


def test_long_constants_are_not_touched(write: Write, tmp_path: Path) -> None:
    """A file that is read without its long constants keeps them."""
    proto = model(OP)
    nodes = proto.meta_graphs[0].graph_def.node
    add_node(nodes, "n", "Op", a="i: 0")
    tensor = add_node(nodes, "big", "Const", dtype="type: DT_UINT8").attr["value"].tensor
    tensor.dtype = 4
    tensor.tensor_shape.dim.add(size=8 << 20)
    tensor.tensor_content = bytes(range(256)) * (8 << 12)

    strip(write(proto), tmp_path / "out", registry=NOBODY)

    del nodes[0].attr["a"]
    proto.meta_graphs[0].meta_info_def.stripped_default_attrs = True
    assert read(tmp_path / "out").proto == proto


def test_a_file_that_does_not_parse(write: Write, tmp_path: Path) -> None:
    """A damaged model is an error that says how, and nothing is written."""
    folder = write(file_of(entry("a"))[:-3])
    with pytest.raises(DamagedModelError, match="cut short"):
        strip(folder, tmp_path / "out", registry=NOBODY)
    assert not (tmp_path / "out").exists()


def as_text(proto: schema.SavedModel) -> str:
    """The text form of a message, as TensorFlow writes it."""
    return str(text_format.MessageToString(proto, descriptor_pool=schema.POOL))


def test_a_text_stays_a_text(write: Write, tmp_path: Path) -> None:
    """A `saved_model.pbtxt` is changed in its own form, with all that it holds."""
    proto = read(MODELS / "builder-1.15.5").proto
    add_node(proto.meta_graphs[0].graph_def.node, "f", "Op", a="f: 0.1", b="s: '\\377\\n'")
    folder = write(as_text(proto), "saved_model.pbtxt")

    report = put_back(folder, tmp_path / "out", registry=snapshots)
    strip(tmp_path / "out", tmp_path / "again", registry=snapshots)

    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == ["saved_model.pbtxt"]
    assert report.meta_graphs[0].changes.changed > 0
    assert message(tmp_path / "again") == message(folder) == bytes_of(proto)
    assert (tmp_path / "again/saved_model.pbtxt").read_text() == as_text(proto)


@pytest.mark.parametrize("unknown", ["new_field: 1", "newer { a: 1 }"])
def test_a_text_that_would_lose_something(unknown: str, write: Write, tmp_path: Path) -> None:
    """What the text form cannot keep is told, and nothing is written."""
    folder = write(f"{unknown}\n{as_text(model(OP))}", "saved_model.pbtxt")

    with pytest.raises(UnsupportedError, match="would be lost"):
        strip(folder, tmp_path / "out", registry=NOBODY)
    assert not (tmp_path / "out").exists()


def test_a_text_without_anything_to_do_is_kept(write: Write, tmp_path: Path) -> None:
    """Comments and all; only what is changed is written anew."""
    proto = model(OP)
    proto.meta_graphs[0].meta_info_def.stripped_default_attrs = True
    text = f"# mine\n{as_text(proto)}"

    strip(write(text, "saved_model.pbtxt"), tmp_path / "out", registry=NOBODY)

    assert (tmp_path / "out/saved_model.pbtxt").read_text() == text


def put_back_into(folder: Path, tmp_path: Path) -> Report:
    """Put the defaults back into a model."""
    return put_back(folder, tmp_path / "out", registry=snapshots)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a model with a fingerprint."""
    return Path(shutil.copytree(FINGERPRINTED, tmp_path / "model"))


def test_the_fingerprint_is_written_anew(folder: Path, tmp_path: Path) -> None:
    """It is that of the changed model; what is not of the graph stays, and so does the uuid."""
    report = put_back_into(folder, tmp_path)

    before, after = fingerprint.load(folder), fingerprint.load(tmp_path / "out")
    assert report.fingerprint.state is State.RENEWED
    assert before is not None
    assert after is not None
    assert after.saved_model_checksum != before.saved_model_checksum
    assert after.graph_def_program_hash != before.graph_def_program_hash
    assert after.uuid == before.uuid
    assert after.signature_def_hash == before.signature_def_hash
    verdicts = {taken.name: taken.verdict for taken in fingerprint.verify(read(tmp_path / "out"))}
    assert verdicts["saved_model_checksum"] is verdicts["checkpoint_hash"] is Verdict.VERIFIED
    assert check(tmp_path / "out").findings == ()


def test_the_fingerprint_comes_back_too(folder: Path, tmp_path: Path) -> None:
    """Stripped again, a model has the fingerprint that TensorFlow gave it, hash for hash."""
    put_back_into(folder, tmp_path)
    report = strip(tmp_path / "out", tmp_path / "again", registry=snapshots)

    assert report.fingerprint.state is State.RENEWED
    assert (tmp_path / "again/fingerprint.pb").read_bytes() == (
        folder / "fingerprint.pb"
    ).read_bytes()


def test_the_fingerprint_of_a_file_in_another_order(folder: Path, tmp_path: Path) -> None:
    """C++ hashes what it writes itself; the checksum of a file in another order is not that of its bytes."""
    put_back_into(folder, tmp_path)
    data = (folder / "saved_model.pb").read_bytes()
    _, (_, at, body, stop) = fields_of(data)
    # What is repeated are entries of maps only, whose order does not count.
    swapped = b"".join(data[a:s] for _, a, _, s in reversed(fields_of(data[:stop], body)))
    (folder / "saved_model.pb").write_bytes(data[:at] + field(2, swapped))

    report = put_back(folder, tmp_path / "swapped", registry=snapshots)

    assert report.fingerprint.state is State.RENEWED
    assert fingerprint.load(tmp_path / "swapped") == fingerprint.load(tmp_path / "out")


def fields_of(data: bytes, at: int = 0) -> list[tuple[int, int, int, int]]:
    """The tag of each field of a message, and where it and its content begin and end."""
    found = []
    while at < len(data):
        tag, body, stop = wire.field(data, at)
        found.append((tag, at, body, stop))
        at = stop
    return found


def refit(folder: Path, **changes: int) -> None:
    """Make the fingerprint say something else."""
    file = folder / "fingerprint.pb"
    proto = schema.parse(schema.FingerprintDef, file.read_bytes())
    proto.version.producer = changes.pop("producer", proto.version.producer)
    for name, value in changes.items():
        setattr(proto, name, value)
    file.write_bytes(proto.SerializeToString())


def test_a_fingerprint_of_another_model_is_kept(folder: Path, tmp_path: Path) -> None:
    """What did not fit before is not made to fit: `check` finds it in the copy as it does in the model."""
    refit(folder, saved_model_checksum=7)

    report = put_back_into(folder, tmp_path)

    assert report.fingerprint.state is State.KEPT
    assert "not that of the model" in report.fingerprint.why
    assert [f.rule for f in check(tmp_path / "out").findings] == ["L7"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"graph_def_program_hash": 7}, "a form that is not known"),
        ({"producer": 99, "saved_model_checksum": 7}, "version 99"),
    ],
)
def test_a_fingerprint_that_cannot_be_made_is_left_out(
    changes: dict[str, int], why: str, folder: Path, tmp_path: Path
) -> None:
    """Half of a fingerprint would be worse than none."""
    refit(folder, **changes)

    report = put_back_into(folder, tmp_path)

    assert report.fingerprint.state is State.LEFT_OUT
    assert why in report.fingerprint.why
    assert not (tmp_path / "out/fingerprint.pb").exists()
    assert check(tmp_path / "out").findings == ()


def test_a_fingerprint_that_cannot_be_read_is_kept(folder: Path, tmp_path: Path) -> None:
    """It is copied as it is, and the report says so."""
    (folder / "fingerprint.pb").write_bytes(b"\xff")

    report = put_back_into(folder, tmp_path)

    assert (report.fingerprint.state, report.fingerprint.why) == (State.KEPT, "it cannot be read")
    assert (tmp_path / "out/fingerprint.pb").read_bytes() == b"\xff"


@pytest.mark.parametrize("producer", ["2.11.1", "2.13.1", "2.15.1", "2.18.1", "2.21.0"])
def test_every_version_of_the_fingerprint(
    producer: str, exported: Callable[..., object], tmp_path: Path
) -> None:
    """Whatever release wrote it, the fingerprint can be taken anew, and comes back."""
    folder = exported("mnist_cnn_module", producer=producer).path  # type: ignore[attr-defined]

    there = put_back(folder, tmp_path / "out", registry=snapshots)
    strip(tmp_path / "out", tmp_path / "again", registry=snapshots)

    assert there.fingerprint.state is State.RENEWED
    assert fingerprint.load(tmp_path / "again") == fingerprint.load(folder)
    assert check(tmp_path / "out").findings == ()


def message(folder: Path) -> bytes:
    """What a model holds, in an order that does not depend on the file."""
    return bytes_of(read(folder).proto)


def bytes_of(proto: schema.SavedModel) -> bytes:
    """A message, its maps in the order of C++."""
    return canonical(bytes(proto.SerializeToString(deterministic=True)))
