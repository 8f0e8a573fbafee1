"""Attrs that a consumer drops without a word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.matrix.attrs import attrs_used, ignored_attrs, read_ops
from savedmodel_compat.matrix.cells import Outcome, Result
from savedmodel_compat.matrix.exports import Exporter, Order, export_model
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.matrix.plan import Consumer, Options
from savedmodel_compat.matrix.predicted import Agreement, agreement
from savedmodel_compat.matrix.run import run_matrix
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Limits

PRODUCER = "2.11.1"


@pytest.fixture(scope="session")
def carrier(venv_runtime: Callable[[str], Runtime]) -> Callable[..., Model]:
    """Export with a function of `carriers.py`."""

    def export(function: str, *, strip: bool = True) -> Model:
        runtime = venv_runtime(PRODUCER)
        file = Path(__file__).with_name("carriers.py")
        exporter = Exporter(name=function, file=file, function=function)
        order = Order(exporter=exporter, producer=PRODUCER, strip=strip)
        with Worker(runtime, native=False) as worker:
            return export_model(worker, runtime, order, Limits(seconds=300, megabytes=0))

    return export


def run(model: Model, runtime: Runtime) -> Result:
    """The cell of a model's first signature in a runtime."""
    consumer = Consumer(
        release=runtime.release, provider="wheel", loader="c", device="cpu", runtime=runtime
    )
    return run_matrix([model], [consumer], Options())[0]


def test_an_attr_that_means_something(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """`blank_index` = 0 is dropped by 2.5.3, which decodes otherwise: both causes are told, the attr first."""
    result = run(carrier("blank_first"), wheel_runtime("2.5.3"))
    assert result.outcome is Outcome.FAIL
    assert result.causes[0] == "attr-ignored"
    assert set(result.causes) & {"output-mismatch", "output-shape-differs"}
    assert (result.detail.op, result.detail.attr) == ("CTCGreedyDecoder", "blank_index")
    assert result.fix is not None
    assert "blank_index" in result.fix


@pytest.mark.parametrize("release", ["2.6.5", "2.21.0"])
def test_a_consumer_that_knows_it(
    release: str, carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """The same model passes where the attr is known, without a note about it."""
    result = run(carrier("blank_first"), wheel_runtime(release))
    assert result.outcome is Outcome.PASS
    assert not any("blank_index" in note for note in result.notes)


def test_a_default_is_a_note(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """With its default value the attr is dropped without harm: a pass, and a note."""
    result = run(carrier("blank_last", strip=False), wheel_runtime("2.5.3"))
    assert result.outcome is Outcome.PASS
    assert any("CTCGreedyDecoder.blank_index is ignored (its default" in n for n in result.notes)


def test_where_no_signature_reaches(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """An attr of a node that the signature does not run decides nothing; it is a note."""
    result = run(carrier("blank_nowhere"), wheel_runtime("2.5.3"))
    assert result.outcome is Outcome.PASS
    assert any("blank_index is ignored (not its default" in note for note in result.notes)


def test_what_is_fed_is_not_run(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """A node that would compute what a request feeds is not run, and its attrs decide nothing."""
    result = run(carrier("blank_upstream"), wheel_runtime("2.5.3"))
    assert result.outcome is Outcome.PASS
    assert any("blank_index is ignored (not its default" in note for note in result.notes)
    assert agreement(result) is Agreement.AGREES


def test_agreeing_values_do_not_excuse_it(
    exported: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """`VarHandleOp.debug_name` of 2.21 changes no number in 2.11.1, and is told all the same."""
    result = run(exported("mnist_cnn_module", producer="2.21.0"), wheel_runtime("2.11.1"))
    assert result.outcome is Outcome.FAIL
    assert result.causes == ("attr-ignored",)
    assert result.detail.attr == "debug_name"


def test_an_attr_that_no_op_list_knows(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """Where nobody tells the default, the answer is that it is not known; never a guess."""
    model = carrier("blank_first")
    assert model.meta_graph is not None
    graph = type(model.meta_graph.proto)()
    graph.CopyFrom(model.meta_graph.proto)
    node = next(node for node in graph.graph_def.node if node.op == "CTCGreedyDecoder")
    node.attr["of_the_future"].i = 7
    changed = replace(model, meta_graph=replace(model.meta_graph, proto=graph))
    ops = read_ops(wheel_runtime("2.21.0").ops)
    [found] = ignored_attrs(changed, model.cases[0], attrs_used(changed), ops, [])
    assert (found.attr, found.default, found.reached) == ("of_the_future", None, True)


def test_underscored_attrs_never_matter(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """An attr with a leading underscore belongs to the runtime and is no part of any op."""
    model = carrier("blank_first")
    assert not any(attr.startswith("_") for _, attr in attrs_used(model))
    ops = read_ops(wheel_runtime("2.21.0").ops)
    assert ignored_attrs(model, model.cases[0], attrs_used(model), ops, []) == ()


@pytest.mark.parametrize("content", [None, b"", b"\x0a\xff"], ids=["missing", "empty", "cut"])
def test_without_an_op_list_there_is_no_verdict(
    content: bytes | None,
    tmp_path: Path,
    carrier: Callable[..., Model],
    wheel_runtime: Callable[[str], Runtime],
) -> None:
    """A runtime whose op list is missing or damaged cannot pass a model: what it dropped is not known."""
    if content is not None:
        (tmp_path / "ops.pb").write_bytes(content)
    result = run(carrier("blank_first"), replace(wheel_runtime("2.5.3"), folder=tmp_path))
    assert result.outcome is Outcome.INFRA_ERROR
    assert result.reason is not None
    assert "ops.pb" in result.reason


def test_an_attr_without_a_default(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """What has no default cannot be at it: the producer's own definition says that every value means something."""
    model = carrier("blank_first")
    assert model.meta_graph is not None
    graph = type(model.meta_graph.proto)()
    graph.CopyFrom(model.meta_graph.proto)
    node = next(node for node in graph.graph_def.node if node.op == "CTCGreedyDecoder")
    node.attr["of_the_future"].i = 7
    own = graph.meta_info_def.stripped_op_list.op
    next(op for op in own if op.name == node.op).attr.add(name="of_the_future", type="int")
    changed = replace(model, meta_graph=replace(model.meta_graph, proto=graph))
    ops = read_ops(wheel_runtime("2.21.0").ops)
    [found] = ignored_attrs(changed, model.cases[0], attrs_used(changed), ops, [])
    assert (found.attr, found.default, found.reached) == ("of_the_future", False, True)


def test_the_pinned_releases_tell_a_default(
    carrier: Callable[..., Model], wheel_runtime: Callable[[str], Runtime]
) -> None:
    """A model whose own op list is silent is judged by the releases that know the attr, wherever it is run."""
    model = carrier("blank_first")
    assert model.meta_graph is not None
    graph = type(model.meta_graph.proto)()
    graph.CopyFrom(model.meta_graph.proto)
    graph.meta_info_def.ClearField("stripped_op_list")
    changed = replace(model, meta_graph=replace(model.meta_graph, proto=graph))
    result = run(changed, wheel_runtime("2.5.3"))
    assert result.causes[0] == "attr-ignored"


@pytest.mark.parametrize(("loader", "count"), [("c", 1), ("v1", 1), ("v2", 0)])
def test_what_no_loader_makes_is_not_ignored(
    loader: str,
    count: int,
    exported: Callable[..., Model],
    wheel_runtime: Callable[[str], Runtime],
) -> None:
    """`tf.saved_model.load` makes a model's functions and objects: `debug_name` of a variable's node is nothing to it."""
    model = exported("mnist_cnn_module", producer="2.21.0")
    ops = read_ops(wheel_runtime("2.11.1").ops)
    found = ignored_attrs(model, model.cases[0], attrs_used(model), ops, [], loader=loader)
    assert len([attr for attr in found if attr.attr == "debug_name"]) == count
