"""The command `strip` against TensorFlow's own stripping: the same models, which load in the same releases.

The rule is that of ``strip_graph_default_valued_attrs`` (tensorflow/python/framework/meta_graph.py), as each producer runs it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tensorboard.compat.proto.config_pb2 import ConfigProto

from savedmodel_compat import cli
from savedmodel_compat import model as saved_models
from savedmodel_compat.model import schema

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model

Export = Callable[..., "Model"]
Run = Callable[..., "list[Result]"]

PRODUCERS = ("1.15.5", "2.4.4", "2.11.1", "2.21.0")
CONSUMERS = "1.13.2,1.15.5,2.3.4,2.4.4,2.6.5,2.11.1,2.21.0"
# These can strip or not, as they are asked to.
BUILDERS = ("half_plus_two", "mnist_cnn", "suites/exporters/functions.py::export_builder")
# These always strip.
MODULES = (
    "half_plus_two_module",
    "mnist_cnn_module",
    "suites/exporters/functions.py::export_module",
)
LIBRARY = "suites/exporters/op_library.py::export_builder"
FILE = "saved_model.pb"
# The name of a checkpoint that is being written is drawn anew in every export, up to 2.0.
DRAWN = re.compile(rb"_temp_[0-9a-f]{32}/part")
Node = tuple[str | None, str, str, tuple[str, ...], str, dict[str, bytes]]


@pytest.fixture
def strip(tmp_path: Path) -> Callable[..., Path]:
    """Run the command on a model, and return the folder that it wrote."""

    def run(model: Model | Path, *options: str) -> Path:
        source = model if isinstance(model, Path) else model.path
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        assert cli.run(["strip", str(source), str(folder), *options]) == 0
        return folder

    return run


Strip = Callable[..., Path]
in_every_producer = pytest.mark.parametrize("producer", PRODUCERS)


@in_every_producer
@pytest.mark.parametrize("name", BUILDERS)
def test_strip_gives_what_the_producer_gives(
    name: str, producer: str, savedmodel_export: Export, strip: Strip
) -> None:
    """Of an unstripped export it makes the stripped one: each node, in the graph and in functions, and the flag."""
    unstripped = savedmodel_export(name, producer=producer, strip=False)
    stripped = savedmodel_export(name, producer=producer, strip=True)

    made = strip(unstripped)

    assert nodes_of(made) == nodes_of(stripped.path)
    assert nodes_of(made) != nodes_of(unstripped.path)
    assert flags(made) == flags(stripped.path) == [True]
    if producer != "1.15.5":
        # From 2.1 on TensorFlow writes the file in one order, and nothing is drawn.
        assert (made / FILE).read_bytes() == (stripped.path / FILE).read_bytes()


@in_every_producer
@pytest.mark.parametrize("name", BUILDERS)
def test_put_back_gives_what_the_producer_gives(
    name: str, producer: str, savedmodel_export: Export, strip: Strip
) -> None:
    """And the other way round: of a stripped export it makes the unstripped one."""
    unstripped = savedmodel_export(name, producer=producer, strip=False)
    stripped = savedmodel_export(name, producer=producer, strip=True)

    made = strip(stripped, "--put-back")

    assert nodes_of(made) == nodes_of(unstripped.path)
    assert flags(made) == flags(unstripped.path) == [False]


@in_every_producer
def test_an_op_that_only_the_model_knows(
    producer: str, savedmodel_export: Export, strip: Strip
) -> None:
    """An op of a library is stripped, too: the exporting process had it, and the model's own list tells its defaults."""
    unstripped = savedmodel_export(LIBRARY, producer=producer, strip=False)
    stripped = savedmodel_export(LIBRARY, producer=producer, strip=True)

    made = strip(unstripped)

    assert nodes_of(made) == nodes_of(stripped.path)
    [before, after] = (attrs_of("AudioMicrofrontend", folder) for folder in (unstripped.path, made))
    assert "sample_rate" in before - after
    assert "num_channels" in after


@in_every_producer
@pytest.mark.parametrize("name", [*BUILDERS, *MODULES])
def test_strip_undoes_put_back(
    name: str, producer: str, savedmodel_export: Export, strip: Strip
) -> None:
    """What TensorFlow has stripped comes back byte for byte, with its fingerprint."""
    stripped = savedmodel_export(name, producer=producer, strip=True)

    made = strip(strip(stripped, "--put-back"))

    assert saved_models.digest(made) == saved_models.digest(stripped.path)


@in_every_producer
@pytest.mark.parametrize("name", BUILDERS)
def test_the_stripped_model_loads_where_the_real_one_loads(
    name: str, producer: str, savedmodel_export: Export, savedmodel_run: Run, strip: Strip
) -> None:
    """In every consumer it ends as the producer's own, with the numbers that the producer recorded."""
    unstripped = savedmodel_export(name, producer=producer, strip=False)
    stripped = savedmodel_export(name, producer=producer, strip=True)

    made = in_folder(stripped, strip(unstripped))

    results = savedmodel_run(made, on=CONSUMERS)
    assert ends(results) == ends(savedmodel_run(stripped, on=CONSUMERS))
    passed = [result for result in results if result.outcome.value == "pass"]
    assert len({result.cell.consumer for result in passed}) >= CONSUMERS.count(",")
    assert {result.reference for result in passed} == {"export"}


@pytest.mark.parametrize(
    ("name", "stage"), [("mnist_cnn", "load"), (BUILDERS[2], "run")], ids=["graph", "function"]
)
def test_strip_mends_a_model_without_the_producer(
    *,
    name: str,
    stage: str,
    savedmodel_export: Export,
    savedmodel_run: Run,
    strip: Strip,
) -> None:
    """What 2.3 refuses, where it loads the graph or where it runs a function, it runs once it is stripped."""
    model = savedmodel_export(name, producer="2.11.1", strip=False)

    before = savedmodel_run(model, on="2.3.4", signature="serving_default")
    after = savedmodel_run(in_folder(model, strip(model)), on="2.3.4", signature="serving_default")

    assert [(result.cause, result.stage and result.stage.value) for result in before] == [
        ("attr-unknown", stage)
    ]
    assert [result.outcome.value for result in after] == ["pass"]


def in_folder(model: Model, folder: Path) -> Model:
    """The model in a folder, with what the producer recorded of another."""
    [meta_graph] = saved_models.read(folder).meta_graphs
    return replace(
        model,
        name=f"{model.name} of {folder.name}",
        path=folder,
        sha256=saved_models.digest(folder),
        strip=meta_graph.stripped_default_attrs,
        meta_graph=meta_graph,
    )


def ends(results: Sequence[Result]) -> list[tuple[object, ...]]:
    """What became of each cell."""
    return [
        (r.cell.consumer, r.cell.signature, r.outcome, r.stage, r.causes, r.compared)
        for r in results
    ]


def flags(folder: Path) -> list[bool]:
    """What the MetaGraphs say of themselves."""
    return [graph.stripped_default_attrs for graph in saved_models.read(folder).meta_graphs]


def nodes_of(folder: Path) -> list[Node]:
    """Every node of a model: its function, name, op, inputs, device, and the bytes of its attrs."""
    return [
        (
            found.function,
            found.node.name,
            found.node.op,
            tuple(found.node.input),
            found.node.device,
            dict(_attrs(found.node)),
        )
        for graph in saved_models.read(folder).meta_graphs
        for found in saved_models.walk(graph.proto)
    ]


def attrs_of(op: str, folder: Path) -> set[str]:
    """The names of the attrs of the node of an op."""
    [names] = [set(node[-1]) for node in nodes_of(folder) if node[2] == op]
    return names


def _attrs(node: schema.NodeDef) -> Iterator[tuple[str, bytes]]:
    for name in sorted(node.attr):
        value = node.attr[name].SerializeToString(deterministic=True)
        if name == "config_proto":
            # 1.15 writes the map in it in an order that changes from process to process.
            config = ConfigProto.FromString(node.attr[name].s)
            value = config.SerializeToString(deterministic=True)
        yield name, DRAWN.sub(b"_temp_/part", value)
