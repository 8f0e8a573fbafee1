"""From the bytes of ``saved_model.pb`` or ``saved_model.pbtxt`` to its message."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import damage, payloads, schema
from savedmodel_compat.model.files import open_regular

if TYPE_CHECKING:
    from pathlib import Path

# What a protocol buffer can be at most; beyond it no loader reads it either.
SIZE_LIMIT = 2**31 - 1
# Each takes a thousandth of a second, and no model has so many.
_META_GRAPHS_LIMIT = 1000
# Passes over a text that is not understood at once, and bytes of all but the first few of them.
_PASSES = 20
_PASSES_OF_ANY = 4
_PASSED = 4 << 20
_NOTES_LIMIT = 20
# A string that is not closed ends with its line: else each quote in it would begin one more.
_STRING_OR_COMMENT = r""" "(?:[^"\\\n]|\\.)*"? | '(?:[^'\\\n]|\\.)*'? | \#[^\n]* """.replace(
    " ", ""
)
# What stands in the place of a value: not the name of a field, of a map's entry or of a type.
_WORD = re.compile(rf"({_STRING_OR_COMMENT})|(?<=[:,\[\s])([A-Za-z_]\w*)(?![\w./])(?!\s*[:{{<])")
_LITERAL = re.compile(r"true|false|t|f|inf(inity)?f?|nanf?", re.IGNORECASE)
_QUOTED = 200
_NO_FIELD = "has no field named"
_NO_VALUE = re.compile(r'Enum type "([\w.]+)" has no value named (\w+)')
_NO_GRAPH = "it holds no MetaGraph"
_AGAIN = "export or copy the model again"


def read_bytes(file: Path) -> bytes:
    """Return the content of a model's file.

    Raises:
        DamagedModelError: it is larger than a protocol buffer can be, is no regular file, or cannot
            be read.
    """
    try:
        with open_regular(file) as opened:
            size = os.fstat(opened.fileno()).st_size
            if size <= SIZE_LIMIT:
                return opened.read()
    except OSError as error:
        raise DamagedModelError(f"{file} cannot be read: {error.strerror}") from error
    raise DamagedModelError(
        f"{file} has {size} bytes; no loader reads a protocol buffer above {SIZE_LIMIT}",
        hint="keep large values in variables, not in constants of the graph",
    )


def read_binary(
    source: Path, file: Path, *, tensor_data: bool = True
) -> tuple[schema.SavedModel, bool]:
    """Return the SavedModel in a ``saved_model.pb``, and whether all of it was read.

    Args:
        source: what is opened.
        file: named in errors.
        tensor_data: whether to read long constants too. Without them the time and the memory that a
            large file takes do not depend on their size.

    Raises:
        DamagedModelError: it does not parse, or is something else.
    """
    short = None if tensor_data else _shortened(source)
    if short is not None:
        try:
            return parse_binary(short, file), False
        except DamagedModelError:
            # What is wrong is told of the file as it is.
            pass
    return parse_binary(read_bytes(source), file), True


def _shortened(source: Path) -> bytes | None:
    try:
        return payloads.shortened(source)
    except OSError:
        return None


def parse_binary(data: bytes, file: Path) -> schema.SavedModel:
    """Return the SavedModel that a ``saved_model.pb`` holds.

    Args:
        data: its content.
        file: named in errors.

    Raises:
        DamagedModelError: it does not parse, or is something else.
    """
    # Field 1 of a SavedModel is a number. A first field 1 of bytes is another message, though it
    # may parse as this one.
    if data.startswith(b"\x0a"):
        raise _damaged(file, data, "does not start as one")
    try:
        model = schema.parse(schema.SavedModel, data)
    except DecodeError as error:
        raise _damaged(file, data, str(error)) from error
    _check_meta_graphs(model, data, file)
    return model


def parse_text(data: bytes, file: Path) -> tuple[schema.SavedModel, tuple[str, ...]]:
    """Return the SavedModel that a ``saved_model.pbtxt`` holds, and what was left out, in words.

    Fields and enum values that a newer TensorFlow added are left out: the text form, unlike the
    binary one, cannot keep them.

    Args:
        data: its content.
        file: named in errors.

    Raises:
        DamagedModelError: it does not parse, or is something else.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _damaged(file, data, f"it is no UTF-8 text at byte {error.start}") from error
    if "\0" in text:
        raise _damaged(file, data, "it holds zero bytes, so it is no text")
    model, notes = _parse_leniently(text, file)
    _check_meta_graphs(model, data, file)
    return model, notes


def _check_meta_graphs(model: schema.SavedModel, data: bytes, file: Path) -> None:
    if not model.meta_graphs:
        raise _damaged(file, data, _NO_GRAPH)
    if len(model.meta_graphs) > _META_GRAPHS_LIMIT:
        raise DamagedModelError(
            f"{file} holds {len(model.meta_graphs)} MetaGraphs; more than {_META_GRAPHS_LIMIT} are"
            " not looked at"
        )


def _parse_leniently(text: str, file: Path) -> tuple[schema.SavedModel, tuple[str, ...]]:
    from google.protobuf import text_format

    notes: list[str] = []
    lenient = False
    passes = 0
    while True:
        passes += 1
        try:
            model = text_format.Parse(
                text, schema.SavedModel(), allow_unknown_field=lenient, descriptor_pool=schema.POOL
            )
        except text_format.ParseError as error:
            value = _NO_VALUE.search(str(error))
            if value and _may_pass(passes, text):
                text = _without_values(text, value, error, file, notes)
            elif _NO_FIELD in str(error) and not lenient:
                lenient = True
                notes.append(f"unknown fields were left out; the first is at {_at_line(error)}")
            else:
                # What follows a misspelt field is reported at a later place.
                before = f"; before it, {notes[-1]}" if notes else ""
                raise _damaged(file, text.encode(), _at_line(error) + before) from error
        except RecursionError as error:
            raise _damaged(file, text.encode(), "its messages are nested too deeply") from error
        else:
            return model, _shown(notes)


def _may_pass(passes: int, text: str) -> bool:
    return passes < _PASSES_OF_ANY or (passes < _PASSES and passes * len(text) < _PASSED)


def _shown(notes: list[str]) -> tuple[str, ...]:
    more = len(notes) - _NOTES_LIMIT
    return (*notes[:_NOTES_LIMIT], f"{more} more such values") if more > 0 else tuple(notes)


def _without_values(
    text: str, value: re.Match[str], error: Exception, file: Path, notes: list[str]
) -> str:
    """Put the number 0 for unknown values of enums, wherever they stand outside of strings.

    Args:
        text: in which one was found.
        value: the name of its enum, and its own.
        error: what is raised if it stands nowhere.
        file: named in errors.
        notes: takes what was replaced, in words.
    """
    known = _enum_values() - {value[2]}
    others: dict[str, None] = {}

    def replaced(found: re.Match[str]) -> str:
        word = found[2]
        if word is None or word in known or _LITERAL.fullmatch(word):
            return found[0]
        others[word] = None
        return "0"

    changed = _WORD.sub(replaced, text)
    if changed == text:
        raise _damaged(file, text.encode(), _at_line(error)) from error
    notes.append(f"{value[2]} is no known value of {value[1]}; it was read as 0")
    others.pop(value[2], None)
    notes.extend(f"{word} is no known value of an enum; it was read as 0" for word in others)
    return changed


@cache
def _enum_values() -> frozenset[str]:
    """Return the names of all values of the enums that a SavedModel can hold."""
    found: set[str] = set()
    seen = {schema.SavedModel.DESCRIPTOR.full_name}
    pending = [schema.SavedModel.DESCRIPTOR]
    while pending:
        for field in pending.pop().fields:
            if field.enum_type is not None:
                found.update(field.enum_type.values_by_name)
            inner = field.message_type
            if inner is not None and inner.full_name not in seen:
                seen.add(inner.full_name)
                pending.append(inner)
    return frozenset(found)


def _at_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    position, _, words = text.partition(" : ")
    line, _, column = position.partition(":")
    return f"line {line}, column {column}: {words}" if column.isdigit() else text[:_QUOTED]


def _damaged(file: Path, data: bytes, why: str) -> DamagedModelError:
    found = damage.recognise(data)
    if found == damage.TEXT_FORM:
        if file.suffix == ".pb":
            return DamagedModelError(
                f"{file} is {found}", hint=f"rename it to {file.with_suffix('.pbtxt').name}"
            )
        found = None
    misnamed = found is not None and data.strip(b" \t\r\n\0") != b""
    if found is None and file.suffix == ".pb":
        found = damage.cut_short(data)
    words = f"it is {found}" if found else why
    verb = "is no SavedModel" if words == _NO_GRAPH else "does not parse as a SavedModel"
    return DamagedModelError(
        f"{file} ({len(data)} bytes) {verb}: {words}",
        hint=_AGAIN,
        misnamed=misnamed,
    )
