"""What a MetaGraph's collections name and hold, as the Python loaders take it.

Those are ``python/framework/meta_graph.py`` (``import_scoped_meta_graph``) and, for the variables,
``python/ops/ref_variable.py``. The C++ loader reads no collection but those of the init op and of the
assets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from savedmodel_compat.checks._many import clipped
from savedmodel_compat.model.graph import node_of

if TYPE_CHECKING:
    from savedmodel_compat.model.schema import CollectionDef

_VARIABLES = frozenset(
    (
        "global_step",
        "local_variables",
        "metric_variables",
        "model_variables",
        "moving_average_variables",
        "trainable_variables",
        "variables",
    )
)
# tf.saved_model.load takes whatever these hold for a variable (python/saved_model/load_v1_in_v2.py).
_LIFTED = ("local_variables", "variables")
# What these hold is told by messages that TensorBoard lacks: only whether it is one is looked at.
_OTHERS = frozenset(("cond_context", "queue_runners", "savers", "while_context"))
_NAMES = ("variable_name", "initializer_name", "snapshot_name", "initial_value_name")


def problems(
    key: str, collection: CollectionDef, nodes: Collection[str], *, lifted: bool
) -> Iterator[str]:
    """Yield what is wrong with a collection.

    Args:
        key: its name.
        collection: what it holds.
        nodes: names of the nodes of the graph.
        lifted: whether v2 makes variables of what it holds, as for every MetaGraph without an
            object graph.
    """
    named = collection.node_list.value
    gone = [name for name in named if node_of(name) not in nodes]
    for name in gone:
        yield f"'{clipped(name)}' is not in the graph"
    if lifted and key in _LIFTED and named and not gone:
        yield f"it names '{clipped(named[0])}', where v2 wants a VariableDef"
    if key in _VARIABLES:
        for index, data in enumerate(collection.bytes_list.value):
            yield from _variable(index, data, nodes)
    elif key in _OTHERS:
        for index, data in enumerate(collection.bytes_list.value):
            if _parsed(_empty(), data) is None:
                yield f"its element {index} does not parse"


def _variable(index: int, data: bytes, nodes: Collection[str]) -> Iterator[str]:
    variable = _parsed(_variable_def(), data)
    if variable is None:
        yield f"its element {index}, a VariableDef, does not parse"
        return
    for kind in _NAMES:
        name = getattr(variable, kind)
        if (name or kind == "variable_name") and node_of(name) not in nodes:
            yield f"'{clipped(name)}', the {kind} of its element {index}, is not in the graph"


def _parsed(message: Any, data: bytes) -> Any:
    try:
        message.ParseFromString(data)
    # Protobuf in pure Python has an error of Unicode of its own.
    except (DecodeError, ValueError):
        return None
    return message


def _variable_def() -> Any:
    from tensorboard.compat.proto import variable_pb2

    return variable_pb2.VariableDef()


def _empty() -> Any:
    from google.protobuf import empty_pb2

    return empty_pb2.Empty()
