"""Is the model the one that its fingerprint and its debug information say: rules L6 and L7."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from savedmodel_compat.checks._many import counted
from savedmodel_compat.checks._pointers import pointers
from savedmodel_compat.checks.findings import found
from savedmodel_compat.errors import DamagedModelError, SavedModelCompatError
from savedmodel_compat.model import files, fingerprint, parse, payloads, schema
from savedmodel_compat.model.fingerprint import Verdict
from savedmodel_compat.model.tree import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from savedmodel_compat.checks.findings import Finding
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.fingerprint import Hash
    from savedmodel_compat.model.values import SavedModel

_DEBUG = "debug/saved_model_debug_info.pb"


def check(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the debug information and the fingerprint."""
    yield from _debug_info(subject)
    if _is_folder(subject, fingerprint.NAME):
        yield _stale("it is a folder, and should be a file")
    if not _is_readable(subject, fingerprint.NAME):
        return
    try:
        present = fingerprint.load(subject.root) is not None
    except DamagedModelError as error:
        words = error.message.removeprefix(f"{subject.root / fingerprint.NAME} ")
        yield _stale(f"the file {words}")
        return
    except SavedModelCompatError:
        # A link that leads out of the model has a rule of its own.
        return
    if present and subject.saved is not None:
        yield from _hashes(subject, subject.saved)


def _is_folder(subject: Subject, name: str) -> bool:
    entry = subject.tree.find(name)
    return entry is not None and entry.kind is Kind.FOLDER


def _is_readable(subject: Subject, name: str) -> bool:
    """Whether there is a file of the model, and it can be opened: all else has rules of its own."""
    entry = subject.tree.find(name)
    return (
        entry is not None
        and entry.kind is Kind.FILE
        and entry.name not in pointers(subject)
        and os.access(f"{subject.root}/{name}", os.R_OK)
    )


def _debug_info(subject: Subject) -> Iterator[Finding]:
    if _is_folder(subject, _DEBUG):
        yield found("L6", _DEBUG, "it is a folder, and should be a file", file=_DEBUG)
    if not _is_readable(subject, _DEBUG):
        return
    try:
        data = parse.read_bytes(files.inside(subject.root, subject.root / _DEBUG))
        schema.parse(schema.GraphDebugInfo, data)
    except DamagedModelError as error:
        yield found(
            "L6", _DEBUG, error.message.removeprefix(f"{subject.root}{os.sep}"), file=_DEBUG
        )
    except DecodeError:
        message = f"its {counted(len(data), 'byte')} do not parse as a GraphDebugInfo"
        yield found("L6", _DEBUG, message, file=_DEBUG)
    except SavedModelCompatError:
        return


def _hashes(subject: Subject, saved: SavedModel) -> Iterator[Finding]:
    """Yield one finding for all that differs.

    A ``variables.index`` that is missing or damaged is not told again.
    """
    limit = parse.SIZE_LIMIT if subject.tensor_data else payloads.SMALLEST_FILE
    hashes = {taken.name: taken for taken in fingerprint.verify(saved, limit=limit)}
    graph, index = hashes["saved_model_checksum"], hashes["checkpoint_hash"]
    differs = [
        taken
        for taken in (graph, index)
        if taken.verdict is Verdict.DIFFERS and (taken is graph or subject.checkpoint is not None)
    ]
    if len(differs) == 2:
        yield _stale(
            f"it is of another model: {_difference(graph, saved.file.name)};"
            f" {_difference(index, fingerprint.INDEX)}"
        )
    elif graph in differs:
        yield _stale(
            f"{_difference(graph, saved.file.name)}: that file was changed after the export"
        )
    elif index in differs:
        yield _stale(
            f"{_difference(index, fingerprint.INDEX)}: the variables are not those of the export"
        )


def _difference(taken: Hash, file: str) -> str:
    return f"its {taken.name} is {taken.value:016x}, that of {file} {taken.found or 0:016x}"


def _stale(message: str) -> Finding:
    return found("L7", fingerprint.NAME, message, file=fingerprint.NAME)
