"""The hashes of ``fingerprint.pb``, taken anew (``cc/saved_model/fingerprinting.cc``)."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import DamagedModelError, SavedModelCompatError
from savedmodel_compat.model import files, parse, payloads, schema, wire
from savedmodel_compat.model.canonical import canonical
from savedmodel_compat.model.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from savedmodel_compat.model.values import SavedModel

NAME = "fingerprint.pb"
INDEX = "variables/variables.index"
# The versions of the fingerprint's own code: 0 is TensorFlow 2.11's, 4 that of 2.21.
_KNOWN_PRODUCERS = range(5)
_OTHERS = ("graph_def_program_hash", "signature_def_hash", "saved_object_graph_hash")
_META_GRAPH = _GRAPH = wire.tag_of(2)


class Verdict(enum.Enum):
    """What became of a hash that was taken anew."""

    VERIFIED = "verified"
    DIFFERS = "differs"
    UNVERIFIED = "not verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hash:
    """One hash of a fingerprint.

    Args:
        name: its field, such as ``checkpoint_hash``.
        value: what ``fingerprint.pb`` says.
        verdict: whether the model has it.
        found: what the model has; None if that was not found out.
        why: the reason, if it was not verified.
    """

    name: str
    value: int
    verdict: Verdict
    found: int | None = None
    why: str = ""


def load(folder: Path) -> Fingerprint | None:
    """Return what a model's ``fingerprint.pb`` says; None if there is none.

    Raises:
        DamagedModelError: it does not parse, is no file, or cannot be read.
        NotASavedModelError: it is a link that leads out of the model, or to nothing.
    """
    file = folder / NAME
    if not os.path.lexists(file):
        return None
    data = parse.read_bytes(files.inside(folder, file))
    if not data:
        raise DamagedModelError(f"{file} is empty")
    try:
        proto = schema.parse(schema.FingerprintDef, data)
    except DecodeError as error:
        raise DamagedModelError(f"{file} ({len(data)} bytes) does not parse: {error}") from error
    return Fingerprint(
        saved_model_checksum=proto.saved_model_checksum,
        graph_def_program_hash=proto.graph_def_program_hash,
        signature_def_hash=proto.signature_def_hash,
        saved_object_graph_hash=proto.saved_object_graph_hash,
        checkpoint_hash=proto.checkpoint_hash,
        producer=proto.version.producer,
        uuid=proto.uuid,
    )


def verify(model: SavedModel, *, limit: int = parse.SIZE_LIMIT) -> tuple[Hash, ...]:
    """Return the hashes of a model's fingerprint, two of them compared with the files.

    A difference is told only where it is one: not for a fingerprint of an unknown version, nor for a
    file that no protobuf of Python or C++ wrote as it stands.

    Args:
        model: what was read; its files are read again.
        limit: the most bytes of a file that is hashed.

    Returns:
        The five hashes in the order of their fields; none if there is no fingerprint.
    """
    fingerprint = model.fingerprint
    if fingerprint is None:
        return ()
    return (
        _compared(fingerprint, "saved_model_checksum", _model_hashes(model, limit)),
        *(_plain(fingerprint, name) for name in _OTHERS),
        _compared(fingerprint, "checkpoint_hash", _checkpoint_hashes(model, limit)),
    )


def fingerprint64(data: bytes) -> int:
    """Return FarmHash's Fingerprint64, as ``core/platform/fingerprint.h`` has it."""
    farmhash = import_module("farmhash")
    # Two distributions have a module of this name.
    function = getattr(farmhash, "Fingerprint64", None) or farmhash.fingerprint64
    return int(function(data))


class _UnverifiedError(Exception):
    """A hash cannot be compared; the text says why."""


def _plain(fingerprint: Fingerprint, name: str) -> Hash:
    return Hash(
        name=name,
        value=getattr(fingerprint, name),
        verdict=Verdict.UNVERIFIED,
        why="it is of a form of the graph that only TensorFlow makes",
    )


def _compared(fingerprint: Fingerprint, name: str, hashes: Iterator[int]) -> Hash:
    """Return a hash with its verdict: one of those that the model may have is enough."""
    value = int(getattr(fingerprint, name))
    found = None
    try:
        for found in hashes:
            if found == value:
                return Hash(name=name, value=value, verdict=Verdict.VERIFIED, found=found)
    except _UnverifiedError as error:
        return Hash(name=name, value=value, verdict=Verdict.UNVERIFIED, why=str(error))
    if fingerprint.producer not in _KNOWN_PRODUCERS:
        why = f"version {fingerprint.producer} of the fingerprint is not known"
        return Hash(name=name, value=value, verdict=Verdict.UNVERIFIED, why=why)
    return Hash(name=name, value=value, verdict=Verdict.DIFFERS, found=found)


def _model_hashes(model: SavedModel, limit: int) -> Iterator[int]:
    """Yield what the checksum of a model may be, the likeliest and cheapest first.

    C++ serializes anew what it has read from the file, and hashes that. The file is already so if
    the Python that wrote it used protobuf's C++.
    """
    if model.format != "pb":
        raise _UnverifiedError("there is none for the text form")
    data = _content(model, model.file.name, limit)
    if data is None:
        raise _UnverifiedError(f"{model.file.name} is gone")
    message = "SavedModel"
    try:
        if model.fingerprint is not None and model.fingerprint.producer == 0:
            # Then the hash is that of meta_graphs[0].graph_def, in the field of the same number.
            data, message = _first(_first(data, _META_GRAPH), _GRAPH), "GraphDef"
        yield fingerprint64(data)
        ordered = canonical(data, message)
        yield fingerprint64(ordered)
        if _is_as_ever(model):
            return
        written = canonical(_written_anew(data, message), message)
    except (wire.WireError, OSError, SavedModelCompatError) as error:
        raise _UnverifiedError(f"{model.file.name} cannot be walked: {error}") from error
    if written != ordered:
        yield fingerprint64(written)
        raise _UnverifiedError(f"{model.file.name} was serialized by something else")


def _is_as_ever(model: SavedModel) -> bool:
    """Return whether a large file, as far as it is not one long constant, is as Python writes it."""
    short = payloads.shortened(files.inside(model.path, model.file))
    return short is not None and canonical(_written_anew(short, "SavedModel")) == canonical(short)


def _written_anew(data: bytes, message: str) -> bytes:
    try:
        proto = schema.parse(getattr(schema, message), data)
    except DecodeError as error:
        raise _UnverifiedError(f"its {message} does not parse: {error}") from error
    return bytes(proto.SerializeToString(deterministic=True))


def _first(data: bytes, wanted: int) -> bytes:
    """Return the content of the first field with a tag."""
    at = 0
    while at < len(data):
        tag, body, at = wire.field(data, at)
        if tag == wanted:
            return data[body:at]
    raise _UnverifiedError("there is no graph")


def _checkpoint_hashes(model: SavedModel, limit: int) -> Iterator[int]:
    """Yield the hash of ``variables.index``; 0 stands for a model without one."""
    data = _content(model, INDEX, limit)
    yield 0 if data is None else fingerprint64(data)


def _content(model: SavedModel, name: str, limit: int) -> bytes | None:
    """Return the content of a file of the model; None if it is not there."""
    file = model.path / name
    if not os.path.lexists(file):
        return None
    try:
        source = files.inside(model.path, file)
        size = source.stat().st_size
        if size > limit:
            raise _UnverifiedError(f"{name} has {size} bytes, and only {limit} are looked at")
        return parse.read_bytes(source)
    except (SavedModelCompatError, OSError) as error:
        raise _UnverifiedError(str(error)) from error
