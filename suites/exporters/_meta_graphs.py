"""How the exporters of this folder save several MetaGraphs, assets, main ops and state with the v1 builder.

What they record is what their own release answers when it loads what it has saved: assets and variables are read from
there, main ops have run, and every signature starts from the state that was saved.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
import tensorflow as tf

from _saving import Arrays, make_room, stripping_arguments, v1

Recordings = Dict[Any, List[Dict[str, Arrays]]]
SERVE = ("serve",)


class Signature(NamedTuple):
    """One signature, and what it is fed to be recorded.

    Args:
        definition: a ``SignatureDef``.
        feeds: for each call, one after the other, an array for each input.
    """

    definition: Any
    feeds: Sequence[Arrays]


class MetaGraph(NamedTuple):
    """One MetaGraph that is to be saved.

    Args:
        graph: its assets are in the collection ``ASSET_FILEPATHS``.
        signatures: by key.
        tags: its tag set.
        main_op: runs when the model has been loaded.
        legacy_init_op: the same, by the older name.
        clear_devices: whether the devices of the nodes are left out.
        saver: saves and restores the variables; without one the builder makes its own.
    """

    graph: tf.Graph
    signatures: Dict[str, Signature]
    tags: Tuple[str, ...] = SERVE
    main_op: Any = None
    legacy_init_op: Any = None
    clear_devices: bool = False
    saver: Any = None


def predict(
    inputs: Dict[str, tf.Tensor], outputs: Dict[str, tf.Tensor], *feeds: Arrays
) -> Signature:
    """Return a predict signature.

    Args:
        inputs: the input tensors by alias.
        outputs: the output tensors by alias.
        feeds: for each call that is recorded, an array for each input.
    """
    definition = v1.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)
    return Signature(definition, feeds)


def save_meta_graphs(
    meta_graphs: Sequence[MetaGraph],
    directory: str,
    *,
    strip_default_attrs: bool,
    as_text: bool = False,
) -> Recordings:
    """Save MetaGraphs that share the variables of the first one, and record each signature of each.

    Args:
        meta_graphs: the variables of the first are initialised and saved.
        directory: where the SavedModel goes; absent or empty.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        as_text: whether ``saved_model.pbtxt`` is written, not ``saved_model.pb``.

    Returns:
        The calls by signature key; of several MetaGraphs by tag set and key.

    Raises:
        NotImplementedError: the builder of this release cannot strip.
    """
    stripping = stripping_arguments(strip_default_attrs)
    make_room(directory)
    builder = v1.saved_model.builder.SavedModelBuilder(directory)
    first = meta_graphs[0]
    # Nodes may be pinned to devices that this machine does not have.
    config = v1.ConfigProto(allow_soft_placement=True)
    with first.graph.as_default(), v1.Session(graph=first.graph, config=config) as session:
        session.run(v1.global_variables_initializer())
        builder.add_meta_graph_and_variables(
            session, list(first.tags), **_arguments(first), **stripping
        )
    for each in meta_graphs[1:]:
        with each.graph.as_default():
            builder.add_meta_graph(list(each.tags), **_arguments(each), **stripping)
    builder.save(as_text=as_text)
    several = len(meta_graphs) > 1
    return {
        (each.tags, key) if several else key: record_saved(
            directory, key, signature.feeds, each.tags
        )
        for each in meta_graphs
        for key, signature in each.signatures.items()
    }


def record_saved(
    directory: str, key: str, feeds: Sequence[Arrays], tags: Tuple[str, ...] = SERVE
) -> List[Dict[str, Arrays]]:
    """Load a SavedModel and return what a signature is fed and answers, call after call.

    Args:
        directory: where it lies.
        key: of the signature.
        feeds: for each call an array for each input.
        tags: of the MetaGraph.
    """
    config = v1.ConfigProto(allow_soft_placement=True)
    with v1.Session(graph=tf.Graph(), config=config) as session:
        loaded = v1.saved_model.loader.load(session, list(tags), directory)
        definition = loaded.signature_def[key]
        outputs = {alias: info.name for alias, info in definition.outputs.items()}
        calls = []
        for feed in feeds:
            fed = {definition.inputs[alias].name: array for alias, array in feed.items()}
            calls.append({"inputs": feed, "outputs": session.run(outputs, fed)})
        return calls


def asset(path: str, text: bytes, name: str) -> tf.Tensor:
    """Write a file and return a string tensor of the current graph that holds its path, as an asset of the graph.

    Args:
        path: where the file is written.
        text: what is written.
        name: of the tensor.
    """
    with open(path, "wb") as file:
        file.write(text)
    filename = tf.constant(path, tf.string, name=name)
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, filename)
    return filename


def local_variable(name: str, value: Any) -> tf.Variable:
    """Return a reference variable of the current graph that no checkpoint holds: a main op has to assign it.

    Args:
        name: of the variable.
        value: what it would start as, were it initialised.
    """
    collections = [v1.GraphKeys.LOCAL_VARIABLES]
    return v1.get_variable(name, initializer=value, collections=collections, use_resource=False)


def drawn(seed: int, *shape: int) -> np.ndarray:
    """Draw numbers between -1 and 1, float32."""
    return np.random.RandomState(seed).uniform(-1, 1, size=shape).astype(np.float32)


def _arguments(meta_graph: MetaGraph) -> Dict[str, Any]:
    """Return what the builder is told of a MetaGraph; releases up to 1.9 do not know all of it."""
    said = {
        "signature_def_map": {key: each.definition for key, each in meta_graph.signatures.items()},
        "assets_collection": v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
        "clear_devices": meta_graph.clear_devices,
        "main_op": meta_graph.main_op,
        "legacy_init_op": meta_graph.legacy_init_op,
        "saver": meta_graph.saver,
    }
    return {name: value for name, value in said.items() if value}
