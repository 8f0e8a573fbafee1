"""A manifest from the text of its file; nothing that it says is passed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from savedmodel_compat.errors import (
    GoldenDamagedError,
    InfrastructureError,
    UnsupportedError,
    UsageError,
)
from savedmodel_compat.golden._elements import kind_of
from savedmodel_compat.golden._fields import Field, FieldError, parse
from savedmodel_compat.golden.checkers import CHECKERS, Form, KnownChecker, needed
from savedmodel_compat.golden.manifest import (
    SCHEMA,
    DataSetFacts,
    Event,
    Manifest,
    Source,
    TensorFacts,
)
from savedmodel_compat.golden.tolerances import Check, Override
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.runtimes.devices import DEVICES
from savedmodel_compat.tensors import dtype_from_name

_KEYS = (
    "schema",
    "model",
    "tags",
    "signature",
    "producer",
    "recorded_by",
    "source",
    "surroundings",
    "data_sets",
    "tolerances",
    "checkers",
    "history",
)
_MEMBERS: dict[type, tuple[str, ...]] = {
    kind: tuple(member.name for member in fields(kind))
    for kind in (Source, TensorFacts, Override, Check, Event)
}
_SAID = ("rtol", "atol", "ulp", "share")
_DEVICES = tuple(device.name for device in DEVICES)
_MOST_BYTES = 64 << 20


def read(path: Path) -> Manifest:
    """Read the manifest of a golden.

    Raises:
        GoldenDamagedError: it is missing, or says what no manifest says; the text has the key.
        InfrastructureError: it cannot be read.
    """
    return from_text(text_at(path), path)


def text_at(path: Path) -> str:
    """Return the text of a file beside a golden.

    Raises:
        GoldenDamagedError: it is missing, no file, no text, or far too long for one.
        InfrastructureError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise GoldenDamagedError("it is missing", path=path) from error
    except PermissionError as error:
        raise InfrastructureError(f"{path} cannot be read: {error.strerror}") from error
    except OSError as error:
        raise GoldenDamagedError(f"it cannot be read: {error.strerror}", path=path) from error
    if len(content) > _MOST_BYTES:
        raise GoldenDamagedError(f"it has more than {_MOST_BYTES} bytes", path=path)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise GoldenDamagedError(f"it is no UTF-8: {error.reason}", path=path) from error


def from_text(text: str, path: Path) -> Manifest:
    """Return the manifest that a text is.

    Args:
        text: of the file.
        path: the file, for errors.

    Raises:
        GoldenDamagedError: as for `read`.
    """
    try:
        return _manifest(parse(text))
    except FieldError as error:
        raise GoldenDamagedError(
            str(error),
            path=path,
            hint="only `tolerances` and `checkers` are edited by hand; restore the rest from version control",
        ) from error


def _manifest(document: Field) -> Manifest:
    document.known(_KEYS)
    schema = document["schema"].integer()
    if schema != SCHEMA:
        document["schema"].fail(f"is {schema}, and known here is {SCHEMA}")
    data_sets = tuple(_data_set(item) for item in document["data_sets"].items())
    _check_names(document["data_sets"], [facts.name for facts in data_sets])
    outputs = {tensor.alias for facts in data_sets for tensor in facts.outputs}
    return Manifest(
        model=document["model"].text(),
        tags=tuple(item.text() for item in document["tags"].items()),
        signature=document["signature"].text(),
        producer=_text_or_none(document["producer"]),
        recorded_by=document["recorded_by"].text(),
        source=source_from(document["source"]),
        surroundings=_plain(document["surroundings"]),
        data_sets=data_sets,
        overrides=tuple(_override(item, outputs) for item in document["tolerances"].items()),
        checks=tuple(_check(item, outputs, data_sets) for item in document["checkers"].items()),
        history=tuple(_event(item) for item in document["history"].items()),
    )


def source_from(field: Field) -> Source:
    """Return what a golden, or a frozen model, was made from.

    Raises:
        FieldError: it is no such object.
    """
    field.known(_MEMBERS[Source])
    strip, seed = field["strip_default_attrs"], field["seed"]
    return Source(
        kind=field["kind"].one_of(("exporter", "model")),
        name=field["name"].text(),
        sha256=field["sha256"].sha256(),
        strip_default_attrs=None if strip.is_null else strip.flag(),
        seed=None if seed.is_null else seed.integer(),
        frozen=_text_or_none(field["frozen"]),
    )


def _data_set(field: Field) -> DataSetFacts:
    field.known(("name", "why", "inputs", "outputs"))
    inputs = tuple(_tensor(item) for item in field["inputs"].items())
    outputs = tuple(_tensor(item) for item in field["outputs"].items())
    for side, facts in (("inputs", inputs), ("outputs", outputs)):
        _check_twice(field[side], [fact.alias for fact in facts])
    if not outputs:
        field["outputs"].fail("is empty: there is nothing to compare")
    return DataSetFacts(
        name=field["name"].said(), inputs=inputs, outputs=outputs, why=field["why"].text()
    )


def _check_names(field: Field, names: Sequence[str]) -> None:
    if not names:
        field.fail("is empty: there is nothing to compare")
    _check_twice(field, names)


def _check_twice(field: Field, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        field.fail(f"names '{twice}' twice")


def _tensor(field: Field) -> TensorFacts:
    field.known(_MEMBERS[TensorFacts])
    return TensorFacts(
        alias=field["alias"].text(),
        dtype=_dtype(field["dtype"]),
        shape=tuple(item.count() for item in field["shape"].items()),
        sha256=field["sha256"].sha256(),
        least=_number_or_none(field["least"]),
        most=_number_or_none(field["most"]),
        mean=_number_or_none(field["mean"]),
        nans=field["nans"].count(),
        infinities=field["infinities"].count(),
    )


def _dtype(field: Field) -> str:
    try:
        dtype = dtype_from_name(field.text())
    except UnsupportedError as error:
        field.fail(f"is none: {error.message}")
    if dtype.name != field.value or dtype.array_name is None:
        field.fail(f"is {field.value}, as which no tensor is kept")
    return dtype.name


def _override(field: Field, outputs: set[str]) -> Override:
    field.known(_MEMBERS[Override])
    said = {name: field[name].number() for name in _SAID if name in field}
    if not said:
        field.fail(f"says none of {', '.join(_SAID)}")
    if "ulp" in said:
        field["ulp"].count()
    output = field["output"].text() if "output" in field else None
    if output is not None and output not in outputs:
        field["output"].one_of(sorted(outputs))
    device = field["device"].text() if "device" in field else None
    if device is not None and device not in _DEVICES:
        field["device"].one_of(_DEVICES)
    numbers: dict[str, Any] = dict(said)
    try:
        return Override(output=output, device=device, reason=field["reason"].said(), **numbers)
    except UsageError as error:
        field.fail(f"says {error.message}")


def _check(field: Field, outputs: set[str], data_sets: Sequence[DataSetFacts]) -> Check:
    field.known(_MEMBERS[Check])
    field["checker"].said()
    known = CHECKERS[field["checker"].one_of(CHECKERS)]
    named = tuple(item.one_of(sorted(outputs)) for item in field["outputs"].items())
    if not named:
        field["outputs"].fail("is empty: name the outputs that it judges")
    _check_twice(field["outputs"], named)
    check = Check(
        checker=field["checker"].text(),
        outputs=named,
        options=_options(field, known, outputs),
        reason=field["reason"].said(),
    )
    for facts in data_sets:
        forms = {tensor.alias: form for tensor in facts.outputs if (form := _form(tensor))}
        if not needed(check) <= set(forms):
            continue  # an output that this data set lacks is a difference for whoever compares
        if why := known.unfit(check, forms):
            field.fail(f"cannot judge data set '{facts.name}' with '{check.checker}': {why}")
    return check


def _options(field: Field, known: KnownChecker, outputs: set[str]) -> dict[str, Any]:
    options = field["options"] if "options" in field else Field({}, field, "options")
    plain = _plain(options)
    if plain and not known.options:
        options.fail(f"has a key '{next(iter(plain))}', and this checker has no options")
    options.known(known.options)
    for name in known.required:
        options[name]  # fails, and says which is missing
    for name in plain:
        if name in known.outputs:
            options[name].one_of(sorted(outputs))
        else:
            options[name].integer()
    return plain


def _form(tensor: TensorFacts) -> Form | None:
    """Return the form of a tensor; None if this ml_dtypes has not its type."""
    dtype = dtype_from_name(tensor.dtype).numpy
    if dtype is None:
        return None
    return Form(dtype=tensor.dtype, kind=kind_of(dtype), shape=tensor.shape)


def _event(field: Field) -> Event:
    field.known(_MEMBERS[Event])
    what = field["what"].one_of(("recorded", "accepted"))
    return Event(
        date=field["date"].day(),
        what=what,
        reason=field["reason"].said() if what == "accepted" else field["reason"].text(),
        by=field["by"].text(),
    )


def _plain(field: Field) -> dict[str, Any]:
    """Return an object of any keys as it is, if its numbers are finite."""
    members = dict(field.members())
    try:
        json.dumps(field.value, allow_nan=False)
    except ValueError:
        _fail_infinite(list(members.values()))
    return {name: member.value for name, member in members.items()}


def _fail_infinite(waiting: list[Field]) -> None:
    """Refuse the number that is too large, by its place."""
    while waiting:
        field = waiting.pop()
        if isinstance(field.value, dict):
            waiting.extend(member for _, member in field.members())
        elif isinstance(field.value, list):
            waiting.extend(field.items())
        elif isinstance(field.value, float):
            field.number()


def _text_or_none(field: Field) -> str | None:
    return None if field.is_null else field.text()


def _number_or_none(field: Field) -> float | None:
    return None if field.is_null else field.number()
