"""How signatures differ, and what that means for their clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from savedmodel_compat.model._changes import change, changed, sha256
from savedmodel_compat.model.values import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from savedmodel_compat.model._changes import Change
    from savedmodel_compat.model.values import Shape, Signature, TensorSpec

_SHOWN = 8


def signature_changes(a: Mapping[str, Signature], b: Mapping[str, Signature]) -> Iterator[Change]:
    for key in sorted(a.keys() | b.keys()):
        before, after = a.get(key), b.get(key)
        if any(signature is not None and signature.is_internal for signature in (before, after)):
            continue
        if before is None or after is None:
            yield change(
                "signature",
                key,
                None if before is None else _signature_text(before),
                None if after is None else _signature_text(after),
                "requests that name it fail" if after is None else "",
                breaks=after is None,
            )
        else:
            yield from _changes_within(before, after)


def _changes_within(a: Signature, b: Signature) -> Iterator[Change]:
    yield from changed(
        "method name",
        a.key,
        a.method_name,
        b.method_name,
        "TensorFlow Serving answers classify and regress requests by it",
        breaks=True,
    )
    for alias in sorted(a.inputs.keys() | b.inputs.keys()):
        yield from _spec_changes("input", alias, a, b)
        yield from _default_changes(alias, a, b)
    for alias in sorted(a.outputs.keys() | b.outputs.keys()):
        yield from _spec_changes("output", alias, a, b)


def _spec_changes(what: str, alias: str, a: Signature, b: Signature) -> Iterator[Change]:
    before, after = (getattr(signature, f"{what}s").get(alias) for signature in (a, b))
    old, new = (None if spec is None else spec_text(spec) for spec in (before, after))
    if old != new:
        if before is None:
            meaning, breaks = _meaning_of_new(what, a, has_default=alias in b.defaults)
        else:
            meaning, breaks = _meaning(what, before, after)
        yield change(what, f"{a.key}: {alias}", old, new, meaning, breaks=breaks)


def _meaning_of_new(what: str, a: Signature, *, has_default: bool) -> tuple[str, bool]:
    """Return what a new input or output means for clients of A, and whether it breaks them."""
    if what == "input":
        return ("", False) if has_default else ("requests that do not give it are refused", True)
    # MakeJsonFromTensors in Serving's util/json_tensor.h.
    rest = "answers over REST name their outputs from now on: there was only one"
    return (rest if len(a.outputs) == 1 else "", False)


def _meaning(what: str, before: TensorSpec, after: TensorSpec | None) -> tuple[str, bool]:
    """Return what the change of an input or output means for clients, and whether it breaks them."""
    is_input = what == "input"
    if after is None:
        return (
            "requests that give it are refused" if is_input else "clients that read it fail",
            True,
        )
    if _kind(before) != _kind(after):
        return f"clients {'must send' if is_input else 'get'} another type", True
    pairs = list(_dense_pairs(before, after))
    if all(_takes(new, old) if is_input else _takes(old, new) for old, new in pairs):
        return "what clients do stays right", False
    if all(_meet(old, new) for old, new in pairs):
        return f"clients may {'have to send' if is_input else 'get'} other shapes", True
    return f"clients {'must send' if is_input else 'get'} other shapes", True


def _kind(spec: TensorSpec) -> object:
    """Return what must be the same for clients, whatever the shapes."""
    parts: tuple[object, ...] = ()
    if spec.encoding is Encoding.COMPOSITE:
        parts = tuple(_kind(part) for part in spec.components.values())
    return spec.encoding, spec.dtype, spec.type_spec, parts


def _dense_pairs(
    before: TensorSpec, after: TensorSpec
) -> Iterator[tuple[Shape | None, Shape | None]]:
    """Yield the shapes of two specs of one kind, and of what they are made of."""
    yield before.shape, after.shape
    if before.encoding is Encoding.COMPOSITE:
        both = zip(before.components.values(), after.components.values(), strict=True)
        for old, new in both:
            yield from _dense_pairs(old, new)


def _takes(wide: Shape | None, narrow: Shape | None) -> bool:
    """Return whether everything of one shape is of the other, too."""
    if wide is None:
        return True
    if narrow is None or len(wide) != len(narrow):
        return False
    return all(w is None or w == n for w, n in zip(wide, narrow, strict=True))


def _meet(a: Shape | None, b: Shape | None) -> bool:
    """Return whether something may be of both shapes."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(None in {m, n} or m == n for m, n in zip(a, b, strict=True))


def _default_changes(alias: str, a: Signature, b: Signature) -> Iterator[Change]:
    before, after = (signature.defaults.get(alias) for signature in (a, b))
    if _value_key(before) == _value_key(after):
        return
    meaning, breaks = "requests that leave it out are answered otherwise", True
    if before is None or (after is None and alias not in b.inputs):
        # A new one burdens nobody; one that went with its input was told with it.
        meaning, breaks = "", False
    elif after is None:
        meaning = "requests that leave it out are refused"
    old, new = (None if value is None else value_text(value) for value in (before, after))
    yield change("default", f"{a.key}: {alias}", old, new, meaning, breaks=breaks)


def _value_key(value: np.ndarray[Any, Any] | None) -> object:
    if value is None:
        return None
    content = value.tolist() if value.dtype.hasobject else value.tobytes()
    return value.dtype.name, value.shape, content


def _signature_text(signature: Signature) -> str:
    sides = (
        ", ".join(f"{alias} {spec_text(spec)}" for alias, spec in specs.items())
        for specs in (signature.inputs, signature.outputs)
    )
    return " -> ".join(side or "nothing" for side in sides)


def spec_text(spec: TensorSpec) -> str:
    """Return the type of an input or output, in words; the names of tensors are not in it."""
    shape = "unknown rank" if spec.shape is None else str(list(spec.shape))
    text = f"{spec.dtype} {shape}"
    if spec.encoding is Encoding.SPARSE:
        return f"sparse {text}"
    if spec.encoding is Encoding.COMPOSITE:
        parts = ", ".join(spec_text(part) for part in spec.components.values())
        return f"{spec.type_spec} {text} of ({parts})"
    return text


def value_text(value: np.ndarray[Any, Any]) -> str:
    """Return a default value, in words."""
    shown = ", ".join(map(str, value.ravel()[:_SHOWN].tolist()))
    more = ", …" if value.size > _SHOWN else ""
    digest = f", {sha256(repr(_value_key(value)).encode())}" if more else ""
    kind = "string" if value.dtype.hasobject else value.dtype.name
    return f"{kind} {list(value.shape)}: {shown}{more}{digest}"
