"""Any op by its registered name, with any of its attrs, also where a release has no `tf.raw_ops`."""

from typing import Any, Dict

import tensorflow as tf
from tensorflow.python.framework import op_def_registry  # no public name was ever given to it


def raw(op: str, **arguments: Any) -> Any:
    """Make a node and return its outputs, or the operation if it has none.

    Args:
        op: its registered name.
        arguments: its inputs and attrs by the names that its definition has.

    Raises:
        NotImplementedError: this release does not have the op, or not with such an input or attr.
    """
    definition = _definition(op)
    if definition is None:
        raise NotImplementedError("TensorFlow {} has no {}.".format(tf.__version__, op))
    known = {each.name for each in list(definition.input_arg) + list(definition.attr)}
    for unknown in sorted(set(arguments) - known):
        raise NotImplementedError(
            "{} of TensorFlow {} has no {}.".format(op, tf.__version__, unknown)
        )
    if hasattr(tf, "raw_ops"):
        return getattr(tf.raw_ops, op)(**arguments)
    from tensorflow.python.framework import op_def_library

    library = op_def_library.OpDefLibrary()
    library.add_op(definition)
    return library.apply_op(op, **dict(_left_open(definition), **arguments))


def has_attr(op: str, attr: str) -> bool:
    """Tell whether this release's op has an attr."""
    definition = _definition(op)
    return definition is not None and any(each.name == attr for each in definition.attr)


def _left_open(definition: Any) -> Dict[str, None]:
    """Return, for each attr that has a default and does not follow from the inputs, what leaves it at the default."""
    fixed = set()
    for each in definition.input_arg:
        fixed |= {each.type_attr, each.number_attr, each.type_list_attr}
    defaults = (each.name for each in definition.attr if each.HasField("default_value"))
    return {name: None for name in defaults if name not in fixed}


def _definition(op: str) -> Any:
    """Return an ``OpDef``, or None."""
    if hasattr(op_def_registry, "get"):
        return op_def_registry.get(op)
    return op_def_registry.get_registered_ops().get(op)
