"""Rules S1 to S12: each is broken in a model that TensorFlow wrote, and is what is found then."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.checks.breaking import GOOD, MODELS, edit, findings, rules

from savedmodel_compat.checks import dependence, signatures
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.model import read, schema
from savedmodel_compat.model.values import Signature, TensorSpec
from savedmodel_compat.tensors import from_numpy

Change = Callable[[Any], object]


def changed(folder: Path, change: Change, key: str = "serving_default") -> None:
    """Change one signature of the first MetaGraph."""
    edit(folder, lambda model: change(model.meta_graphs[0].signature_def[key]))


def rename(alias: str, name: str) -> Change:
    """Let an input name another tensor."""
    return lambda signature: setattr(signature.inputs[alias], "name", name)


def size(kind: str, alias: str, sizes: list[int]) -> Change:
    """Give an input or output another shape."""

    def change(signature: Any) -> None:
        shape = getattr(signature, kind)[alias].tensor_shape
        del shape.dim[:]
        for number in sizes:
            shape.dim.add(size=number)

    return change


def add_output(alias: str, name: str, dtype: int) -> Change:
    """Add an output of unknown rank."""

    def change(signature: Any) -> None:
        info = signature.outputs[alias]
        info.name, info.dtype = name, dtype
        info.tensor_shape.unknown_rank = True

    return change


def add_input(alias: str, name: str, dtype: int) -> Change:
    """Add an input of unknown rank."""

    def change(signature: Any) -> None:
        info = signature.inputs[alias]
        info.name, info.dtype = name, dtype
        info.tensor_shape.unknown_rank = True

    return change


def sparse(values: str, dtype: int = 1) -> Change:
    """Make the output a sparse one of which only the values are in the graph, named as given."""

    def change(signature: Any) -> None:
        info = signature.outputs["y"]
        info.coo_sparse.values_tensor_name = values
        info.coo_sparse.indices_tensor_name = "index:0"
        info.coo_sparse.dense_shape_tensor_name = "mean/reduction_indices:0"
        info.dtype = dtype

    return change


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        (rename("x", "gone:0"), "input 'x'", "the graph has no node 'gone'"),
        (rename("x", "x:1"), "input 'x'", "node 'x', op Placeholder, has one output"),
        (rename("x", "init:0"), "input 'x'", "node 'init', op NoOp, has no output"),
        (rename("x", "^x"), "input 'x'", "'^x' is not the name of a tensor"),
        (rename("x", "x:y"), "input 'x'", "'x:y' is not the name of a tensor"),
        (rename("x", "x:" + "9" * 5000), "input 'x'", "is not the name of a tensor"),
        (rename("x", ""), "input 'x'", "'' is not the name of a tensor"),
        (rename("x", "x"), "input 'x'", "names a node: Python takes it for the op"),
        (
            lambda s: setattr(s.inputs["x"], "dtype", 3),
            "input 'x'",
            "is float32 in the graph, but the signature says int32",
        ),
        (
            size("inputs", "x", [-1, 4]),
            "input 'x'",
            "[?, 3] in the graph, but the signature says [?, 4]",
        ),
        (
            size("outputs", "y", [3]),
            "output 'y'",
            "[?, 3] in the graph, but the signature says [3]",
        ),
    ],
)
def test_what_a_signature_says_of_a_tensor(
    builder: Path, change: Change, where: str, message: str
) -> None:
    """S1: a tensor that is not there, or is another than the signature says."""
    changed(builder, change)
    [found] = findings(builder, notes=True)
    assert found.rule == "S1"
    assert found.where == f"MetaGraph [serve]: signature 'serving_default', {where}"
    assert message in found.message
    assert found.file == "saved_model.pb"


@pytest.mark.parametrize(("dtype", "name"), [(2, "float64"), (0, "invalid"), (77, "unknown(77)")])
def test_an_output_of_another_type(builder: Path, dtype: int, name: str) -> None:
    """S11: every loader answers, with another type than clients are told."""
    changed(builder, lambda s: setattr(s.outputs["y"], "dtype", dtype))
    [found] = findings(builder, notes=True)
    assert (found.rule, found.severity.value) == ("S11", "warning")
    assert found.message.endswith(f"is float32 in the graph, but the signature says {name}")


def test_an_output_of_another_shape_in_a_v2_model(module: Path) -> None:
    """S11: Python's loader, which refuses it in a v1 model, has the functions' own outputs here."""
    key = min(read(module).meta_graphs[0].signatures["serving_default"].outputs)
    changed(module, size("outputs", key, [7, 7, 7]))
    [found] = findings(module, notes=True)
    assert (found.rule, found.where.rpartition(", ")[2]) == ("S11", f"output '{key}'")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (sparse("gone:0"), "values: tensor 'gone:0' is not there"),
        (sparse("y"), "values: tensor 'y' names a node"),
    ],
)
def test_the_parts_of_a_sparse_tensor(builder: Path, change: Change, part: str) -> None:
    """S1: the tensors that make up a sparse one are looked at one by one."""
    changed(builder, change)
    found = [finding for finding in findings(builder) if part in finding.message]
    assert [finding.rule for finding in found] == ["S1"]


def test_the_parts_of_a_composite_tensor(builder: Path) -> None:
    """S1: the tensors that make up a composite one are looked at, however deep they are."""

    def change(signature: Any) -> None:
        info = signature.outputs["y"]
        outer = info.composite_tensor.components.add()
        inner = outer.composite_tensor.components.add()
        inner.name, inner.dtype = "y:0", 9
        inner.tensor_shape.unknown_rank = True

    changed(builder, change)
    [found] = findings(builder)
    assert found.rule == "S11"
    assert found.message.startswith("0.0: tensor 'y:0' is float32 in the graph")


@pytest.mark.parametrize(
    "change",
    [
        rename("x", "Mul:0"),
        size("inputs", "x", [5, 3]),
        size("inputs", "x", [-1, -1]),
        lambda s: setattr(s.inputs["x"].tensor_shape, "unknown_rank", True),
    ],
    ids=["any tensor can be fed", "narrower", "wider", "of any shape"],
)
def test_what_a_signature_may_say(builder: Path, change: Change) -> None:
    """S1: a signature may feed any tensor, and may be narrower or wider than the graph."""
    changed(builder, change)
    assert rules(builder, notes=True) == []


def test_a_call_of_a_function(module: Path) -> None:
    """S1: what a function returns has a type and a number."""
    changed(module, lambda s: setattr(s.outputs["y"], "dtype", 2))
    changed(module, lambda s: setattr(s.outputs["mean"], "name", "StatefulPartitionedCall_1:2"))
    assert sorted(finding.message for finding in findings(module)) == [
        "tensor 'StatefulPartitionedCall_1:1' is float32 in the graph, but the signature says float64",
        (
            "tensor 'StatefulPartitionedCall_1:2' is not there: node 'StatefulPartitionedCall_1',"
            " op StatefulPartitionedCall, has 2 outputs"
        ),
    ]


def with_default(alias: str, array: Any, dtype: int = 0) -> Change:
    """Add a default for an input."""

    def change(signature: Any) -> None:
        signature.defaults[alias].CopyFrom(from_numpy(array))
        if dtype:
            signature.defaults[alias].dtype = dtype

    return change


def numbers(*sizes: int, dtype: str = "float32") -> Any:
    """Return an array of ones."""
    import numpy as np

    return np.ones(sizes, dtype)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            with_default("scale", numbers(dtype="float64")),
            "is float64, but the signature says float32",
        ),
        (with_default("scale", numbers(2)), "has the shape [2], but the signature says []"),
        (with_default("x", numbers(2, 4)), "has the shape [2, 4], but the signature says [?, 3]"),
    ],
)
def test_defaults(module: Path, change: Change, message: str) -> None:
    """S2: a default that its input cannot take."""
    changed(module, change)
    [found] = findings(module, notes=True)
    assert found.rule == "S2"
    assert message in found.message


def test_a_default_of_no_input(module: Path) -> None:
    """S12: it is never looked for."""
    changed(module, with_default("other", numbers()))
    [found] = findings(module, notes=True)
    assert (found.rule, found.severity.value) == ("S12", "warning")
    assert found.where.endswith("signature 'serving_default', input 'other'")


def test_a_default_without_a_value(module: Path) -> None:
    """S2: a default whose bytes do not fit its shape; the rest of the model is read all the same."""

    def change(signature: Any) -> None:
        with_default("scale", numbers())(signature)
        signature.defaults["scale"].tensor_content = b"123"

    changed(module, change)
    [found] = findings(module, notes=True)
    assert found.rule == "S2"
    assert found.where.endswith("signature 'serving_default', input 'scale'")


def test_a_good_default(module: Path) -> None:
    """S2: a default that fits is nothing to speak of."""
    changed(module, with_default("scale", numbers()))
    assert rules(module, notes=True) == []


@pytest.mark.parametrize(
    ("key", "rule", "change", "message"),
    [
        ("classify", "S3", add_output("x", "mean:0", 1), None),
        (
            "classify",
            "S3",
            lambda s: (add_output("labels", "mean:0", 1)(s), s.outputs.pop("scores")),
            "'classes' or 'scores' must be there",
        ),
        (
            "classify",
            "S3",
            lambda s: (add_output("a", "mean:0", 1)(s), add_output("b", "mean:0", 1)(s)),
            "it has 3 outputs",
        ),
        (
            "classify",
            "S3",
            lambda s: (s.inputs["x"].CopyFrom(s.inputs["inputs"]), s.inputs.pop("inputs")),
            "it must have 'inputs' and no other",
        ),
        (
            "classify",
            "S3",
            add_output("classes", "mean:0", 1),
            "output 'classes' is float32, and must be string",
        ),
        (
            "regress",
            "S4",
            lambda s: (s.outputs["y"].CopyFrom(s.outputs["outputs"]), s.outputs.pop("outputs")),
            "its outputs are 'y'; it must have 'outputs' and no other",
        ),
        (
            "regress",
            "S4",
            lambda s: s.outputs["outputs"].CopyFrom(
                schema.TensorInfo(name="scores:0", dtype=1, tensor_shape=shape_of(-1, 3))
            ),
            "has the shape [?, 3], and must be [n] or [n, 1]",
        ),
    ],
)
def test_classify_and_regress(
    builder: Path, key: str, rule: str, change: Change, message: str | None
) -> None:
    """S3 and S4: signatures that Serving's classifier and regressor do not take."""
    changed(builder, change, key)
    found = findings(builder, notes=True)
    if message is None:
        assert found == []
        return
    assert [finding.rule for finding in found] == [rule]
    assert message in found[0].message


def shape_of(*sizes: int) -> Any:
    """Return the message of a shape."""
    shape = schema.TensorShapeProto()
    for number in sizes:
        shape.dim.add(size=number)
    return shape


def test_a_float_input_of_classify(builder: Path) -> None:
    """S3: the examples come as strings, which a float input cannot be fed with."""
    changed(builder, lambda s: s.inputs["inputs"].CopyFrom(x_of(builder)), "classify")
    changed(builder, lambda s: setattr(s.outputs["scores"], "name", "y:0"), "classify")
    [found] = findings(builder, notes=True)
    assert (found.rule, found.severity.value) == ("S3", "warning")
    assert "input 'inputs' is float32" in found.message


def x_of(folder: Path) -> Any:
    """Return what the default signature says of its input."""
    return read(folder).proto.meta_graphs[0].signature_def["serving_default"].inputs["x"]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("bogus", "its method name is 'bogus'"),
        ("", "it has no method name"),
        ("tensorflow/supervised/training", None),
        ("tensorflow/supervised/eval", None),
    ],
)
def test_method_names(builder: Path, method: str, message: str | None) -> None:
    """S5: a method name that nobody knows."""
    changed(builder, lambda s: setattr(s, "method_name", method))
    found = findings(builder, notes=True)
    if message is None:
        assert found == []
        return
    assert [finding.rule for finding in found] == ["S5"]
    assert found[0].message.startswith(message)


def test_without_a_default_signature(module: Path) -> None:
    """S5: a request that names no signature has none to go to."""

    def change(model: Any) -> None:
        signatures_of = model.meta_graphs[0].signature_def
        signatures_of["mine"].CopyFrom(signatures_of["serving_default"])
        del signatures_of["serving_default"]

    edit(module, change)
    [found] = findings(module, notes=True)
    assert (found.rule, found.where) == ("S5", "MetaGraph [serve]")
    assert "only 'lookup', 'mine'" in found.message


def test_an_alias_that_rest_encodes(builder: Path) -> None:
    """S6: only a string output whose alias ends so is encoded."""

    def change(model: Any) -> None:
        graph = model.meta_graphs[0]
        node = graph.graph_def.node.add(name="same", op="Identity", input=["word"])
        node.attr["T"].type = 7
        add_output("word_bytes", "same:0", 7)(graph.signature_def["lookup"])
        add_output("y_bytes", "Mul:0", 1)(graph.signature_def["serving_default"])

    edit(builder, change)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.severity.value) == ("S6", "note")
    assert found.where == "MetaGraph [serve]: signature 'lookup', output 'word_bytes'"


@pytest.mark.parametrize("name", GOOD)
def test_without_signatures(copy_of: Callable[[str], Path], name: str) -> None:
    """S7: nothing is left to ask for, in any MetaGraph that a server would be asked for."""

    def change(model: Any) -> None:
        for graph in model.meta_graphs:
            for key in [key for key in graph.signature_def if not key.startswith("__")]:
                del graph.signature_def[key]

    folder = copy_of(name)
    edit(folder, change)
    assert rules(folder, notes=True) == ["S7"]


def test_a_graph_for_training_needs_no_signature(builder: Path) -> None:
    """S7: a MetaGraph without the tag serve may go without, if another has one."""

    def change(model: Any) -> None:
        graph = model.meta_graphs[1]
        graph.signature_def.clear()
        graph.meta_info_def.tags[:] = ["train"]

    edit(builder, change)
    assert "S7" not in rules(builder)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (add_input("word", "word:0", 7), "input 'word'"),
        (add_output("w", "a/read:0", 1), "output 'w'"),
        (add_output("w", "mean:0", 1), "output 'w'"),
        (add_output("w", "mean/reduction_indices:0", 3), "output 'w'"),
    ],
    ids=["input", "variable", "of another signature", "constant"],
)
def test_what_has_no_connection(builder: Path, change: Change, where: str) -> None:
    """S8: an input that no output needs, an output that no input reaches."""
    changed(builder, change)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.severity.value) == ("S8", "note")
    assert found.where.endswith(where)


@pytest.mark.parametrize("op", ["RandomUniform", "IteratorGetNext", "AssignAdd", "MyOp", "f"])
def test_what_changes_by_itself_needs_no_input(builder: Path, op: str) -> None:
    """S8: random numbers, data sets, counters, and what nobody knows."""

    def change(model: Any) -> None:
        graph = model.meta_graphs[0]
        graph.graph_def.node.add(name="new", op=op)
        graph.graph_def.node.add(name="same", op="Identity", input=["new"])
        add_output("new", "same:0", 1)(graph.signature_def["serving_default"])

    edit(builder, change)
    assert "S8" not in rules(builder, notes=True)


def counter(graph: Any) -> None:
    """Add a variable, what counts in it, and what reads it."""
    graph.node.add(name="total", op="VariableV2").attr["dtype"].type = 1
    graph.node.add(name="one", op="Const").attr["dtype"].type = 1
    graph.node.add(name="update", op="AssignAdd", input=["total", "one"])
    graph.node.add(name="total/read", op="Identity", input=["total"])


def test_what_the_signature_itself_assigns(builder: Path) -> None:
    """S8: a metric's value changes with its update, though neither depends on the other."""

    def change(model: Any) -> None:
        graph = model.meta_graphs[0]
        counter(graph.graph_def)
        for alias, name in (("value", "total/read:0"), ("update_op", "update:0")):
            add_output(alias, name, 1)(graph.signature_def["serving_default"])

    edit(builder, change)
    assert "S8" not in rules(builder, notes=True)


@pytest.mark.parametrize("what", ["training", "eval"])
def test_what_only_training_asks_for(builder: Path, what: str) -> None:
    """S8: an Estimator's signatures for training and evaluation are nobody's requests."""
    changed(builder, add_output("w", "a/read:0", 1))
    method = f"tensorflow/supervised/{what}"
    changed(builder, lambda s: setattr(s, "method_name", method))
    assert "S8" not in rules(builder, notes=True)


def call(module: Any) -> tuple[Any, Any]:
    """Return the signature's call, and the function that it calls."""
    graph = module.meta_graphs[0].graph_def
    signature = module.meta_graphs[0].signature_def["serving_default"]
    name = min(info.name for info in signature.outputs.values()).partition(":")[0]
    [node] = [node for node in graph.node if node.name == name]
    [body] = [f for f in graph.library.function if f.signature.name == node.attr["f"].func.name]
    return node, body


def test_an_input_that_no_function_uses(module: Path) -> None:
    """S8: a call is followed argument by argument, through the calls in it."""

    def change(model: Any) -> None:
        graph = model.meta_graphs[0].graph_def
        node, body = call(model)
        graph.node.add(name="more", op="Placeholder").attr["dtype"].type = 1
        at = len(body.signature.input_arg)
        node.input.insert(at, "more")
        node.attr["Tin"].list.type.append(1)
        body.signature.input_arg.add(name="more", type=1)
        add_input("more", "more:0", 1)(model.meta_graphs[0].signature_def["serving_default"])

    edit(module, change)
    [found] = [finding for finding in findings(module, notes=True) if finding.rule == "S8"]
    assert found.where.endswith("signature 'serving_default', input 'more'")


@pytest.mark.parametrize(("op", "told"), [("Const", True), ("RandomUniform", False)])
def test_a_result_that_is_always_the_same(module: Path, op: str, told: bool) -> None:
    """S8: a constant in a function's body is told, and what changes by itself is not."""

    def change(model: Any) -> None:
        node, body = call(model)
        body.node_def.add(name="same", op=op).attr["dtype"].type = 1
        body.signature.output_arg.add(name="same", type=1)
        body.ret["same"] = "same:output:0"
        at = len(node.attr["Tout"].list.type)
        node.attr["Tout"].list.type.append(1)
        add_output("same", f"{node.name}:{at}", 1)(
            model.meta_graphs[0].signature_def["serving_default"]
        )

    edit(module, change)
    found = [f for f in findings(module, notes=True) if f.rule == "S8"]
    assert [f.where.rpartition(", ")[2] for f in found] == (["output 'same'"] if told else [])


def test_many_outputs_that_depend_on_nothing(builder: Path) -> None:
    """S8: one note for them all."""
    for number in range(5):
        changed(builder, add_output(f"w{number}", "a/read:0", 1))
    [found] = findings(builder, notes=True)
    assert found.where.endswith("signature 'serving_default'")
    assert found.message.startswith("outputs 'w0', 'w1', 'w2', 'w3', 'w4' depend on no input of it")


@pytest.mark.parametrize("times", [1, 40])
def test_functions_that_call_functions(times: int) -> None:
    """S8: however deep calls are, and in a circle too, the search ends and errs towards silence."""
    graph = schema.GraphDef()
    graph.node.add(name="x", op="Placeholder")
    top = graph.node.add(name="call", op="PartitionedCall", input=["x"])
    top.attr["f"].func.name = "f0"
    for number in range(times):
        function = graph.library.function.add()
        function.signature.name = f"f{number}"
        function.signature.input_arg.add(name="a")
        function.signature.output_arg.add(name="b")
        function.ret["b"] = "c:output:0"
        node = function.node_def.add(name="c", op="PartitionedCall", input=["a"])
        node.attr["f"].func.name = f"f{(number + 1) % times}"
    found = dependence.undependent(graph, {"x": 0, "call": 1}, [signature_of("x:0", "call:0")])
    assert list(found) == []


def signature_of(source: str, result: str) -> Signature:
    """Return a signature with one input and one output."""
    given, taken = (TensorSpec(name=name, dtype="float32", shape=None) for name in (source, result))
    return Signature(key="k", method_name="", inputs={"i": given}, outputs={"o": taken})


def loop(model: Any, depth: int) -> None:
    """Add loops within loops as TensorFlow 1 writes them, from the input to an output."""
    graph = model.meta_graphs[0]
    source = "x"
    for level in range(depth):
        graph.graph_def.node.add(name=f"merge{level}", op="Merge", input=[source, f"next{level}"])
        source = f"merge{level}"
    for level in reversed(range(depth)):
        graph.graph_def.node.add(name=f"next{level}", op="NextIteration", input=[source])
        source = f"next{level}"
    add_output("looped", "merge0:0", 1)(graph.signature_def["serving_default"])


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_loops(builder: Path, depth: int) -> None:
    """S8: a loop is followed; one that is too deep gives no finding, and no hang."""
    edit(builder, lambda model: loop(model, depth))
    assert "S8" not in rules(builder, notes=True)


def test_without_outputs(module: Path) -> None:
    """S9: a signature that answers nothing."""
    changed(module, lambda s: s.outputs.clear())
    [found] = findings(module, notes=True)
    assert (found.rule, found.message) == ("S9", "it has no outputs")


def test_an_input_that_is_an_output(builder: Path) -> None:
    """S10: Python copes with it, a C++ session does not."""
    changed(builder, add_output("same", "x:0", 1))
    [found] = findings(builder, notes=True)
    assert (found.rule, found.severity.value) == ("S10", "error")
    assert "tensor 'x' is input 'x' and output 'same'" in found.message


def test_two_inputs_that_are_one_tensor(builder: Path) -> None:
    """S10: a session feeds a tensor once."""
    changed(builder, add_input("same", "x:0", 1))
    [found] = findings(builder, notes=True)
    assert found.rule == "S10"
    assert "inputs 'same', 'x' are one tensor" in found.message


@pytest.mark.parametrize("name", GOOD)
def test_looking_changes_nothing(name: str) -> None:
    """Looking up what is not in a message must not add it."""
    model = read(MODELS / name)
    before = model.proto.SerializeToString(deterministic=True)
    assert list(signatures.check(subject_of(model.proto))) == []
    assert list(signatures.check(as_subject(model))) == []
    assert model.proto.SerializeToString(deterministic=True) == before


def as_subject(model: Any) -> Subject:
    """Return what the rules look at, with no more in it than these need."""
    return cast("Subject", SimpleNamespace(saved=model, graph_file="saved_model.pb"))


def subject_of(proto: Any) -> Subject:
    """Return a model that was never on disk, as the rules look at it."""
    from savedmodel_compat.model.reader import _Defaults, _meta_graph

    file = Path("saved_model.pb")
    graphs = tuple(_meta_graph(graph, file, _Defaults()) for graph in proto.meta_graphs)
    return as_subject(SimpleNamespace(meta_graphs=graphs, proto=proto))


def test_many_breaches_are_counted() -> None:
    """A model with very many breaches has a short report."""
    proto = schema.SavedModel()
    graph = proto.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    signature = graph.signature_def["serving_default"]
    signature.method_name = "tensorflow/serving/predict"
    for number in range(1000):
        signature.outputs[f"y{number}"].name = f"gone{number}:0"
    found = list(signatures.check(subject_of(proto)))
    assert len(found) == 21
    assert found[-1].message == "… and 980 more"


def large(nodes: int, keys: int) -> Any:
    """Return a model with a long chain of nodes, and signatures along it."""
    proto = schema.SavedModel()
    graph = proto.meta_graphs.add()
    graph.meta_info_def.tags.append("serve")
    graph.graph_def.node.add(name="n0", op="Placeholder").attr["dtype"].type = 1
    for number in range(1, nodes):
        node = graph.graph_def.node.add(name=f"n{number}", op="Identity", input=[f"n{number - 1}"])
        node.attr["T"].type = 1
    for number in range(keys):
        key = f"k{number}" if number else "serving_default"
        signature = graph.signature_def[key]
        signature.method_name = "tensorflow/serving/predict"
        add_input("x", "n0:0", 1)(signature)
        add_output("y", f"n{nodes - 1 - number}:0", 1)(signature)
    return proto


def test_many_signatures_of_a_large_graph() -> None:
    """The time does not grow with signatures times nodes, and no stack with the depth."""
    subject = subject_of(large(50_000, 50))
    started = time.perf_counter()
    assert list(signatures.check(subject)) == []
    assert time.perf_counter() - started < 5


def test_more_signatures_than_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of signatures nothing is said of connections, and nothing goes wrong."""
    monkeypatch.setattr(dependence, "_SIGNATURES", 2)
    proto = large(10, 4)
    for key in ("k1", "k3"):
        add_input("unused", "n9:0", 1)(proto.meta_graphs[0].signature_def[key])
    found = [f.where for f in signatures.check(subject_of(proto)) if f.rule == "S8"]
    assert found == ["MetaGraph [serve]: signature 'k1', input 'unused'"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("half_plus_two_cpu", {"S4"}),
        ("half_plus_two_pbtxt", {"S3", "S4"}),
        ("half_plus_two_tf2", set()),
        ("regression_train_tags", {"S4", "S5", "S8"}),
        ("counter_stateful", {"S5"}),
        ("estimator_dnn_audit", set()),
        ("keras2_lstm", set()),
        ("static_hash_table", set()),
        ("cyclic_module", {"S7"}),
    ],
)
def test_models_of_others(corpus: Path, name: str, expected: set[str]) -> None:
    """What is said of third-party models is true, and little."""
    assert {f.rule for f in signatures.check(as_subject(read(corpus / name)))} == expected


def test_a_variable_in_the_place_of_its_value(builder: Path) -> None:
    """S1: `build_tensor_info` of a resource variable names its handle; the type says so, and that is all."""
    changed(builder, lambda s: setattr(s.outputs["y"], "name", "b:0"))
    [found] = [finding for finding in findings(builder) if finding.rule == "S1"]
    assert found.message == "tensor 'b:0' is resource in the graph, but the signature says float32"
