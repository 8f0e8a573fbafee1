"""The kinds of attrs, such as ``type`` and ``list(type)``, and whether a value is of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import AttrValue

FUNCTIONS = ("func", "list(func)")
"""The kinds of attrs that name functions."""

# The field of an AttrValue that holds an attr of each kind; lists are all in one.
_FIELDS = {"string": "s", "int": "i", "float": "f", "bool": "b"}
_KINDS = {field: kind for kind, field in _FIELDS.items()}


def field_of(kind: str) -> str:
    """Return the field of an ``AttrValue`` that holds values of a kind."""
    return "list" if kind.startswith("list(") else _FIELDS.get(kind, kind)


def misfit(value: AttrValue, kind: str, *, body: bool) -> str | None:
    """Return what an attr's value is, in words, if it is not of the kind that its op says.

    It is the rule of ``AttrValueHasType`` in ``core/framework/attr_value_util.cc``: a list may be
    missing, but has no element of another kind, and in a body the caller may bind a value.

    Args:
        value: the value.
        kind: such as ``type`` or ``list(type)``.
        body: whether the node stands in the body of a function.
    """
    is_list = kind.startswith("list(")
    found = value.WhichOneof("value")
    if found is None:
        return None if is_list else "empty"
    if found == "placeholder":
        return None if body else "a placeholder, which only a function may have"
    if found == "list" and is_list:
        wanted = _FIELDS.get(kind[5:-1], kind[5:-1])
        others = (one.name for one, _ in value.list.ListFields() if one.name != wanted)
        return next((f"a list of {_KINDS.get(name, name)}" for name in others), None)
    if found != field_of(kind):
        return f"of the kind {_KINDS.get(found, found)}"
    return "no type" if kind == "type" and not value.type else None
