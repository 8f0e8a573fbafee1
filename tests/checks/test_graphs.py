"""Tests of `savedmodel_compat.checks.graphs`: one edit to a good model, and the one rule that it breaks."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.checks.breaking import GOOD, MODELS, edit, findings, rules

from savedmodel_compat.checks import graphs, meta_graphs
from savedmodel_compat.checks._ops import CHANGED
from savedmodel_compat.checks.findings import Finding
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import read, schema, tree
from savedmodel_compat.registry import known, snapshots
from savedmodel_compat.tensors import dtype_from_name

Change = Callable[[schema.SavedModel], object]

LINE = "__inference__line_94"
FLOAT, INT32, INT64 = (dtype_from_name(name).number for name in ("float32", "int32", "int64"))


def graph_of(model: schema.SavedModel) -> schema.GraphDef:
    """The graph of the first MetaGraph."""
    return model.meta_graphs[0].graph_def


def node(model: schema.SavedModel, name: str) -> schema.NodeDef:
    """A node of the graph."""
    return next(node for node in graph_of(model).node if node.name == name)


def body(model: schema.SavedModel, name: str = LINE) -> schema.FunctionDef:
    """A function of the library."""
    library = graph_of(model).library.function
    return next(function for function in library if function.signature.name == name)


def inner(model: schema.SavedModel, name: str, function: str = LINE) -> schema.NodeDef:
    """A node of a function."""
    return next(node for node in body(model, function).node_def if node.name == name)


def value(model: schema.SavedModel) -> schema.TensorProto:
    """The value of a float Const of the v1 model; it has three elements in its content."""
    return node(model, "b/Initializer/initial_value").attr["value"].tensor


def add(
    model: schema.SavedModel,
    name: str,
    op: str,
    inputs: Sequence[str] = (),
    **types: int | list[int],
) -> schema.NodeDef:
    """Add a node to the graph, with attrs that are types or lists of types."""
    added = graph_of(model).node.add(name=name, op=op, input=inputs)
    given(added, **types)
    return added


def given(node: schema.NodeDef, **types: int | list[int]) -> None:
    """Give a node attrs that are types or lists of types."""
    for key, number in types.items():
        if isinstance(number, int):
            node.attr[key].type = number
        else:
            node.attr[key].list.SetInParent()
            node.attr[key].list.type.extend(number)


def looked_at(model: schema.SavedModel, folder: Path) -> list[Finding]:
    """What the rules of this room say of a message."""
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    subject = Subject(
        root=folder,
        tree=tree.walk(folder),
        saved=read(folder),
        damage=None,
        checkpoint=None,
        checkpoint_damage=None,
    )
    return [*graphs.check(subject), *meta_graphs.check(subject)]


def one(folder: Path, rule: str) -> Finding:
    """The only finding of a model that is no note, which is of this rule."""
    [finding] = findings(folder)
    assert finding.rule == rule
    assert finding.file == "saved_model.pb"
    return finding


@pytest.mark.parametrize("name", GOOD)
def test_a_good_model_has_no_finding(name: str) -> None:
    """What TensorFlow wrote breaks no rule."""
    assert findings(MODELS / name) == []


def test_a_graph_that_does_not_parse_is_not_looked_at(builder: Path) -> None:
    """Without a graph there is nothing to say of nodes."""
    (builder / "saved_model.pb").write_bytes(b"\xff")
    assert not {"M2", "M5", "M10", "M11", "M15", "M17", "M18", "M19"} & set(rules(builder))


def lose_value(model: schema.SavedModel) -> None:
    """Rename the attr that holds the value, as in TensorFlow's own damaged model."""
    const = node(model, "b/Initializer/initial_value")
    const.attr["_value"].CopyFrom(const.attr["value"])
    del const.attr["value"]


def lose_dtype(model: schema.SavedModel) -> None:
    """Remove the type that a Const declares."""
    del node(model, "b/Initializer/initial_value").attr["dtype"]


def read_it(model: schema.SavedModel) -> None:
    """Let the init op read the Const, which only the initializer of a variable does."""
    node(model, "init_all_tables").input.append("^b/Initializer/initial_value")


def list_four(model: schema.SavedModel) -> None:
    """List one value more than the shape has."""
    value(model).ClearField("tensor_content")
    value(model).float_val.extend([1, 2, 3, 4])


def list_complex(model: schema.SavedModel) -> None:
    """List a pair of numbers more than the shape has."""
    value(model).ClearField("tensor_content")
    value(model).dtype = dtype_from_name("complex64").number
    for name in ("b/Initializer/initial_value", "b/Assign"):
        node(model, name).attr["dtype"].type = value(model).dtype
    value(model).scomplex_val.extend([1] * 8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lose_value, "has no value"),
        (lose_dtype, "has no dtype"),
        (
            lambda m: setattr(value(m), "dtype", INT32),
            "is declared as float32, but its value is int32",
        ),
        (
            lambda m: setattr(value(m), "dtype", 0),
            "is declared as float32, but its value is invalid",
        ),
        (
            lambda m: setattr(node(m, "b/Initializer/initial_value").attr["value"], "i", 3),
            "has a value that is no tensor",
        ),
        (lambda m: setattr(value(m).tensor_shape.dim[0], "size", -1), "negative dimension"),
        (lambda m: setattr(value(m).tensor_shape, "unknown_rank", True), "unknown rank"),
        (lambda m: setattr(value(m).tensor_shape.dim[0], "size", 4), "16 bytes, but has 12"),
        (lambda m: value(m).tensor_shape.dim.add(size=2**62), "too many elements"),
        (lambda m: [value(m).tensor_shape.dim.add(size=1) for _ in range(255)], "256 dimensions"),
    ],
)
def test_m2_a_broken_constant(builder: Path, change: Change, words: str) -> None:
    """A Const without its value, or with another one than it declares, is found with its node."""
    edit(builder, change)
    edit(builder, read_it)
    finding = one(builder, "M2")
    assert words in finding.message
    assert finding.where == "MetaGraph [serve]: node b/Initializer/initial_value"


def no_element(model: schema.SavedModel) -> None:
    """Have content, and a shape without elements."""
    value(model).tensor_shape.dim[0].size = 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (list_four, "has 3 values, but lists 4"),
        (list_complex, "has 3 values, but lists 4"),
        (no_element, "takes 0 bytes, but has 12"),
    ],
)
def test_m17_more_values_than_elements(builder: Path, change: Change, words: str) -> None:
    """A Const that lists more than its shape has loads, and what is too much is lost."""
    edit(builder, change)
    finding = one(builder, "M17")
    assert words in finding.message
    assert finding.where == "MetaGraph [serve]: node b/Initializer/initial_value"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: setattr(value(m), "dtype", INT32), "its value is int32; no loader"),
        (lambda m: setattr(value(m).tensor_shape.dim[0], "size", 4), "but has 12; no loader"),
    ],
)
def test_m17_what_nothing_reads(builder: Path, change: Change, words: str) -> None:
    """A broken Const that neither a loader nor a signature comes to is no error: all load and answer."""
    edit(builder, change)
    assert words in one(builder, "M17").message


def test_m2_a_constant_of_the_object_graph(module: Path) -> None:
    """tf.saved_model.load reads a Const that only the object graph names."""

    def change(model: schema.SavedModel) -> None:
        tensor = add(model, "lone", "Const", dtype=FLOAT).attr["value"].tensor
        tensor.dtype = FLOAT
        tensor.tensor_shape.SetInParent()
        tensor.tensor_content = b"abc"
        model.meta_graphs[0].object_graph_def.nodes.add().constant.operation = "lone"

    edit(module, change)
    assert one(module, "M2").where == "MetaGraph [serve]: node lone"


def test_m2_in_a_function(module: Path) -> None:
    """A Const of a function body is found as well."""
    edit(module, lambda m: inner(m, "Greater/y", "__inference_predict_54").attr.pop("value"))
    where = "MetaGraph [serve]: function __inference_predict_54, node Greater/y"
    assert one(module, "M2").where == where


def splat(model: schema.SavedModel) -> None:
    """Ask for many elements, all of the one that is listed."""
    value(model).ClearField("tensor_content")
    value(model).float_val.append(1)
    value(model).tensor_shape.dim[0].size = 2**40


def bind_later(model: schema.SavedModel) -> None:
    """Leave value and type of a Const to the caller of its function."""
    const = inner(model, "Greater/y", "__inference_predict_54")
    const.attr["value"].placeholder = "v"
    const.attr["dtype"].placeholder = "T"


def fill_none(model: schema.SavedModel) -> None:
    """List nothing, which stands for zeros, or for no element at all."""
    value(model).ClearField("tensor_content")
    value(model).tensor_shape.dim[0].size = 0


def of_the_future(model: schema.SavedModel) -> None:
    """Take a type that no release has yet."""
    value(model).dtype = 77
    node(model, "b/Initializer/initial_value").attr["dtype"].type = 77


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("builder-1.15.5", splat),
        ("builder-1.15.5", fill_none),
        ("builder-1.15.5", of_the_future),
        ("module-2.21.0", bind_later),
    ],
)
def test_m2_what_may_be(model: str, change: Change, tmp_path: Path) -> None:
    """A repeated value, none at all, one that is bound later, and a type that is not known are no breach."""
    proto = schema.parse(schema.SavedModel, (MODELS / model / "saved_model.pb").read_bytes())
    change(proto)
    assert [f for f in looked_at(proto, tmp_path / "m") if f.rule == "M2"] == []


def test_m5_an_unknown_op(module: Path) -> None:
    """An op that neither TensorFlow nor the model has is found with the first node and their number."""

    def change(model: schema.SavedModel) -> None:
        inner(model, "mul").op = "MulV9"
        inner(model, "mul", "__inference__line_27").op = "MulV9"

    edit(module, change)
    finding = one(module, "M5")
    assert finding.where == "MetaGraph [serve]: function __inference__line_27, node mul"
    assert finding.message.startswith("the op 'MulV9' (2 nodes) is not one of TensorFlow's")


def test_m5_an_op_of_an_op_library(builder: Path) -> None:
    """An op that only tf.contrib has is named with its library: no loader knows it by itself."""

    def change(model: schema.SavedModel) -> None:
        model.meta_graphs[0].graph_def.node.add(name="bytes", op="BytesInUse")

    edit(builder, change)
    assert "its op library contrib/memory_stats has it" in one(builder, "M5").message


def test_m5_an_op_that_the_producer_had(builder: Path) -> None:
    """An op that the model's own list has, and TensorFlow has not, was loaded by its producer."""

    def change(model: schema.SavedModel) -> None:
        graph_of(model).node.add(name="own", op="MyOwn")
        model.meta_graphs[0].meta_info_def.stripped_op_list.op.add(name="MyOwn")

    edit(builder, change)
    assert "its producer had it" in one(builder, "M5").message


def test_m15_an_unknown_attr(module: Path) -> None:
    """An attr that no TensorFlow has for that op is found, in a function as in the graph."""
    edit(module, lambda m: setattr(inner(m, "mul").attr["of_the_future"], "i", 7))
    finding = one(module, "M15")
    assert finding.where == f"MetaGraph [serve]: function {LINE}, node mul"
    assert "'of_the_future' of Mul" in finding.message


@pytest.mark.parametrize("attr", ["_of_the_runtime", "initial_num_bins"])
def test_m15_what_may_be(module: Path, attr: str) -> None:
    """The runtime's own attrs may stand on any op, and an attr that only older releases had on its own."""

    def change(model: schema.SavedModel) -> None:
        graph_of(model).node.add(name="x", op="CustomAggregator").attr[attr].i = 7

    edit(module, change)
    assert "M15" not in rules(module)


def test_m15_an_attr_that_the_producer_knew(module: Path) -> None:
    """An attr that the model's own list of ops has is that of a newer TensorFlow, not a mistake."""

    def change(model: schema.SavedModel) -> None:
        inner(model, "mul").attr["of_the_future"].i = 7
        known = model.meta_graphs[0].meta_info_def.stripped_op_list.op.add(name="Mul")
        known.attr.add(name="of_the_future", type="int")

    edit(module, change)
    assert findings(module) == []


def test_the_models_of_the_corpus_that_are_damaged(corpus: Path) -> None:
    """TensorFlow's fuzzed model has what its loader says: a Const without its value, for an attr's name is wrong."""
    found = findings(corpus / "fuzz_bad_node_attr")
    assert {"M2", "M15"} <= {finding.rule for finding in found}
    [first] = [finding for finding in found if finding.rule == "M2"]
    assert "RestoreV2/tensor_names" in first.where


def lose_branch(model: schema.SavedModel) -> None:
    """Remove a function that only an attr of a node in another one names."""
    library = graph_of(model).library.function
    library.remove(body(model, "cond_true_15"))


def name_in_list(model: schema.SavedModel) -> None:
    """Name a function in a list."""
    add(model, "index", "Cast", ["Const"], SrcT=INT64, DstT=INT32)
    added = add(model, "case", "Case", ["index"], Tin=[], Tout=[])
    added.attr["branches"].list.func.add(name="nowhere")


def name_in_name(model: schema.SavedModel) -> None:
    """Name a function in what is bound to another one."""
    f = node(model, "StatefulPartitionedCall").attr["f"]
    f.func.attr["g"].func.attr["h"].func.name = "nowhere"


def name_in_a_function_that_nobody_calls(model: schema.SavedModel) -> None:
    """Name a function where nothing leads."""
    added = graph_of(model).library.function.add()
    added.signature.name = "lonely"
    added.node_def.add(name="x", op="NoOp")
    call = added.node_def.add(name="y", op="PartitionedCall")
    call.attr["f"].func.name = "nowhere"
    given(call, Tin=[], Tout=[])


def of_a_primitive(model: schema.SavedModel) -> None:
    """Take the gradient of something that is neither a function nor an op."""
    added = add(model, "g", "SymbolicGradient", ["Const"], Tin=[INT64], Tout=[INT64])
    added.attr["f"].func.name = "nowhere"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lose_branch, "'cond_true_15' that it names is not"),
        (name_in_list, "'nowhere' that it names is not"),
        (name_in_name, "'nowhere' that it names is not"),
        (name_in_a_function_that_nobody_calls, "'nowhere' that it names is not"),
        (of_a_primitive, "'nowhere' that it names is not"),
        (
            lambda m: graph_of(m).library.gradient.add(function_name=LINE, gradient_func="back"),
            "no function 'back', but a gradient",
        ),
        (
            lambda m: graph_of(m).library.gradient.add(function_name="f", gradient_func=LINE),
            "no function 'f', but a gradient",
        ),
        (
            lambda m: graph_of(m).library.function.add().CopyFrom(body(m)),
            f"the library has 2 functions '{LINE}'",
        ),
    ],
)
def test_m10_a_missing_function(module: Path, change: Change, words: str) -> None:
    """A function that is named anywhere and is not in the library, or is there twice, is found."""
    edit(module, change)
    assert words in one(module, "M10").message


def primitive(model: schema.SavedModel) -> None:
    """Take the gradient of an op."""
    added = add(model, "g", "SymbolicGradient", ["Const"], Tin=[INT64], Tout=[INT64])
    added.attr["f"].func.name = "Mul"


def call_by_op(model: schema.SavedModel) -> None:
    """Call a function as TensorFlow 1 does: by the op."""
    inputs = ["serving_default_x", "a", "b"]
    graph_of(model).node.add(name="call", op=LINE, input=inputs)


def unnamed(model: schema.SavedModel) -> None:
    """Have two functions without a name and without content."""
    graph_of(model).library.function.extend([schema.FunctionDef(), schema.FunctionDef()])


@pytest.mark.parametrize("change", [primitive, call_by_op, unnamed])
def test_m10_what_may_be(module: Path, change: Change) -> None:
    """An op's gradient, a call by the op, and functions without a name are no breach."""
    edit(module, change)
    assert findings(module) == []


def twins(model: schema.SavedModel) -> tuple[schema.FunctionDef, schema.FunctionDef]:
    """Add one function twice, which calls nothing."""
    library = graph_of(model).library.function
    for added in (library.add(), library.add()):
        added.signature.name = "twin"
        added.node_def.add(name="x", op="NoOp")
    return library[-1], library[-2]


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        (twins, 0),
        (lambda m: twins(m)[0].node_def.add(name="y", op="NoOp"), 1),
        (lambda m: [twin.node_def.add(name="y", op="twin") for twin in twins(m)], 1),
    ],
)
def test_m10_twins_in_a_graph_of_v1(builder: Path, change: Change, errors: int) -> None:
    """A function twice is one to all loaders where there is no object graph and it calls nothing."""
    edit(builder, change)
    assert [finding.rule for finding in findings(builder)] == ["M10"] * errors


def add_in(model: schema.SavedModel, name: str, op: str, source: str) -> schema.NodeDef:
    """Add a node to a function."""
    return body(model).node_def.add(name=name, op=op, input=[source])


def circle(model: schema.SavedModel) -> None:
    """Let y wait for a node behind it, which waits for y."""
    node(model, "Mul").input.append("^late")
    graph_of(model).node.add(name="late", op="NoOp", input=["^y"])


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (lambda m: node(m, "y").input.append("gone"), "node y", "'gone' is not in the graph"),
        (lambda m: node(m, "y").input.append("^gone"), "node y", "'^gone' is not in the graph"),
        (lambda m: node(m, "y").input.append("a:-1"), "node y", "'a:-1' is not in the graph"),
        (lambda m: node(m, "y").input.append("a:1"), "node y", "'a:1' is not in the graph"),
        (lambda m: node(m, "y").input.append("init"), "node y", "'init' is not in the graph"),
        (lambda m: node(m, "y").input.append("save/RestoreV2:2"), "node y", "'save/RestoreV2:2'"),
        (lambda m: node(m, "y").input.append("a:out:0"), "node y", "'a:out:0' is not in"),
        (lambda m: node(m, "y").input.extend(["^a", "b"]), "node y", "'b' comes after a control"),
        (
            lambda m: graph_of(m).node.add(name="init", op="NoOp"),
            "",
            "2 nodes have the name 'init'",
        ),
        (lambda m: graph_of(m).node.add(op="NoOp"), "", "1 nodes without a name"),
        (lambda m: graph_of(m).node.add(name="a b", op="NoOp"), "", "'a b' cannot be the name"),
        (lambda m: graph_of(m).node.add(name="_a", op="NoOp"), "", "'_a' cannot be the name"),
        (lambda m: graph_of(m).node.add(name="a\nb", op="NoOp"), "", "'a\nb' cannot be the name"),
        (lambda m: node(m, "y").input.pop(), "node y", "it has 1 data inputs; Add takes 2"),
        (lambda m: node(m, "y").input.append("b"), "node y", "it has 3 data inputs; Add takes 2"),
        (
            lambda m: add(m, "n", "IdentityN", ["x"], T=[FLOAT, FLOAT]),
            "node n",
            "it has 1 data inputs; IdentityN takes 2",
        ),
        (
            lambda m: setattr(add(m, "n", "AddN", ["x"], T=FLOAT).attr["N"], "i", 10**15),
            "node n",
            "it has 1 data inputs; AddN takes 1000000000000000",
        ),
        (
            lambda m: add(m, "n", "Identity", ["x"], T=INT32),
            "node n",
            "its input 'x' is float32; Identity takes int32 there",
        ),
        (
            lambda m: add(m, "n", "IdentityN", ["x", "index:0"], T=[FLOAT, INT32]),
            "node n",
            "its input 'index:0' is int64; IdentityN takes int32 there",
        ),
        (lambda m: node(m, "y").input.append("^y"), "", "1 nodes wait for each other"),
        (circle, "", "3 nodes wait for each other in a circle: Mul, late, y"),
    ],
)
def test_m11_in_the_graph(builder: Path, change: Change, where: str, words: str) -> None:
    """A node of the graph with an input that is not there, or with another one's name, is found."""
    edit(builder, change)
    finding = one(builder, "M11")
    assert words in finding.message
    assert finding.where == f"MetaGraph [serve]{where and ': '}{where}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: inner(m, "mul").input.append("gone"), "node mul | its input 'gone' is no"),
        (lambda m: inner(m, "mul").input.append("gone:z:0"), "node mul | its input 'gone:z:0'"),
        (lambda m: inner(m, "mul").input.append("add"), "node mul | its input 'add' is no"),
        (lambda m: inner(m, "mul").input.append("add:z:x"), "node mul | its input 'add:z:x'"),
        (lambda m: inner(m, "mul").input.append("add:y:0"), "node mul | its input 'add:y:0'"),
        (lambda m: inner(m, "mul").input.append("add:z:1"), "node mul | its input 'add:z:1'"),
        (lambda m: inner(m, "mul").input.append("x:y:z:0"), "node mul | its input 'x:y:z:0'"),
        (lambda m: inner(m, "mul").input.append("^gone"), "node mul | its input '^gone'"),
        (
            lambda m: inner(m, "NoOp").input.append("add:z:0"),
            "node NoOp | its input 'add:z:0' comes after a control input",
        ),
        (lambda m: body(m).ret.update({"identity": "gone:z:0"}), "is 'gone:z:0', which is not"),
        (lambda m: body(m).ret.pop("identity"), "its output 'identity' is '', which is not"),
        (
            lambda m: body(m).control_ret.update({"add/ReadVariableOp": "gone"}),
            "the node 'gone', which is not",
        ),
        (
            lambda m: body(m).signature.control_output.append("c"),
            "its control output 'c' is the node '', which is not",
        ),
        (lambda m: body(m).node_def.add(name="NoOp", op="NoOp"), "2 nodes have the name 'NoOp'"),
        (lambda m: body(m).node_def.add(op="NoOp"), "1 nodes without a name"),
        (lambda m: body(m).node_def.add(name="é", op="NoOp"), "'é' cannot be the name"),
        (lambda m: inner(m, "mul").input.pop(), "node mul | it has 1 data inputs; Mul takes 2"),
        (lambda m: inner(m, "mul").input.append("^add"), "2 nodes wait for each other"),
        (
            lambda m: given(add_in(m, "n", "Identity", "add:z:0"), T=INT32),
            "node n | its input 'add:z:0' is float32; Identity takes int32",
        ),
        (
            lambda m: given(add_in(m, "n", "Identity", "x"), T=INT32),
            "node n | its input 'x' is float32; Identity takes int32",
        ),
    ],
)
def test_m11_in_a_function(module: Path, change: Change, words: str) -> None:
    """A node of a function with an input that is not there is found, and an output that nothing gives."""
    edit(module, change)
    finding = one(module, "M11")
    assert words in f"{finding.where} | {finding.message}"
    assert finding.where.startswith(f"MetaGraph [serve]: function {LINE}")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: body(m).ret.update({"more": "gone:z:0"}),
        lambda m: body(m).control_ret.update({"more": "gone"}),
        lambda m: inner(m, "mul").input.append("^x"),
    ],
)
def test_m11_what_may_be(module: Path, change: Change) -> None:
    """Values of no output are ignored by every loader, and an argument may be a control input."""
    edit(module, change)
    assert findings(module) == []


def loop(model: schema.SavedModel) -> None:
    """Add a loop of TensorFlow 1 that never ends, its parts not in the order of their names."""
    enter = add(model, "enter", "Enter", ["x"], T=FLOAT)
    enter.attr["frame_name"].s = b"loop"
    merge = add(model, "merge", "Merge", ["enter", "next"], T=FLOAT)
    merge.attr["N"].i = 2
    add(model, "next", "NextIteration", ["merge"], T=FLOAT)


def of_a_reference(model: schema.SavedModel) -> None:
    """Take the value of a reference, as all ops of old do."""
    add(model, "n", "Identity", ["a"], T=FLOAT)


def of_older_form(model: schema.SavedModel) -> None:
    """Use an op as its producer's own list has it, with an input less than today."""
    of_changed_form(model)
    own = model.meta_graphs[0].meta_info_def.stripped_op_list.op.add(name="TensorListStack")
    own.input_arg.add(name="input_handle", type=dtype_from_name("variant").number)
    own.attr.add(name="element_dtype", type="type")


def of_changed_form(model: schema.SavedModel) -> None:
    """Use an op that had an input less in an older release."""
    add(model, "list", "Placeholder", dtype=dtype_from_name("variant").number)
    add(model, "n", "TensorListStack", ["list"], element_dtype=FLOAT)


def of_many_outputs(model: schema.SavedModel) -> None:
    """Take one of more outputs than are told apart."""
    add(model, "axis", "Cast", ["Const_1"], SrcT=INT64, DstT=INT32)
    split = add(model, "split", "Split", ["axis", "x"], T=FLOAT)
    split.attr["num_split"].i = 2**40
    add(model, "n", "Identity", [f"split:{2**30 - 8 * 10**8}"], T=FLOAT)


@pytest.mark.parametrize(
    "change", [loop, of_a_reference, of_older_form, of_changed_form, of_many_outputs]
)
def test_m11_what_a_graph_may_be(builder: Path, change: Change) -> None:
    """Loops of v1, references and the forms of older releases are no breach."""
    edit(builder, change)
    assert findings(builder) == []


def test_m11_a_loop_in_a_loop(tmp_path: Path) -> None:
    """A circle of very many nodes is found without going deep, and shown short."""
    model = schema.SavedModel(saved_model_schema_version=1)
    graph = model.meta_graphs.add().graph_def
    for index in range(20_000):
        graph.node.add(name=f"n{index}", op="NoOp", input=[f"^n{(index + 1) % 20_000}"])
    [message] = [f.message for f in looked_at(model, tmp_path / "m") if f.rule == "M11"]
    assert message.startswith("20000 nodes wait for each other in a circle: n0, n1, n2, n3, n4")


def test_ops_of_changed_form_are_known() -> None:
    """Ops that took another number of inputs once, or could do without an attr, are left to the producer's list."""
    changed = set()
    for release in snapshots.releases():
        snapshot = snapshots.get(release)
        assert snapshot is not None
        for name in snapshot.ops:
            op, newest = snapshot.op(name), known.op(name)
            assert op is not None
            assert newest is not None
            fewer = {attr.name for attr in newest.attr if not attr.HasField("default_value")}
            fewer -= {attr.name for attr in op.attr if not attr.HasField("default_value")}
            if fewer or taken(op) != taken(newest):
                changed.add(name)
    assert {name for name in changed if not name.startswith("_")} <= CHANGED


def taken(op: schema.OpDef) -> list[tuple[str, str]]:
    """What tells how many inputs an op takes."""
    return [(argument.number_attr, argument.type_list_attr) for argument in op.input_arg]


def hostile(model: schema.SavedModel) -> None:
    """Have functions of very many arguments that are lists, and very many calls of them."""
    library = graph_of(model).library.function
    for kind in ("number_attr", "type_attr", "type_list_attr", ""):
        signature = library.add().signature
        signature.name = f"of_{kind}"
        for index in range(3000):
            for arguments in (signature.input_arg, signature.output_arg):
                argument = arguments.add(name=f"a{index}", type=FLOAT)
                if kind:
                    setattr(argument, kind, "N" if kind == "number_attr" else f"T{index}")
        for index in range(3000):
            call = graph_of(model).node.add(name=f"{kind}{index}", op=signature.name)
            call.input.append(f"{kind}{index - 1}:2999" if index else "x")
            call.attr["N"].i = 10**9


def test_hostile_definitions_take_no_time(tmp_path: Path) -> None:
    """The work does not grow with nodes times arguments, as it would if all were written out."""
    model = schema.SavedModel(saved_model_schema_version=1)
    model.meta_graphs.add().graph_def.node.add(name="x", op="NoOp")
    hostile(model)
    before = time.process_time()
    looked_at(model, tmp_path / "m")
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: node(m, "y").attr.pop("T"), "it has no attr 'T', which Add requires"),
        (
            lambda m: setattr(node(m, "x").attr["dtype"], "i", 3),
            "its attr 'dtype' is of the kind int; Placeholder takes type",
        ),
        (
            lambda m: setattr(node(m, "x").attr["dtype"], "type", 0),
            "its attr 'dtype' is no type; Placeholder takes type",
        ),
        (
            lambda m: node(m, "x").attr["dtype"].ClearField("type"),
            "its attr 'dtype' is empty; Placeholder takes type",
        ),
        (
            lambda m: setattr(node(m, "y").attr["T"], "placeholder", "T"),
            "its attr 'T' is a placeholder, which only a function may have; Add takes type",
        ),
        (
            lambda m: node(m, "save/RestoreV2").attr["dtypes"].list.i.append(1),
            "its attr 'dtypes' is a list of int; RestoreV2 takes list(type)",
        ),
        (
            lambda m: node(m, "y").attr["T"].list.type.append(1),
            "its attr 'T' is of the kind list; Add takes type",
        ),
    ],
)
def test_m18_attrs(builder: Path, change: Change, words: str) -> None:
    """An attr that is lost, or of another kind than its op's, is found with its node."""
    edit(builder, change)
    assert words in [f.message for f in findings(builder) if f.rule == "M18"]


def test_m18_in_a_function(module: Path) -> None:
    """A body is looked at like the graph."""
    edit(module, lambda m: inner(m, "mul").attr.pop("T"))
    finding = one(module, "M18")
    assert finding.where == f"MetaGraph [serve]: function {LINE}, node mul"
    assert finding.message == "it has no attr 'T', which Mul requires"


def bind_type(model: schema.SavedModel) -> None:
    """Leave the type of a node to the caller of its function."""
    inner(model, "mul").attr["T"].placeholder = "T"


def leave_list(model: schema.SavedModel) -> None:
    """Have an attr for a list, and no list."""
    add(model, "n", "NoOp")
    graph_of(model).node.add(name="m", op="IdentityN").attr["T"].SetInParent()


def of_older_attrs(model: schema.SavedModel) -> None:
    """Leave out an attr that has a default in the producer's own list, and none today."""
    inner(model, "mul").attr.pop("T")
    own = model.meta_graphs[0].meta_info_def.stripped_op_list.op.add(name="Mul")
    own.CopyFrom(known.op("Mul"))
    own.attr[0].default_value.type = FLOAT


@pytest.mark.parametrize("change", [bind_type, leave_list, of_older_attrs])
def test_m18_what_may_be(module: Path, change: Change) -> None:
    """Values that the caller binds, missing lists, and what the producer had a default for are no breach."""
    edit(module, change)
    assert [finding for finding in findings(module) if finding.rule == "M18"] == []


BAD_DEVICES = (
    "//junk!!",
    "cpu:0",
    "/CPU",
    "/device:CPU",
    "/task:x",
    "/cpu:-1",
    "/job:a-b",
    "/cpu:0/",
)


@pytest.mark.parametrize("device", BAD_DEVICES)
def test_m19_a_device_that_cannot_be_read(builder: Path, module: Path, device: str) -> None:
    """A device that the C++ or the Python loaders cannot take apart is found, in a function as in the graph."""
    edit(builder, lambda m: setattr(node(m, "y"), "device", device))
    finding = one(builder, "M19")
    assert finding.where == "MetaGraph [serve]: node y"
    assert finding.message == f"its device '{device}' is none that can be read"
    edit(module, lambda m: setattr(inner(m, "mul"), "device", device))
    assert one(module, "M19").where == f"MetaGraph [serve]: function {LINE}, node mul"


@pytest.mark.parametrize(
    "device",
    [
        "/",
        "/gpu:0",
        "/device:CPU:*",
        "/device:*:0",
        "/job:*/task:3/cpu:0",
        "/job:localhost/replica:0/task:0/device:XLA_GPU:0",
    ],
)
def test_m19_what_may_be(builder: Path, device: str) -> None:
    """A device may be of any job and kind; whether there is one is another matter."""
    edit(builder, lambda m: setattr(node(m, "y"), "device", device))
    assert findings(builder) == []


def test_an_argument_twice(module: Path) -> None:
    """Two arguments of one name are found; whether the attr of a call fits them is not looked at here."""
    edit(module, lambda m: body(m).signature.input_arg.add(name="x", type=1))
    assert "2 arguments have the name 'x'" in next(f.message for f in findings(module))


def test_many_breaches_are_counted(tmp_path: Path) -> None:
    """A model that is wrong everywhere has twenty findings of a rule and one that counts the others."""
    model = schema.SavedModel(saved_model_schema_version=1)
    graph = model.meta_graphs.add().graph_def
    for index in range(1000):
        graph.node.add(name=f"n{index}", op=f"Op{index}", input=[f"gone{index}"])
    found = looked_at(model, tmp_path / "m")
    for rule in ("M5", "M11"):
        messages = [finding.message for finding in found if finding.rule == rule]
        assert len(messages) == 21
        assert messages[-1] == "… and 980 more"


def test_long_names_are_cut(tmp_path: Path) -> None:
    """A name of a million letters does not fill the report."""
    model = schema.SavedModel(saved_model_schema_version=1)
    meta_graph = model.meta_graphs.add()
    meta_graph.meta_info_def.tags.append("t" * 10**6)
    meta_graph.meta_info_def.tensorflow_version = "v" * 10**6
    meta_graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = (
        "i" * 10**6
    )
    meta_graph.saver_def.restore_op_name = "r" * 10**6
    function = meta_graph.graph_def.library.function.add()
    function.signature.name = "f" * 10**6
    function.ret["o" * 10**6] = "v" * 10**6
    function.control_ret["c" * 10**6] = "v" * 10**6
    function.signature.output_arg.add(name="o" * 10**6)
    function.signature.control_output.append("c" * 10**6)
    long = function.node_def.add(name="n" * 10**6, op="o" * 10**6, input=["i" * 10**6])
    long.attr["a"].func.name = "g" * 10**6
    function.node_def.add(name="m" * 10**6, op="NoOp").attr["a" * 10**6].i = 1
    objects = meta_graph.object_graph_def
    objects.nodes.add().children.add(local_name="c" * 10**6, node_id=9)
    objects.concrete_functions["f" * 10**5].bound_inputs.append(3)
    found = looked_at(model, tmp_path / "m")
    assert {"M3", "M4", "M5", "M10", "M11", "M13", "M14", "M15"} <= {f.rule for f in found}
    assert max(len(f.message) + len(f.where) for f in found) < 2000


@pytest.mark.parametrize("name", GOOD)
def test_random_damage_never_escapes(name: str, tmp_path: Path) -> None:
    """Whatever letters, numbers and names change in a model, there are findings or none, and no error."""
    generator = random.Random(11)
    data = (MODELS / name / "saved_model.pb").read_bytes()
    letters = [index for index, byte in enumerate(data) if chr(byte).isalnum()]
    found: set[str] = set()
    parsed = 0
    for _ in range(150):
        damaged = bytearray(data)
        for index in generator.sample(letters, 5):
            damaged[index] = data[generator.choice(letters)]
        (tmp_path / "saved_model.pb").write_bytes(bytes(damaged))
        try:
            saved = read(tmp_path)
        except SavedModelCompatError:
            continue
        parsed += 1
        found.update(finding.rule for finding in looked_at(saved.proto, tmp_path / "m"))
    assert parsed > 50
    assert {"M5", "M11", "M15"} <= found
