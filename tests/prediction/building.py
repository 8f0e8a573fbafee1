"""SavedModels that nobody could export yet: something of a future TensorFlow, at a place of one's choice.

Each has the signature ``serving_default``, y = f(x), and no variables.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from savedmodel_compat.model import schema

FLOAT, INT32, INT64, BOOL, OF_THE_FUTURE = 1, 3, 9, 10, 99
PRODUCER = 9_999
MIN_CONSUMER = 9_998
_LOWERED = "_lower_using_switch_merge"


class Novelty(enum.Enum):
    """What the model has that no release knows."""

    NOTHING = "nothing"
    OP = "an op"
    ATTR_AT_DEFAULT = "an attr that has its default"
    ATTR_SET = "an attr that has another value than its default"
    ATTR_WITHOUT_DEFAULT = "an attr without a default"
    DTYPE = "a type"
    VERSION = "a min_consumer"


class Taker(enum.Enum):
    """What takes the numbers that a ``TopKV2`` gives, beside the values."""

    NOBODY = "nothing"
    FETCH = "a signature that returns them"
    NODE = "a node of the graph"
    NODE_OF_BODY = "a node of a function that the signature calls"
    NOBODY_IN_BODY = "nothing, in such a function"


class Spot(enum.Enum):
    """Where it stands."""

    REACHED = "a node that the signature runs"
    LOOSE = "a node that nothing runs"
    CALLED = "a function that the signature calls"
    NESTED = "a function that such a function calls"
    BRANCH = "a branch that is taken"
    LOWERED = "a branch that is taken, of control flow that is replaced at load"
    NOT_TAKEN = "a branch that is not taken"
    NOWHERE = "a function that nothing calls"


Value = int | bytes | bool | str | list["Value"] | schema.AttrValue


def write(folder: Path, novelty: Novelty, spot: Spot) -> Path:
    """Write a model and return its folder.

    Args:
        folder: which must not exist.
        novelty: what is new in it.
        spot: where; a `Novelty.VERSION` is of the graph, whatever it says.
    """
    saved = schema.SavedModel()
    meta_graph = saved.meta_graphs.add()
    meta_graph.meta_info_def.stripped_op_list.op.extend(_own_ops(novelty))
    if novelty is Novelty.VERSION:
        meta_graph.graph_def.versions.min_consumer = MIN_CONSUMER
    nodes, result = _placed(meta_graph.graph_def.library, novelty, spot)
    return _written(folder, saved, nodes, result)


def write_chain(folder: Path, ops: Sequence[str], novel: str) -> Path:
    """Write a model whose signature calls a function with a chain of ops, each of the one before.

    Args:
        folder: which must not exist.
        ops: such as MatMul and BiasAdd, whose other operand is a constant.
        novel: the op that has an attr of the future; empty if none has.
    """
    saved = schema.SavedModel()
    graph = saved.meta_graphs.add().graph_def
    nodes = [_constant("column", INT32, [2], int_val=[-1, 1])]
    nodes.append(_node("start", "Reshape", ["a", "column:output:0"], **_RESHAPED))
    tensor = "start:output:0"
    for op in ops:
        output, *operand = _CHAINED[op]
        nodes += [_constant(f"{op}_with", FLOAT, shape, float_val=[1.0]) for shape in operand]
        inputs = [tensor, *(f"{op}_with:output:0" for _ in operand)]
        attrs: dict[str, Value] = {"future": 7} if op == novel else {}
        nodes.append(_node(op, op, inputs, T=_type(FLOAT), **attrs))
        tensor = f"{op}:{output}:0"
    nodes.append(_constant("row", INT32, [1], int_val=[-1]))
    nodes.append(_node("end", "Reshape", [tensor, "row:output:0"], **_RESHAPED))
    graph.library.function.append(_function("novel", nodes, "end:output:0"))
    return _written(folder, saved, [_call("novel", "x")], "call")


def write_top_k(folder: Path, taker: Taker) -> Path:
    """Write a model with a ``TopKV2`` that gives its numbers as int64, as no release before 2.13 can.

    Args:
        folder: which must not exist.
        taker: what takes the numbers, as int64.
    """
    saved = schema.SavedModel()
    graph = saved.meta_graphs.add().graph_def
    if taker in {Taker.NODE_OF_BODY, Taker.NOBODY_IN_BODY}:
        nodes, result = _top_k("a", taker, lambda node, port, _: f"{node}:{port}:0")
        graph.library.function.append(_function("novel", nodes, result))
        return _written(folder, saved, [_call("novel", "x")], "call")
    nodes, result = _top_k("x", taker, lambda node, _, number: f"{node}:{number}")
    if taker is Taker.FETCH:
        numbers = saved.meta_graphs[0].signature_def["serving_default"].outputs["numbers"]
        numbers.name, numbers.dtype = "top:1", INT64
        numbers.tensor_shape.dim.add().size = -1
    return _written(folder, saved, nodes, result)


def _top_k(
    source: str, taker: Taker, tensor: Callable[[str, str, int], str]
) -> tuple[list[schema.NodeDef], str]:
    """Return the nodes, and the float that they give."""
    count = _constant("count", INT32, [], int_val=[1])
    types: dict[str, Value] = {"T": _type(FLOAT), "index_type": _type(INT64)}
    top = _node("top", "TopKV2", [source, tensor("count", "output", 0)], **types)
    if taker not in {Taker.NODE, Taker.NODE_OF_BODY}:
        return [count, top], tensor("top", "values", 0)
    numbers = [tensor("top", "indices", 1)]
    cast = _node("cast", "Cast", numbers, SrcT=_type(INT64), DstT=_type(FLOAT))
    return [count, top, cast], tensor("cast", "y", 0)


def _written(
    folder: Path, saved: schema.SavedModel, nodes: Iterable[schema.NodeDef], result: str
) -> Path:
    """Complete a model with a signature around nodes that make ``result`` of ``x``, and write it."""
    saved.saved_model_schema_version = 1
    [meta_graph] = saved.meta_graphs
    meta_graph.meta_info_def.tags.append("serve")
    meta_graph.meta_info_def.tensorflow_version = "99.0.0"
    graph = meta_graph.graph_def
    graph.versions.producer = PRODUCER
    shape = schema.AttrValue()
    shape.shape.dim.add().size = -1
    graph.node.append(_node("x", "Placeholder", dtype=_type(FLOAT), shape=shape))
    graph.node.extend(nodes)
    graph.node.append(_node("y", "Identity", [result], T=_type(FLOAT)))
    signature = meta_graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for info, name in ((signature.inputs["x"], "x:0"), (signature.outputs["y"], "y:0")):
        info.name, info.dtype = name, FLOAT
        info.tensor_shape.dim.add().size = -1
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    return folder


def _placed(
    library: schema.FunctionDefLibrary, novelty: Novelty, spot: Spot
) -> tuple[list[schema.NodeDef], str]:
    """Return the nodes of the graph and the tensor that they give; functions go into the library."""
    if spot in {Spot.REACHED, Spot.LOOSE}:
        nodes, result = _novel(novelty, "x", lambda node, _: node)
        return nodes, result if spot is Spot.REACHED else "x"
    nodes, result = _novel(novelty, "a", lambda node, port: f"{node}:{port}:0")
    library.function.append(_function("novel", nodes, result))
    if spot is Spot.NOWHERE:
        return [], "x"
    if spot is Spot.CALLED:
        return [_call("novel", "x")], "call"
    if spot is Spot.NESTED:
        library.function.append(_function("outer", [_call("novel", "a")], "call:output:0"))
        return [_call("outer", "x")], "call"
    plain = _node("same", "Identity", ["a"], T=_type(FLOAT))
    library.function.append(_function("plain", [plain], "same:output:0"))
    return _choice(taken=spot is not Spot.NOT_TAKEN, lowered=spot is Spot.LOWERED), "choice"


def _novel(
    novelty: Novelty, source: str, tensor: Callable[[str, str], str]
) -> tuple[list[schema.NodeDef], str]:
    """Return nodes that make a float of a float, one of them novel, and the tensor that they give."""
    if novelty is Novelty.OP:
        return [_node("novel", "FutureOp", [source], T=_type(FLOAT))], tensor("novel", "y")
    if novelty is Novelty.DTYPE:
        there = _node("there", "Cast", [source], SrcT=_type(FLOAT), DstT=_type(OF_THE_FUTURE))
        back = _node(
            "back", "Cast", [tensor("there", "y")], SrcT=_type(OF_THE_FUTURE), DstT=_type(FLOAT)
        )
        return [there, back], tensor("back", "y")
    attrs: dict[str, Value] = {"T": _type(FLOAT)}
    if novelty in _DEFAULTS:
        attrs["future"] = 7
    return [_node("novel", "Neg", [source], **attrs)], tensor("novel", "y")


_DEFAULTS: dict[Novelty, int | None] = {
    Novelty.ATTR_AT_DEFAULT: 7,
    Novelty.ATTR_SET: 0,
    Novelty.ATTR_WITHOUT_DEFAULT: None,
}


def _own_ops(novelty: Novelty) -> Iterable[schema.OpDef]:
    """Yield what the producer says of its ops, as every exporter writes it into the model."""
    name = "FutureOp" if novelty is Novelty.OP else "Neg"
    op = schema.OpDef(name=name)
    op.input_arg.add(name="x", type_attr="T")
    op.output_arg.add(name="y", type_attr="T")
    op.attr.add(name="T", type="type")
    if novelty in _DEFAULTS:
        attr = op.attr.add(name="future", type="int")
        default = _DEFAULTS[novelty]
        if default is not None:
            attr.default_value.i = default
    yield op


def _call(function: str, source: str) -> schema.NodeDef:
    types: Value = [_type(FLOAT)]
    return _node("call", "PartitionedCall", [source], Tin=types, Tout=types, f=function)


def _choice(*, taken: bool, lowered: bool) -> list[schema.NodeDef]:
    attrs: dict[str, Value] = {_LOWERED: True} if lowered else {}
    choice = _node(
        "choice",
        "If",
        ["condition", "x"],
        Tcond=_type(BOOL),
        Tin=[_type(FLOAT)],
        Tout=[_type(FLOAT)],
        then_branch="novel",
        else_branch="plain",
        **attrs,
    )
    return [_constant("condition", BOOL, [], bool_val=[taken]), choice]


def _constant(name: str, dtype: int, shape: Sequence[int], **values: object) -> schema.NodeDef:
    value = schema.AttrValue(tensor=schema.TensorProto(dtype=dtype, **values))
    value.tensor.tensor_shape.SetInParent()
    for size in shape:
        value.tensor.tensor_shape.dim.add(size=size)
    return _node(name, "Const", dtype=_type(dtype), value=value)


def _function(name: str, nodes: Iterable[schema.NodeDef], result: str) -> schema.FunctionDef:
    function = schema.FunctionDef()
    function.signature.name = name
    function.signature.input_arg.add(name="a", type=FLOAT)
    function.signature.output_arg.add(name="r", type=FLOAT)
    function.node_def.extend(nodes)
    function.ret["r"] = result
    return function


def _node(name: str, op: str, inputs: Iterable[str] = (), **attrs: Value) -> schema.NodeDef:
    node = schema.NodeDef(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        _set(node.attr[key], value)
    return node


def _set(attr: schema.AttrValue, value: Value) -> None:
    """Set an attr: a text is the name of a function, a list one of types."""
    if isinstance(value, str):
        attr.func.name = value
    elif isinstance(value, bool):
        attr.b = value
    elif isinstance(value, int):
        attr.i = value
    elif isinstance(value, list):
        attr.list.type.extend(one.type for one in value)
    else:
        attr.CopyFrom(value)


def _type(number: int) -> schema.AttrValue:
    return schema.AttrValue(type=number)


_RESHAPED: dict[str, Value] = {"T": _type(FLOAT), "Tshape": _type(INT32)}
# Output, and the shape of the other operand if there is one.
_CHAINED: dict[str, tuple[str] | tuple[str, list[int]]] = {
    "MatMul": ("product", [1, 1]),
    "BiasAdd": ("output", [1]),
    "Relu": ("activations",),
}
