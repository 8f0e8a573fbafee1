"""What `strip_default_attrs` does and where it cannot help, on real releases.

The rules are those of ``strip_graph_default_valued_attrs`` (tensorflow/python/framework/meta_graph.py) and of each consumer: up
to 2.4 an attr that its op does not have is an error, from 2.5 on it is ignored
(tensorflow/core/framework/node_def_util.cc, ValidateNodeDef).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]

PRODUCERS = "1.15.5,2.11.1,2.21.0"
# The first release that ignores what it does not know is 2.5; 2.4.4 is the last that refuses.
IGNORING = "2.5.3,2.6.5,2.8.4,2.11.1,2.15.1,2.21.0"
REFUSING = "2.3.4,2.4.4"


@pytest.mark.savedmodel(
    "mnist_cnn", producers=PRODUCERS, strip="on", signatures=["serving_default"]
)
def test_stripped_mnist_cnn_answers_everywhere(savedmodel_cell: list[Result]) -> None:
    """A stripped v1-builder export gives the producer's numbers in every consumer."""
    [result] = savedmodel_cell
    assert result.reference == "export"
    assert result.compared == 2


@pytest.mark.savedmodel(
    "half_plus_two",
    producers=PRODUCERS,
    strip="on",
    signatures=["serving_default", "classify_x_to_y", "regress_x_to_y"],
)
def test_stripped_half_plus_two_answers_everywhere(savedmodel_cell: list[Result]) -> None:
    """So do its predict, classify and regress signatures."""
    assert [result.compared for result in savedmodel_cell] == [1]


@pytest.mark.parametrize("consumer", ["1.13.2", "2.3.4", "2.4.4"])
def test_unstripped_fails_where_unknown_attrs_are_errors(
    consumer: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """`mnist_cnn` of 2.11.1, unstripped, does not load up to 2.4."""
    model = savedmodel_export("mnist_cnn", producer="2.11.1", strip=False)
    [result] = savedmodel_run(model, on=consumer)
    assert result.outcome.value == "fail"
    assert result.stage is not None
    assert result.stage.value == "load"
    assert result.cause == "attr-unknown"
    assert result.detail.attr is not None
    if consumer == "1.13.2":
        assert result.detail.op in {"Conv2D", "MaxPool"}
        assert result.detail.attr == "explicit_paddings"


def test_stripping_mends_it_with_the_same_numbers(
    savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Stripped, it passes in all of them: each output is the one that 2.11.1 recorded."""
    model = savedmodel_export("mnist_cnn", producer="2.11.1", strip=True)
    assert all_pass(savedmodel_run(model, on="1.13.2,2.3.4,2.4.4"), reference="export")


@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
def test_both_pass_where_unknown_attrs_are_ignored(
    strip: bool, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """From 2.5 on both exports load and answer alike: every attr that is ignored has its default."""
    model = savedmodel_export("mnist_cnn", producer="2.11.1", strip=strip)
    assert all_pass(savedmodel_run(model, on=IGNORING), reference="export")


@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
@pytest.mark.parametrize("name", ["half_plus_two", "mnist_cnn"])
def test_consumers_as_new_as_the_producer_take_both(
    name: str, strip: bool, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Stripping never matters to the producer itself, nor to what came after it."""
    model = savedmodel_export(name, producer="1.15.5", strip=strip)
    assert all_pass(savedmodel_run(model, on="1.15.5,2.1.4,2.4.4,2.21.0"), reference="export")


def test_new_op_in_the_save_function(savedmodel_export: Export, savedmodel_run: Run) -> None:
    """`tf.saved_model.save` of 2.21 fails in 2.8.4 on an op of its save function, which no signature reaches."""
    model = savedmodel_export("mnist_cnn_module", producer="2.21.0", strip=True)
    [result] = savedmodel_run(model, on="2.8.4")
    assert (result.outcome.value, result.cause) == ("fail", "op-not-registered")
    assert result.detail.op == "DisableCopyOnRead"


@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
def test_the_v1_builder_avoids_the_new_op(
    strip: bool, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """The v1-builder export of the same network, by the same release, passes there."""
    model = savedmodel_export("mnist_cnn", producer="2.21.0", strip=strip)
    assert all_pass(savedmodel_run(model, on="2.8.4"), reference="export")


def test_debug_name_is_beyond_stripping(savedmodel_export: Export, savedmodel_run: Run) -> None:
    """A resource variable of 2.21 carries a `debug_name` that is not the default: stripped, it still fails in 2.4.4."""
    model = savedmodel_export("mnist_cnn_module", producer="2.21.0", strip=True)
    [result] = savedmodel_run(model, on="2.4.4")
    assert (result.outcome.value, result.cause) == ("fail", "attr-unknown")
    assert (result.detail.op, result.detail.attr) == ("VarHandleOp", "debug_name")


@pytest.mark.parametrize("consumer", REFUSING.split(","))
def test_v1_python_rescues_what_the_c_loader_refuses(
    consumer: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """The v1 Python loader removes unknown defaults of the graph itself, by the producer's own op list; C does not."""
    model = savedmodel_export("mnist_cnn", producer="2.11.1", strip=False)
    assert all_pass(
        savedmodel_run(model, on=consumer, provider="venv", loader="v1"), reference="export"
    )
    refused = savedmodel_run(model, on=consumer, provider="venv", loader="c")
    assert [result.cause for result in refused] == ["attr-unknown"]


# tf.saved_model.save has no unstripped leg: it is made by putting the defaults back. Its attrs stand in the graph, in the
# function that restores the variables, and in those of the signatures, and it matters who looks at which of them, and when.
GRAPH = ("VarHandleOp", "allowed_devices")
RESTORE = ("AssignVariableOp", "validate_shape")
SAVE = ("MergeV2Checkpoints", "allow_missing_files")
SIGNATURE = ("MaxPool", "explicit_paddings")


@pytest.mark.parametrize(
    ("name", "producer", "loader", "consumer", "stage", "carrier"),
    [
        # The C++ loader takes the graph as it is, before anything else.
        ("half_plus_two_module", "2.4.4", "c", "2.1.4", "load", GRAPH),
        ("half_plus_two_module", "2.11.1", "c", "2.1.4", "load", GRAPH),
        # Then it runs what restores the variables, and so makes that function.
        ("half_plus_two_module", "2.11.1", "c", "2.4.4", "load", RESTORE),
        # The function of a signature is made when it is run for the first time.
        ("mnist_cnn_module", "2.4.4", "c", "2.3.4", "run", SIGNATURE),
        # The v1 loader removes what it does not know from the graph, but from no function.
        ("half_plus_two_module", "2.11.1", "v1", "2.1.4", "load", RESTORE),
        ("half_plus_two_module", "2.11.1", "v1", "2.4.4", "load", RESTORE),
        ("mnist_cnn_module", "2.4.4", "v1", "2.1.4", "run", SIGNATURE),
        ("mnist_cnn_module", "2.4.4", "v1", "2.3.4", "run", SIGNATURE),
        # The v2 loader makes every function at once, also that which saves; it has no use for the graph.
        ("mnist_cnn_module", "2.4.4", "v2", "2.1.4", "load", SIGNATURE),
        ("mnist_cnn_module", "2.4.4", "v2", "2.3.4", "load", SIGNATURE),
        ("half_plus_two_module", "2.11.1", "v2", "2.4.4", "load", SAVE),
    ],
)
def test_where_an_unstripped_module_fails(
    *,
    name: str,
    producer: str,
    loader: str,
    consumer: str,
    stage: str,
    carrier: tuple[str, str],
    savedmodel_export: Export,
    savedmodel_run: Run,
) -> None:
    """Up to 2.4 it fails where its first attr that is not known comes to be looked at; stripped, it passes there."""
    where = {"on": consumer, "provider": "venv", "loader": loader, "signature": "serving_default"}
    unstripped = savedmodel_export(name, producer=producer, strip=False)
    [result] = savedmodel_run(unstripped, **where)
    assert (result.outcome.value, result.cause) == ("fail", "attr-unknown"), result.message
    assert (result.detail.op, result.detail.attr) == carrier
    assert result.stage is not None
    assert result.stage.value == stage

    stripped = savedmodel_export(name, producer=producer, strip=True)
    assert all_pass(savedmodel_run(stripped, **where), reference="export")


def test_v1_python_rescues_a_module_whose_functions_are_known(
    savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """Where only the graph has an attr that is not known, the v1 loader loads what C does not, as it does a builder's."""
    model = savedmodel_export("half_plus_two_module", producer="2.4.4", strip=False)
    results = savedmodel_run(model, on="2.1.4", provider="venv", loader="v1")
    assert all_pass(results, reference="export")


@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
@pytest.mark.parametrize("name", ["half_plus_two_module", "mnist_cnn_module"])
def test_both_modules_pass_where_unknown_attrs_are_ignored(
    name: str, strip: bool, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """From 2.5 on both legs load and answer alike, also where the attr stands in a function."""
    model = savedmodel_export(name, producer="2.11.1", strip=strip)
    assert all_pass(savedmodel_run(model, on=IGNORING), reference="export")


@pytest.mark.parametrize("strip", [False, True], ids=["unstripped", "stripped"])
def test_both_modules_fail_on_what_stripping_does_not_take_out(
    strip: bool, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """A module of 2.21 fails before 2.10 in either leg, for a `debug_name` of its own and an op that is new."""
    model = savedmodel_export("mnist_cnn_module", producer="2.21.0", strip=strip)
    results = savedmodel_run(model, on="2.3.4,2.4.4,2.5.3,2.8.4")
    assert [(r.cause, r.detail.op) for r in results] == [
        ("attr-unknown", "VarHandleOp"),
        ("attr-unknown", "VarHandleOp"),
        ("op-not-registered", "DisableCopyOnRead"),
        ("op-not-registered", "DisableCopyOnRead"),
    ]


def test_a_leg_that_was_made_says_so(savedmodel_export: Export, savedmodel_run: Run) -> None:
    """Its cells carry a note, and are those of an unstripped model of that producer."""
    model = savedmodel_export("half_plus_two_module", producer="2.11.1", strip=False)
    [result] = savedmodel_run(model, on="2.11.1")
    assert result.cell.strip is False
    assert result.cell.producer == "2.11.1"
    [note] = result.notes
    assert note.startswith("the defaults were put back into the stripped export, for: ")
    assert "always strips" in note


@pytest.mark.parametrize("name", ["half_plus_two", "mnist_cnn"])
def test_the_leg_of_a_release_that_cannot_strip(
    name: str, savedmodel_export: Export, savedmodel_run: Run
) -> None:
    """The builder of 1.4 has no such argument: its stripped leg is made of the other one, and answers everywhere."""
    model = savedmodel_export(name, producer="1.4.1", strip=True)
    assert model.meta_graph is not None
    assert model.meta_graph.stripped_default_attrs
    results = savedmodel_run(model, on="1.4.1,1.13.2,2.4.4,2.21.0")
    assert all_pass(results, reference="export")
    assert all("default-valued attrs were taken out" in result.notes[0] for result in results)


def test_the_flag_says_what_was_done(savedmodel_export: Export) -> None:
    """`stripped_default_attrs` of the MetaGraph tells the two exports apart, and the attr is gone from one."""
    stripped = savedmodel_export("mnist_cnn", producer="2.11.1", strip=True)
    unstripped = savedmodel_export("mnist_cnn", producer="2.11.1", strip=False)
    for model, flag in ((stripped, True), (unstripped, False)):
        assert model.meta_graph is not None
        assert model.meta_graph.stripped_default_attrs is flag
        nodes = [n for n in model.meta_graph.proto.graph_def.node if n.op == "Conv2D"]
        assert nodes
        assert all(("explicit_paddings" in node.attr) is not flag for node in nodes)


def all_pass(results: Sequence[Result], *, reference: str) -> bool:
    """Tell whether there are results, and all of them were compared with ``reference`` and agreed."""
    for result in results:
        assert result.outcome.value == "pass", (result.cell.id, result.causes, result.message)
        assert result.reference == reference
    return bool(results)
