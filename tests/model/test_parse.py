"""Tests of `savedmodel_compat.model.parse` and `damage`: each damage is made, then recognised."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format

from savedmodel_compat.errors import DamagedModelError, NotASavedModelError, SavedModelCompatError
from savedmodel_compat.model import parse, read, schema

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"\n \n", "it is empty"),
        (b"\0" * 100, "100 zero bytes"),
        (LFS, "Git LFS pointer"),
        (b"\x89HDF\r\n\x1a\nxxxx", "an HDF5 file"),
        (b"PK\x03\x04xxxx", "a zip archive"),
        (b"\x1f\x8bxxxx", "compressed with gzip"),
        ("<!DOCTYPE html><html>", "HTML page"),
        ('item {\n  id: 1\n  name: "cat"\n}\n', "a label map"),
        ('node {\n  name: "x"\n}\n', "a GraphDef in text form"),
        ("meta_info_def {\n}\n", "a single MetaGraphDef in text form"),
        ('model_checkpoint_path: "m"\n', "state file of a checkpoint"),
    ],
)
@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt"])
def test_what_is_no_model_is_recognised(
    write: Callable[..., Path], name: str, content: bytes | str, words: str
) -> None:
    """A file of another kind is named, whichever name it hides under, with its path and size."""
    with pytest.raises(DamagedModelError, match=words) as caught:
        read(write(content, name))
    assert name in caught.value.message
    assert f"({len(content)} bytes)" in caught.value.message


def test_a_frozen_graph_is_recognised(write: Callable[..., Path], proto: schema.SavedModel) -> None:
    """A frozen GraphDef under the model's name is told by its nodes."""
    graph = proto.meta_graphs[0].graph_def
    graph.library.function.add().signature.name = "f"

    with pytest.raises(DamagedModelError, match="a frozen GraphDef of 2 nodes"):
        read(write(graph))


def test_a_meta_graph_is_recognised(write: Callable[..., Path], proto: schema.SavedModel) -> None:
    """A checkpoint's .meta file under the model's name is told by its graph."""
    with pytest.raises(DamagedModelError, match="a single MetaGraphDef"):
        read(write(proto.meta_graphs[0]))


def test_a_text_model_under_the_binary_name_is_told_to_be_renamed(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """The content is right and only the name is wrong."""
    with pytest.raises(DamagedModelError, match="text form") as caught:
        read(write(text_format.MessageToString(proto)))
    assert caught.value.hint == "rename it to saved_model.pbtxt"


def test_a_model_that_was_cut_short_says_where(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """A copy that broke off is told from garbage, with both ends."""
    data = proto.SerializeToString()

    with pytest.raises(
        DamagedModelError, match=f"cut short.* ends at {len(data)}, .* at {len(data) - 5}"
    ):
        read(write(data[:-5]))


def test_garbage_is_refused(write: Callable[..., Path]) -> None:
    """Bytes that are nothing known are still refused with the file's name."""
    with pytest.raises(DamagedModelError, match=r"saved_model\.pb \(64 bytes\) does not parse"):
        read(write(b"\xff" * 64))


def test_a_model_without_meta_graphs_is_refused(write: Callable[..., Path]) -> None:
    """A message that parses but holds nothing loads nowhere."""
    with pytest.raises(DamagedModelError, match="holds no MetaGraph"):
        read(write(schema.SavedModel(saved_model_schema_version=1)))


def test_a_syntax_error_has_line_and_column(write: Callable[..., Path]) -> None:
    """A broken text file is reported as an editor shows it."""
    with pytest.raises(DamagedModelError, match=r'line 1, column 13: Expected "}"'):
        read(write("meta_graphs {\n", "saved_model.pbtxt"))


def test_text_that_is_not_utf_8_is_refused(write: Callable[..., Path]) -> None:
    """A text file in another encoding is refused with the place."""
    with pytest.raises(DamagedModelError, match="no UTF-8 text at byte 2"):
        read(write(b"# \xe9\nmeta_graphs {}", "saved_model.pbtxt"))


def test_a_binary_model_under_the_text_name_is_refused(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """The binary form is no text."""
    with pytest.raises(DamagedModelError, match=r"\.pbtxt .*does not parse"):
        read(write(proto, "saved_model.pbtxt"))


def test_deep_nesting_is_refused(write: Callable[..., Path]) -> None:
    """A text file cannot exhaust the stack."""
    depth = 5000
    text = (
        "meta_graphs { graph_def { node { attr { key: 'a' value { "
        + "func { attr { key: 'a' value { " * depth
    )

    with pytest.raises(DamagedModelError, match="nested too deeply"):
        read(write(text, "saved_model.pbtxt"))


def test_unknown_fields_of_a_text_are_noted(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """A newer release's field does not stop the reading, but the reader is told."""
    text = text_format.MessageToString(proto) + "brand_new { deeper: 1 }\n"
    model = read(write(text, "saved_model.pbtxt"))

    assert model.proto == proto
    assert "brand_new" in model.notes[0]


def test_unknown_enum_values_of_a_text_are_noted(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """A newer release's type is read as 0 wherever it stands outside of strings, and noted once."""
    text = text_format.MessageToString(proto).replace("DT_FLOAT", "DT_FLOAT128")
    text = text.replace('"2.11.1"', '"2.11.1 dtype: DT_FLOAT128"')
    model = read(write(text, "saved_model.pbtxt"))
    meta_graph = model.meta_graphs[0]

    assert meta_graph.signatures["serving_default"].inputs["x"].dtype == "invalid"
    assert meta_graph.tensorflow_version == "2.11.1 dtype: DT_FLOAT128"
    assert model.notes == (
        "DT_FLOAT128 is no known value of tensorflow.DataType; it was read as 0",
    )


def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that takes the size of each text that is parsed."""
    sizes: list[int] = []
    parse_text = text_format.Parse

    def counted(text: str, *args: Any, **kwargs: Any) -> Any:
        sizes.append(len(text))
        return parse_text(text, *args, **kwargs)

    monkeypatch.setattr(text_format, "Parse", counted)
    return sizes


def test_many_unknown_enum_values_cost_one_pass(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that no enum has are replaced at once; names of fields, types and known values stay."""
    values = "".join(f"attr {{ key: 'a{i}' value {{ type: DT_{i}X }} }}\n" for i in range(100))
    values += "attr { key: 'b' value { list { type: [DT_NEW, DT_INT32] b: [true, False] f: -inf f: NaN } } }"
    any_info = "any_info { [type.googleapis.com/tensorflow.AssetFileDef] { filename: 'DT_NEW' } }"
    text = (
        f"meta_graphs {{ meta_info_def {{ {any_info} }} # type: DT_NEW isn't\n"
        f"graph_def {{ node {{ {values} }} }} }}"
    )
    sizes = passes(monkeypatch)
    model = read(write(text, "saved_model.pbtxt"))
    attrs = model.proto.meta_graphs[0].graph_def.node[0].attr

    assert len(sizes) == 2
    assert list(attrs["b"].list.type) == [0, 3]
    assert list(attrs["b"].list.b) == [True, False]
    assert str(list(attrs["b"].list.f)) == "[-inf, nan]"
    assert b"DT_NEW" in model.proto.meta_graphs[0].meta_info_def.any_info.value
    assert model.notes[:2] == (
        "DT_0X is no known value of tensorflow.DataType; it was read as 0",
        "DT_1X is no known value of an enum; it was read as 0",
    )
    assert model.notes[20:] == ("81 more such values",)


@pytest.mark.parametrize(("padding", "most"), [(0, 20), (1 << 20, 4)])
def test_passes_over_a_text_are_limited(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, padding: int, most: int
) -> None:
    """Values that another enum has are replaced one by one: a few times, more often in a short text."""
    known = sorted(parse._enum_values() - {"DT_INVALID"})
    values = "".join(
        f"attr {{ key: 'a{i}' value {{ type: {name} }} }}\n"
        for i, name in enumerate(name for name in known if not name.startswith("DT_"))
    )
    text = f"meta_graphs {{ graph_def {{ node {{ name: '{'x' * padding}' {values} }} }} }}"
    sizes = passes(monkeypatch)

    with pytest.raises(DamagedModelError, match=r"has no value named \w+\.?; before it"):
        read(write(text, "saved_model.pbtxt"))
    assert len(sizes) == most


def test_quotes_that_are_never_closed_take_no_long(write: Callable[..., Path]) -> None:
    """Each of them might begin a string to the end of a long line."""
    text = "meta_graphs { graph_def { node { attr { key: 'a' value { type: DT_NEW } } } } }\n"

    with pytest.raises(DamagedModelError, match="line 2"):
        read(write(text + '"' + '\\"' * 300_000, "saved_model.pbtxt"))


def test_an_error_after_an_unknown_field_names_both(write: Callable[..., Path]) -> None:
    """A misspelt field is the likely cause of an error behind it."""
    text = "saved_model_schema_verzion: 1\nmeta_graphs {\n"

    with pytest.raises(DamagedModelError, match=r"line 2.*before it.*line 1.*schema_verzion"):
        read(write(text, "saved_model.pbtxt"))


def test_text_and_binary_form_read_the_same(
    write: Callable[..., Path], proto: schema.SavedModel
) -> None:
    """The form of the file makes no difference to what is read."""
    from_text = read(write(text_format.MessageToString(proto), "saved_model.pbtxt"))
    from_binary = read(write(proto))

    assert from_text.meta_graphs == from_binary.meta_graphs
    assert (from_text.format, from_binary.format) == ("pbtxt", "pb")


def test_a_file_beyond_the_limit_is_not_read(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that no protocol buffer can have the size of is refused by its size alone."""
    monkeypatch.setattr(parse, "SIZE_LIMIT", 10)

    with pytest.raises(DamagedModelError, match="has 11 bytes; .* above 10"):
        read(write(b"12345678901"))


def test_a_file_that_cannot_be_opened_is_an_error(write: Callable[..., Path]) -> None:
    """A link to a file that is gone is reported as such."""
    folder = write(b"", "other")
    (folder / "saved_model.pb").symlink_to(folder / "gone")

    with pytest.raises(NotASavedModelError, match="leads nowhere"):
        read(folder)


def test_random_damage_never_escapes(write: Callable[..., Path], corpus: Path) -> None:
    """Whatever bytes change, a model reads or is refused with an error of ours."""
    generator = random.Random(7)
    data = (corpus / "half_plus_two_tf2" / "saved_model.pb").read_bytes()
    refused = 0
    for _ in range(200):
        damaged = bytearray(data)
        damaged[generator.randrange(len(data))] = generator.randrange(256)
        try:
            read(write(bytes(damaged)))
        except SavedModelCompatError:
            refused += 1

    assert 0 < refused < 200
