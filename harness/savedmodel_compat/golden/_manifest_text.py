"""A manifest as the text of its file: the same manifest is the same text, and a change of one thing one of few lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden.manifest import SCHEMA, DataSetFacts, Manifest, Source, TensorFacts
from savedmodel_compat.golden.tolerances import Check, Override

_WIDTH = 100
_READABLE = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_ESCAPED = json.JSONEncoder(allow_nan=False).encode
_TENSOR_LINES = (
    ("alias", "dtype", "shape"),
    ("sha256",),
    ("least", "most", "mean", "nans", "infinities"),
)


def text_of(manifest: Manifest) -> str:
    """Return the text of a manifest's file.

    Raises:
        UsageError: its surroundings, or the options of a checker, are no plain JSON.
    """
    document = {
        "schema": SCHEMA,
        "model": manifest.model,
        "tags": list(manifest.tags),
        "signature": manifest.signature,
        "producer": manifest.producer,
        "recorded_by": manifest.recorded_by,
        "source": source_members(manifest.source),
        "surroundings": _sorted(manifest.surroundings),
        "data_sets": [_data_set(facts) for facts in manifest.data_sets],
        "tolerances": [_override(override) for override in manifest.overrides],
        "checkers": [_check(check) for check in manifest.checks],
        "history": [asdict(event) for event in manifest.history],
    }
    return document_text(document)


def document_text(document: dict[str, Any]) -> str:
    """Return a JSON document, its lines long enough for one thing and no longer.

    Raises:
        UsageError: it holds what JSON has not, such as NaN.
    """
    try:
        return f"{_text(document, 0)}\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"a manifest holds plain JSON only: {error}") from error


def source_members(source: Source) -> dict[str, Any]:
    """Return the source as its object."""
    return asdict(source)


def _data_set(facts: DataSetFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "why": facts.why,
        "inputs": [_Tensor(tensor) for tensor in facts.inputs],
        "outputs": [_Tensor(tensor) for tensor in facts.outputs],
    }


def _override(override: Override) -> dict[str, Any]:
    said = {name: value for name, value in asdict(override).items() if value is not None}
    return {**said, "reason": override.reason}


def _check(check: Check) -> dict[str, Any]:
    said: dict[str, Any] = {"checker": check.checker, "outputs": list(check.outputs)}
    if check.options:
        said["options"] = _sorted(check.options)
    return {**said, "reason": check.reason}


def _sorted(value: Any) -> Any:
    """Return plain JSON with its keys sorted; keys that are no text are refused."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise UsageError(f"a manifest holds plain JSON only: {list(value)!r} are no keys")
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list | tuple) else value


class _Tensor:
    """A tensor, whose members stand on three lines."""

    def __init__(self, facts: TensorFacts) -> None:
        self.lines = [
            ", ".join(f'"{name}": {_line(getattr(facts, name))}' for name in names)
            for names in _TENSOR_LINES
        ]


def _line(value: Any) -> str:
    text = _READABLE(value)
    # What a terminal would not show as it is, or UTF-8 cannot hold, is escaped.
    return text if text.isprintable() else _ESCAPED(value)


def _text(value: Any, depth: int) -> str:
    """Return a value that begins ``depth`` blanks from the left."""
    if isinstance(value, _Tensor):
        return "{" + f",\n{' ' * (depth + 1)}".join(value.lines) + "}"
    if not isinstance(value, dict | list):
        return _line(value)
    if _is_flat(value) and len(line := _line(value)) + depth <= _WIDTH:
        return line
    if isinstance(value, list) and _is_flat(value):
        return _block("[]", _filled(map(_line, value), depth + 1), depth)
    if isinstance(value, list):
        return _block("[]", [_text(item, depth + 1) for item in value], depth)
    members = [f"{_line(name)}: {_text(item, depth + 1)}" for name, item in value.items()]
    return _block("{}", members, depth)


def _is_flat(value: dict[str, Any] | list[Any]) -> bool:
    items = value.values() if isinstance(value, dict) else value
    return not any(isinstance(item, dict | list | _Tensor) for item in items)


def _block(brackets: str, parts: Iterable[str], depth: int) -> str:
    inner = f",\n{' ' * (depth + 1)}".join(parts)
    return f"{brackets[0]}\n{' ' * (depth + 1)}{inner}\n{' ' * depth}{brackets[1]}"


def _filled(parts: Iterable[str], depth: int) -> list[str]:
    """Return lines that hold as many of the parts as fit."""
    lines: list[str] = []
    for part in parts:
        if lines and depth + len(lines[-1]) + len(part) + 3 <= _WIDTH:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines
