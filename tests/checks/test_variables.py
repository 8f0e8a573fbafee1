"""Rules of the variables: each fault is seeded in a model that TensorFlow wrote, and exactly it is found."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.breaking import edit, findings, rules
from tests.model.tables import entry, header, slice_key, table, unread

from savedmodel_compat.checks.run import Options, check
from savedmodel_compat.model import crc, schema
from savedmodel_compat.model._table import TableReader

INDEX = "variables/variables.index"
SHARD = "variables/variables.data-00000-of-00001"
FLOAT, DOUBLE, INT32, STRING = 1, 2, 3, 7

Entries = dict[bytes, schema.BundleEntryProto]


def reindex(
    folder: Path,
    change: Callable[[Entries], object] = len,
    head: bytes | None = None,
) -> None:
    """Write the index of a model anew after a change; its fingerprint, which no longer holds, goes."""
    pairs = dict(TableReader((folder / INDEX).read_bytes()).entries())
    first = pairs.pop(b"")
    entries = {key: schema.parse(schema.BundleEntryProto, value) for key, value in pairs.items()}
    change(entries)
    rest = [(key, entries[key].SerializeToString()) for key in sorted(entries)]
    (folder / INDEX).write_bytes(table([(b"", head or first), *rest]))
    (folder / "fingerprint.pb").unlink(missing_ok=True)


def append(folder: Path, data: bytes) -> int:
    """Add bytes to the shard and return where they begin."""
    shard = folder / SHARD
    offset = shard.stat().st_size
    shard.write_bytes(shard.read_bytes() + data)
    return offset


def add(folder: Path, name: bytes, made: schema.BundleEntryProto, data: bytes) -> None:
    """Add a tensor to the checkpoint, with its bytes at the end of the shard."""
    made.offset = append(folder, data)
    reindex(folder, lambda entries: entries.update({name: made}))


def message(folder: Path, rule: str, *, notes: bool = False) -> str:
    """Return what the only finding of a model says, which is of that rule."""
    [found] = findings(folder, notes=notes)
    assert found.rule == rule
    return found.message


def test_an_index_written_anew_is_good(builder: Path, module: Path) -> None:
    """What the other tests here do to an index does no harm by itself."""
    for folder in (builder, module):
        reindex(folder)
        assert rules(folder, notes=True) == []


def test_an_index_without_its_shard(builder: Path) -> None:
    """The message counts what is lost."""
    (builder / SHARD).unlink()
    assert "missing, with 2 tensors in it, such as 'a'; the index counts 1" in message(
        builder, "L3"
    )


def test_a_shard_that_is_a_folder(builder: Path) -> None:
    """It is no shard."""
    (builder / SHARD).unlink()
    (builder / SHARD).mkdir()
    assert "L3" in rules(builder)


def test_shards_without_an_index(builder: Path) -> None:
    """C++ would carry on without variables."""
    (builder / INDEX).unlink()
    assert "missing, beside 1 data file (" in message(builder, "L3")


def test_no_variables_though_they_are_restored(builder: Path) -> None:
    """The graph says that there must be some."""
    (builder / INDEX).unlink()
    (builder / SHARD).unlink()
    text = message(builder, "L3")
    assert "missing, and MetaGraph [serve] restores 2 tensors" in text


def test_no_variables_and_none_restored(builder: Path) -> None:
    """A frozen graph needs no variables/."""
    (builder / INDEX).unlink()
    (builder / SHARD).unlink()

    def drop(proto: schema.SavedModel) -> None:
        for meta_graph in proto.meta_graphs:
            meta_graph.ClearField("saver_def")

    edit(builder, drop)
    assert "L3" not in rules(builder)


def test_an_index_that_is_a_folder(builder: Path) -> None:
    """It is no index."""
    (builder / INDEX).unlink()
    (builder / INDEX).mkdir()
    assert "L3" in rules(builder)


def test_shards_of_another_set(builder: Path) -> None:
    """The index counts one data file, and there are those of a set of two."""
    for number in range(2):
        (builder / f"variables/variables.data-0000{number}-of-00002").write_bytes(b"")
    (builder / SHARD).unlink()
    assert "there are data files of sets of 2" in message(builder, "L3")


def test_a_stray_shard_beside_a_whole_set(builder: Path) -> None:
    """It is loaded by nobody, and harms nobody."""
    (builder / "variables/variables.data-00001-of-00002").write_bytes(b"x")
    assert "of a set of 2 data files, and the index counts 1" in message(builder, "V7")


def test_links_are_followed_within_the_model(module: Path) -> None:
    """As Kubernetes mounts them: the folder is a link to one of the model."""
    (module / "..data").mkdir()
    (module / "variables").rename(module / "..data/variables")
    (module / "variables").symlink_to("..data/variables")
    found = check(module)
    assert found.checkpoint is not None
    assert {"L3", "V1", "M7"}.isdisjoint(finding.rule for finding in found.findings)
    (module / "..data/variables" / Path(SHARD).name).write_bytes(b"")
    assert "V2" in rules(module)


def test_a_shard_outside_is_not_read(module: Path, tmp_path: Path) -> None:
    """A link that leads out of the model has its own rule, and what it leads to is not looked at."""
    (module / SHARD).rename(tmp_path / "elsewhere")
    (module / SHARD).symlink_to(tmp_path / "elsewhere")
    assert rules(module) == ["L23"]


def test_a_damaged_index(module: Path) -> None:
    """The block and its checksums are named; the path, which stands before it, is not said again."""
    data = bytearray((module / INDEX).read_bytes())
    data[20] ^= 1
    (module / INDEX).write_bytes(data)
    (module / "fingerprint.pb").unlink()
    [found] = findings(module)
    assert (found.rule, found.where, found.file) == ("V1", INDEX, INDEX)
    assert found.message.startswith("the file (238 bytes) is no index")
    assert "the block at byte 0 has the checksum" in found.message


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_a_shard_that_was_not_fetched(module: Path) -> None:
    """It is one fault, however much is missing with it."""
    (module / SHARD).write_bytes(LFS)
    [found] = findings(module, notes=True)
    assert (found.rule, found.where, found.fix) == ("L22", SHARD, "fetch it: git lfs pull")


def test_an_index_that_was_not_fetched(module: Path) -> None:
    """The rule of the index says what it is, and no other says it again."""
    (module / INDEX).write_bytes(LFS)
    (module / "fingerprint.pb").unlink()
    assert "it is a Git LFS pointer" in message(module, "V1")


@pytest.mark.parametrize("name", [INDEX, SHARD])
def test_a_pipe_in_the_place_of_a_file(builder: Path, name: str) -> None:
    """Whoever reads it waits for ever; nothing is read here."""
    (builder / name).unlink()
    os.mkfifo(builder / name)
    found = findings(builder)
    assert [(finding.rule, finding.where) for finding in found] == [("L3", name), ("L17", name)]


def test_an_index_of_the_old_format(builder: Path) -> None:
    """A checkpoint of the format V1 under the index's name comes with its own advice."""
    (builder / INDEX).write_bytes(table([(b"", b"\x0a\x00")]))
    [found] = findings(builder)
    assert found.rule == "V1"
    assert "write_version" in found.fix


def test_an_index_of_a_newer_format(builder: Path) -> None:
    """The header may ask for a reader that there is not yet."""
    proto = schema.parse(schema.BundleHeaderProto, header())
    proto.version.min_consumer = 2
    reindex(builder, head=proto.SerializeToString())
    assert "asks for a reader of version 2 or later" in message(builder, "V1")


def test_a_shard_cut_short(module: Path) -> None:
    """One finding for the file, whatever number of tensors is lost."""
    os.truncate(module / SHARD, 10)
    [found] = findings(module)
    assert (found.rule, found.where) == ("V2", SHARD)
    assert found.message.startswith(
        "it has 10 bytes, and should have 546: it ends before 2 tensors"
    )


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("size", 8, "it has 8 bytes, and float32 of shape [3] takes 12"),
        ("shard_id", 1, "it is in data file 1, and there are 1"),
        ("shard_id", -1, "it is in data file -1, and there are 1"),
        ("offset", -4, "it has 12 bytes at -4"),
        ("dtype", 0, "no tensor of type invalid is stored"),
        ("dtype", 101, "no tensor of type float32_ref is stored"),
        ("offset", 2, "its bytes from 2 on are also those of 'a'"),
    ],
)
def test_places_that_cannot_be(builder: Path, field: str, value: int, words: str) -> None:
    """Type, shape, place and size fit together."""
    reindex(builder, lambda entries: setattr(entries[b"b"], field, value))
    [found] = [finding for finding in findings(builder) if finding.rule != "M7"]
    assert found.rule == "V2"
    assert words in found.message


def test_strings_too_short(module: Path) -> None:
    """Each has a length at least, and they have a checksum."""
    name = b"_CHECKPOINTABLE_OBJECT_GRAPH"
    reindex(module, lambda entries: setattr(entries[name], "size", 4))
    assert "V2" in rules(module)


def test_a_wrong_byte(module: Path) -> None:
    """The tensor and both checksums are named."""
    data = bytearray((module / SHARD).read_bytes())
    data[5] ^= 1
    (module / SHARD).write_bytes(data)
    [found] = findings(module)
    assert (found.rule, found.where, found.file) == ("V3", SHARD, SHARD)
    assert found.message.startswith(
        "'b/.ATTRIBUTES/VARIABLE_VALUE': its 12 bytes have the checksum"
    )


def test_data_can_be_left_out(module: Path) -> None:
    """Without the data of tensors, a wrong byte is not seen, and nothing is read."""
    data = bytearray((module / SHARD).read_bytes())
    data[5] ^= 1
    (module / SHARD).write_bytes(data)
    assert check(module, Options(tensor_data=False)).findings == ()


def test_progress_is_told(module: Path) -> None:
    """Every byte of the data once."""
    seen: list[int] = []
    check(module, Options(progress=seen.append))
    assert sum(seen) == (module / SHARD).stat().st_size


def test_a_shard_of_another_model(module: Path) -> None:
    """Of the same size, but with other bytes: every tensor is at fault, and the rest is counted."""
    size = (module / SHARD).stat().st_size
    (module / SHARD).write_bytes(os.urandom(size))
    assert rules(module) == ["V3"]
    assert len(findings(module)) == 3


def test_many_faults_are_counted(builder: Path) -> None:
    """After twenty of one rule, a number."""
    data = bytes(400)
    offset = append(builder, data)

    def add_many(entries: Entries) -> None:
        for number in range(100):
            made = entry(FLOAT, (), b"abcd", offset=offset + 4 * number)
            entries[f"extra{number:03}".encode()] = made

    reindex(builder, add_many)
    found = findings(builder)
    assert {finding.rule for finding in found} == {"V3"}
    assert len(found) == 21
    assert any(finding.message == "… and 80 more" for finding in found)


def parts(*extents: tuple[int, int], size: int = 6) -> Callable[[Path], None]:
    """Make a partitioned variable of that size with those slices."""

    def make(folder: Path) -> None:
        offset = append(folder, bytes(4 * size))
        full = entry(FLOAT, (size,))

        def change(entries: Entries) -> None:
            at = offset
            for start, length in extents:
                full.slices.add().extent.add(start=start, length=length)
                made = entry(FLOAT, (length,), bytes(4 * length), offset=at)
                entries[slice_key(b"p", (start, length))] = made
                at += 4 * length
            entries[b"p"] = full

        reindex(folder, change)

    return make


def test_slices_that_cover_are_good(builder: Path) -> None:
    """In any order."""
    parts((4, 2), (0, 4))(builder)
    assert rules(builder) == []


@pytest.mark.parametrize(
    ("extents", "words"),
    [
        (((0, 4), (3, 2)), "slices 0,4 and 3,2 overlap"),
        (((0, 4), (5, 1)), "the 2 slices hold 5 of 6 elements"),
        (((0, 4), (4, 3)), "slice 4,3: it is not within the shape [6]"),
    ],
)
def test_slices_that_do_not_cover(
    builder: Path, extents: tuple[tuple[int, int], ...], words: str
) -> None:
    """Gaps, overlaps, and what lies outside."""
    parts(*extents)(builder)
    found = [finding for finding in findings(builder) if finding.rule not in {"V2", "V7"}]
    assert [finding.rule for finding in found] == ["V4"]
    assert words in found[0].message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda e: e.pop(slice_key(b"p", (4, 2))), "slice 4,2: it is not stored"),
        (lambda e: e.pop(b"p"), "a slice of shape [2] is stored, and the tensor is not there"),
        (
            lambda e: e[b"p"].slices.pop(),
            "slice of shape [2] is stored, and the tensor is not made",
        ),
        (lambda e: setattr(e[b"p"], "dtype", INT32), "stored as float32, the tensor is int32"),
        (
            lambda e: e[slice_key(b"p", (4, 2))].shape.dim.add(size=1),
            "it is stored with the shape [2, 1]",
        ),
    ],
)
def test_slices_and_their_tensor_disagree(
    builder: Path, change: Callable[[Entries], object], words: str
) -> None:
    """Each slice that is listed is stored, with the tensor's type and its own shape; and no other."""
    parts((0, 4), (4, 2))(builder)
    reindex(builder, change)
    found = [finding for finding in findings(builder) if finding.rule != "V7"]
    assert {finding.rule for finding in found} == {"V4"}
    assert words in found[0].message


def test_slices_in_two_dimensions(builder: Path) -> None:
    """Quarters that overlap are found, though they would fill the whole."""
    corners = ((0, 0), (0, 2), (2, 0), (1, 1))
    full = entry(FLOAT, (4, 4))
    offset = append(builder, bytes(64))

    def change(entries: Entries) -> None:
        for number, corner in enumerate(corners):
            extents = [(start, 2) for start in corner]
            part = full.slices.add()
            for start, length in extents:
                part.extent.add(start=start, length=length)
            made = entry(FLOAT, (2, 2), bytes(16), offset=offset + 16 * number)
            entries[slice_key(b"p", *extents)] = made
        entries[b"p"] = full

    reindex(builder, change)
    assert "overlap" in message(builder, "V4")


def test_tensors_that_nobody_restores(builder: Path) -> None:
    """One note, with their number and size."""
    data = b"abcd"
    add(builder, b"a/Adam", entry(FLOAT, (), data), data)
    add(builder, b"b/Adam", entry(FLOAT, (), data), data)
    text = message(builder, "V5", notes=True)
    assert text.startswith("no MetaGraph restores 2 of 4 tensors (8 bytes): 'a/Adam', ")


def test_counters_of_savers_are_no_news(builder: Path) -> None:
    """They are in every checkpoint of a training."""
    data = bytes(8)
    add(builder, b"save_counter/.ATTRIBUTES/VARIABLE_VALUE", entry(9, (), data), data)
    assert rules(builder, notes=True) == []


def graph_of(folder: Path) -> schema.TrackableObjectGraph:
    """Return the checkpoint's object graph."""
    from savedmodel_compat.model.checkpoint import read_index, read_strings

    [content] = read_strings(read_index(folder / INDEX), "_CHECKPOINTABLE_OBJECT_GRAPH")
    return schema.parse(schema.TrackableObjectGraph, content)


def put_graph(folder: Path, content: bytes) -> None:
    """Replace the checkpoint's object graph by other bytes, with the right checksums."""
    lengths = len(content).to_bytes(4, "little")
    sealed = crc.masked(lengths).to_bytes(4, "little")
    from savedmodel_compat.model.wire import as_varint

    data = as_varint(len(content)) + sealed + content
    made = entry(STRING, (), data)
    made.crc32c = crc.masked(lengths + sealed + content)
    shard = folder / SHARD
    shard.write_bytes(shard.read_bytes()[:16])
    add(folder, b"_CHECKPOINTABLE_OBJECT_GRAPH", made, data)


def test_an_object_graph_put_back_is_good(module: Path) -> None:
    """What the other tests here do to it does no harm by itself."""
    put_graph(module, graph_of(module).SerializeToString())
    assert rules(module, notes=True) == []


def test_an_object_graph_that_does_not_parse(module: Path) -> None:
    """Python could restore nothing."""
    put_graph(module, b"\xff\xff\xff")
    assert "no TrackableObjectGraph" in message(module, "V6")


def test_an_object_graph_with_keys_of_another_checkpoint(module: Path) -> None:
    """Python looks tensors up by them."""
    graph = graph_of(module)
    node = next(node for node in graph.nodes if node.attributes)
    node.attributes[0].checkpoint_key = "gone/.ATTRIBUTES/VARIABLE_VALUE"
    put_graph(module, graph.SerializeToString())
    assert "names tensors that the checkpoint lacks: 'gone/" in message(module, "V6")


def test_a_key_of_several_tensors(module: Path) -> None:
    """What an object saves may be several tensors, whose names begin with its key, as a mutable table does."""
    graph = graph_of(module)
    [attribute] = [a for node in graph.nodes for a in node.attributes if a.checkpoint_key[0] == "a"]
    attribute.checkpoint_key = attribute.checkpoint_key.removesuffix("_VALUE")
    put_graph(module, graph.SerializeToString())
    assert rules(module, notes=True) == []


def test_a_key_that_is_the_start_of_another(module: Path) -> None:
    """A tensor belongs to the longest key that it begins with, so the shorter one has none."""
    graph = graph_of(module)
    node = next(node for node in graph.nodes if node.attributes)
    key = node.attributes[0].checkpoint_key
    node.attributes.add(name="other", checkpoint_key=key.removesuffix("_VALUE"))
    put_graph(module, graph.SerializeToString())
    assert f"lacks: '{key.removesuffix('_VALUE')}'" in message(module, "V6")


def test_an_object_graph_that_leads_out_of_itself(module: Path) -> None:
    """References are indices of its objects."""
    graph = graph_of(module)
    graph.nodes[1].children.add(node_id=99, local_name="x")
    put_graph(module, graph.SerializeToString())
    assert "refers to object 99" in message(module, "V6")


def test_a_model_whose_checkpoint_has_no_object_graph(module: Path) -> None:
    """Python restores by it; and the restore op asks for it."""
    reindex(module, lambda entries: entries.pop(b"_CHECKPOINTABLE_OBJECT_GRAPH"))
    os.truncate(module / SHARD, 16)
    assert set(rules(module)) == {"M7", "V6"}


def test_bytes_of_no_tensor(builder: Path) -> None:
    """At the end, and between tensors."""
    append(builder, b"abc")
    assert "no tensor has 3 of its 19 bytes, from 16 on" in message(builder, "V7")


def test_a_gap_between_tensors(builder: Path) -> None:
    """Data of a tensor that the index has lost."""
    append(builder, b"abcd")
    data = b"efgh"
    add(builder, b"c", entry(FLOAT, (), data), data)
    # Offsets are all multiples of four: as much could be there to align.
    assert "4 of its 24 bytes, from 16 on" in message(builder, "V7")


def test_alignment_is_no_gap(builder: Path) -> None:
    """A writer may begin each tensor at a multiple of some power of two."""
    shard = builder / SHARD
    data = shard.read_bytes()
    shard.write_bytes(data[:4].ljust(64, b"\0") + data[4:].ljust(64, b"\0"))
    reindex(builder, lambda entries: setattr(entries[b"b"], "offset", 64))
    assert rules(builder) == []


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (header(num_shards=1, endianness=1), "its tensors are big-endian"),
        (b"\x08\x01\x1a\x02\x08\x02", "it is of version 2 of the format"),
    ],
)
def test_formats_that_not_all_read(builder: Path, head: bytes, words: str) -> None:
    """Big-endian data, or a newer writer."""
    reindex(builder, head=head)
    assert words in message(builder, "V8")


def test_a_variable_that_the_checkpoint_lacks(builder: Path) -> None:
    """Both MetaGraphs restore it; a renamed one is missing, and its new name is restored by nobody."""
    reindex(builder, lambda entries: entries.update({b"c": entries.pop(b"b")}))
    found = findings(builder, notes=True)
    assert [finding.rule for finding in found] == ["M7", "M7", "V5"]
    assert found[0].where == "MetaGraph [serve, gpu]: node save/RestoreV2"
    assert found[1].where == "MetaGraph [serve]: node save/RestoreV2"
    assert "the checkpoint of 2 tensors lacks 'b'" in found[0].message


def test_a_v2_variable_that_the_checkpoint_lacks(module: Path) -> None:
    """It is the restore function that asks for it; that the object graph does too is not told again."""
    name = b"a/.ATTRIBUTES/VARIABLE_VALUE"
    reindex(module, lambda entries: entries.update({b"c": entries.pop(name)}))
    [found] = findings(module)
    assert found.rule == "M7"
    assert found.where.startswith("MetaGraph [serve]: function __inference__traced_restore_")
    assert found.where.endswith(", node RestoreV2")
    assert found.file == "saved_model.pb"


def test_the_index_of_another_model(builder: Path, module: Path) -> None:
    """Everything is missing, and everything that is there is asked for by nobody."""
    for file in (INDEX, SHARD):
        (builder / file).write_bytes((module / file).read_bytes())
    assert rules(builder, notes=True) == ["M7", "V5"]


def test_a_variable_of_another_type(builder: Path) -> None:
    """The restore op would refuse it."""

    def change(entries: Entries) -> None:
        entries[b"b"].dtype = INT32

    reindex(builder, change)
    found = findings(builder)
    assert {finding.rule for finding in found} == {"M7"}
    assert "'b': it is restored as float32, and the checkpoint has int32" in found[0].message


@pytest.mark.parametrize(("name", "variable"), [("builder", "b"), ("module", "b")])
def test_a_variable_of_another_shape(
    request: pytest.FixtureRequest, name: str, variable: str
) -> None:
    """Where the variable says its shape, as in a v1 graph and in the arguments of a v2 restore function."""
    folder = request.getfixturevalue(name)
    key = (
        variable.encode()
        if name == "builder"
        else f"{variable}/.ATTRIBUTES/VARIABLE_VALUE".encode()
    )

    def change(entries: Entries) -> None:
        entries[key].shape.dim.add(size=1)

    reindex(folder, change)
    found = findings(folder)
    assert {finding.rule for finding in found} == {"M7"}
    assert "variable 'b' has the shape [3], and the checkpoint has [3, 1]" in found[0].message


def test_a_variable_of_the_object_graph_of_another_shape(module: Path) -> None:
    """Python asks by the object graph, not by the restore op."""

    def change(proto: schema.SavedModel) -> None:
        [meta_graph] = proto.meta_graphs
        for node in meta_graph.object_graph_def.nodes:
            if node.WhichOneof("kind") == "variable" and node.variable.name == "b":
                node.variable.dtype = DOUBLE

    edit(module, change)
    found = [finding for finding in findings(module) if finding.rule == "M7"]
    assert [finding.where for finding in found] == ["MetaGraph [serve]: variable b"]
    assert "it is float64 of shape [3], and 'b/.ATTRIBUTES" in found[0].message


def test_an_index_that_leads_to_a_pipe(builder: Path) -> None:
    """L3: a link within the model to what is no file is no index either."""
    index = builder / "variables/variables.index"
    index.unlink()
    os.mkfifo(builder / "variables/pipe")
    index.symlink_to("pipe")
    assert "L3" in rules(builder)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (b"3 0,3", None),
        (b"3 -", None),
        (b"4 0,3", "a slice of shape [4] is restored, and the checkpoint has [3]"),
        (b"3 2,3", "the slice '3 2,3' is not within it"),
        (b"3 0,2", "variable 'b' has the shape [3], and the checkpoint has [2]"),
        (b"nonsense", "'nonsense' is no shape and slice"),
        (b"3 0,1,2", "'3 0,1,2' is no shape and slice"),
        (b"3 0,3:0,3", "is not within it"),
    ],
)
def test_slices_that_are_restored(builder: Path, spec: bytes, words: str | None) -> None:
    """The full shape is the stored one, and the slice is within it and is the variable's."""

    def change(proto: schema.SavedModel) -> None:
        for meta_graph in proto.meta_graphs:
            for node in meta_graph.graph_def.node:
                if node.name.endswith("RestoreV2/shape_and_slices"):
                    node.attr["value"].tensor.string_val[1:] = [spec]
                    node.attr["value"].tensor.string_val[0] = b""

    edit(builder, change)
    found = [finding for finding in findings(builder) if finding.rule == "M7"]
    assert len(found) == (0 if words is None else 2)
    assert all(words in finding.message for finding in found if words)


@pytest.mark.parametrize(
    "change",
    [
        lambda node: node.attr["value"].tensor.string_val.append(b"c"),
        lambda node: node.attr["value"].tensor.tensor_shape.dim[0].__setattr__("size", 7),
        lambda node: node.attr["value"].tensor.tensor_shape.__setattr__("unknown_rank", True),
        lambda node: node.attr["value"].tensor.__setattr__("dtype", FLOAT),
        lambda node: node.attr.clear(),
        lambda node: node.__setattr__("op", "Placeholder"),
    ],
)
def test_names_that_are_not_known_are_passed_over(
    builder: Path, change: Callable[[schema.NodeDef], object]
) -> None:
    """Where constants do not tell what is restored, there is no verdict of these rules."""

    def edited(proto: schema.SavedModel) -> None:
        for meta_graph in proto.meta_graphs:
            for node in meta_graph.graph_def.node:
                if node.name.endswith("RestoreV2/tensor_names"):
                    change(node)

    edit(builder, edited)
    assert {"M7", "V5"}.isdisjoint(rules(builder, notes=True))


def test_another_file_is_not_the_checkpoint(builder: Path) -> None:
    """A RestoreV2 of some other file asks our checkpoint for nothing."""

    def change(proto: schema.SavedModel) -> None:
        for meta_graph in proto.meta_graphs:
            graph = meta_graph.graph_def
            for node in list(graph.node):
                if node.op == "RestoreV2":
                    copied = graph.node.add()
                    copied.CopyFrom(node)
                    copied.name = "other/RestoreV2"
                    copied.input[0] = node.name.replace("RestoreV2", "num_shards")
                    names = next(n for n in graph.node if n.name == node.input[1])
                    named = graph.node.add()
                    named.CopyFrom(names)
                    named.name = "other/names"
                    named.attr["value"].tensor.string_val[:] = [b"x", b"y"]
                    copied.input[1] = named.name
                if node.name.endswith("restore_all"):
                    node.input.append("^other/RestoreV2")

    edit(builder, change)
    assert "M7" not in rules(builder)


def test_a_cycle_in_the_graph_ends(builder: Path) -> None:
    """Values are followed so far and no farther."""

    def change(proto: schema.SavedModel) -> None:
        for meta_graph in proto.meta_graphs:
            for node in meta_graph.graph_def.node:
                if node.name.endswith("RestoreV2/tensor_names"):
                    node.op = "Identity"
                    node.input.append(node.name)

    edit(builder, change)
    assert "M7" not in rules(builder)


def test_every_flipped_byte_of_the_index_is_found(builder: Path) -> None:
    """As a finding of the index, and nothing else of the variables."""
    data = (builder / INDEX).read_bytes()
    for at in set(range(len(data))) - unread(data):
        (builder / INDEX).write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        assert rules(builder) == ["V1"]


@pytest.mark.parametrize("seed", range(4))
def test_damage_behind_right_checksums_never_escapes(module: Path, seed: int) -> None:
    """Whatever entries and object graph say, rules have findings and no exception."""
    generator = random.Random(seed)
    parts((0, 4), (4, 2))(module)
    good = list(TableReader((module / INDEX).read_bytes()).entries())
    graph = graph_of(module).SerializeToString()
    told = set()
    for _ in range(100):
        pairs = [(key, damaged(value, generator)) for key, value in good]
        (module / INDEX).write_bytes(table(pairs))
        told.update(rules(module))
    (module / INDEX).write_bytes(table(good))
    for _ in range(20):
        put_graph(module, damaged(graph, generator))
        told.update(rules(module))
    assert {"V1", "V2"} <= told


def damaged(data: bytes, generator: random.Random) -> bytes:
    """Return bytes of which, half of the time, one is another."""
    if not data or generator.random() < 0.5:
        return data
    at = generator.randrange(len(data))
    return data[:at] + bytes([generator.randrange(256)]) + data[at + 1 :]


def other_variable(model: schema.SavedModel) -> None:
    """Let the signature read a variable that nothing assigns, as a Keras 3 model saved by TensorFlow does."""
    graph = model.meta_graphs[0].graph_def
    [handle] = [node for node in graph.node if node.op == "VarHandleOp" and node.name == "a"]
    other = graph.node.add()
    other.CopyFrom(handle)
    other.name = "layer/a"
    other.attr["shared_name"].s = b"layer/a"
    signature = model.meta_graphs[0].signature_def["serving_default"]
    call = next(iter(signature.outputs.values())).name.partition(":")[0]
    [node] = [node for node in graph.node if node.name == call]
    assert "a" in node.input
    node.input[:] = ["layer/a" if name == "a" else name for name in node.input]


def test_a_variable_that_nothing_assigns(module: Path) -> None:
    """C++ loads and answers no request; what the restore op assigns instead is said."""
    edit(module, other_variable)
    [found] = findings(module, notes=True)
    assert (found.rule, found.severity.value) == ("V9", "error")
    assert found.where == "MetaGraph [serve]: signature 'serving_default'"
    assert found.message.startswith(
        "it reads 1 variable that neither the restore op nor the init op"
    )
    assert "assigns: 'layer/a'; the restore op assigns, for instance, 'a'" in found.message


def test_a_variable_of_the_same_shared_name_is_the_same(module: Path) -> None:
    """A session finds variables by container and shared name, whatever their nodes are called."""

    def change(model: schema.SavedModel) -> None:
        other_variable(model)
        node = model.meta_graphs[0].graph_def.node[-1]
        node.attr["shared_name"].s = b"a"
        node.attr["container"].s = b"localhost"

    edit(module, change)
    assert rules(module, notes=True) == []


def with_legacy(*, assign: str = "", control: str = "") -> Callable[[schema.SavedModel], None]:
    """Return an edit by which an output reads a variable of the old kind, which is assigned as told."""

    def change(model: schema.SavedModel) -> None:
        for meta_graph in model.meta_graphs:
            graph = meta_graph.graph_def
            graph.node.add(name="local", op="VariableV2").attr["dtype"].type = FLOAT
            graph.node.add(name="zero", op="Const").attr["dtype"].type = FLOAT
            graph.node.add(name="set", op="Assign", input=["local", "zero"])
            graph.node.add(name="value", op="Identity", input=["local"])
            mixed = graph.node.add(name="mixed", op="Add", input=["y", "value"])
            mixed.attr["T"].type = FLOAT
            if control:
                next(n for n in graph.node if n.name == control).input.append("^set")
            for key, signature in meta_graph.signature_def.items():
                if key == "serving_default":
                    signature.outputs["y"].name = "mixed:0"
                elif assign and key != "__saved_model_init_op":
                    info = signature.outputs["set"]
                    info.name, info.dtype = f"{assign}:0", FLOAT
                    info.tensor_shape.unknown_rank = True

    return change


def test_a_variable_of_the_old_kind_that_nothing_assigns(builder: Path) -> None:
    """It is found by its node's name."""
    edit(builder, with_legacy())
    found = [finding for finding in findings(builder) if finding.rule == "V9"]
    assert [finding.where for finding in found] == [
        "MetaGraph [serve, gpu]: signature 'serving_default'",
        "MetaGraph [serve]: signature 'serving_default'",
    ]
    assert found[0].message.endswith("assigns: 'local'; C++ answers no request")


@pytest.mark.parametrize(
    "change",
    [
        with_legacy(control="init_all_tables"),
        with_legacy(control="save/restore_all"),
        with_legacy(control="value"),
        with_legacy(assign="set"),
    ],
    ids=["init op", "restore op", "the signature itself", "another signature"],
)
def test_whatever_may_assign_a_variable_is_enough(
    builder: Path, change: Callable[[schema.SavedModel], None]
) -> None:
    """Only what nothing can have assigned is an error."""
    edit(builder, change)
    assert "V9" not in rules(builder)


@pytest.mark.parametrize("op", ["Switch", "While", "MyOp"])
def test_what_may_be_done_with_a_variable_is_not_guessed(module: Path, op: str) -> None:
    """A branch that is not taken reads nothing, and nobody knows what another's op does."""

    def change(model: schema.SavedModel) -> None:
        other_variable(model)
        for function in model.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "ReadVariableOp":
                    node.op = op

    edit(module, change)
    assert "V9" not in rules(module)


def test_a_branch_that_may_not_be_taken(module: Path) -> None:
    """What only one of two branches reads is not read for certain."""

    def change(model: schema.SavedModel) -> None:
        other_variable(model)
        for function in model.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "If":
                    node.attr["else_branch"].func.name = "gone"

    edit(module, change)
    assert "V9" not in rules(module)


def test_functions_that_call_themselves_are_left_alone(module: Path) -> None:
    """What is done with a variable in a circle of calls is not known, and the search for it ends."""

    def change(model: schema.SavedModel) -> None:
        other_variable(model)
        for function in model.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
                    node.attr["f"].func.name = function.signature.name

    edit(module, change)
    assert "V9" not in rules(module)
