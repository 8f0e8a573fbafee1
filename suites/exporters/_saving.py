"""How the exporters of this folder save a graph or a module, and record what it computes.

It runs inside producers, TensorFlow 1.7 to 2.21: CPython 3.6 syntax, and nothing imported but the
standard library, numpy and TensorFlow.
"""

import inspect
from pathlib import Path
from typing import Any, Dict, NamedTuple

import numpy as np
import tensorflow as tf

Arrays = Dict[str, np.ndarray]
Recording = Dict[str, Dict[str, Arrays]]

v1 = getattr(tf.compat, "v1", None) or tf  # releases up to 1.12 keep this API in the top module


class GraphSignature(NamedTuple):
    """One signature of a graph, and what it is fed to be recorded.

    Args:
        method: how TensorFlow Serving calls it: ``tensorflow/serving/{predict,classify,regress}``.
        inputs: the input tensors by alias; a sparse or ragged one is several dense ones.
        outputs: the output tensors by alias.
        feed: an array for each dense input: ``alias``, ``alias/values``, or ``alias/0``.
    """

    method: str
    inputs: Dict[str, tf.Tensor]
    outputs: Dict[str, tf.Tensor]
    feed: Arrays


class ModuleSignature(NamedTuple):
    """One signature of a ``tf.Module``, and what it is fed to be recorded.

    Args:
        function: a ``tf.function`` with an input signature; it returns its outputs by alias.
        feed: an array for each input.
    """

    function: Any
    feed: Arrays


def variable(name: str, value: np.ndarray) -> tf.Variable:
    """Return a reference variable of the current graph that starts as ``value``.

    A resource variable would carry ``VarHandleOp.debug_name`` from 2.15 on, and no stripping
    removes that.
    """
    return v1.get_variable(name, initializer=value, use_resource=False)


def save_graph(
    graph: tf.Graph,
    signatures: Dict[str, GraphSignature],
    directory: str,
    *,
    strip_default_attrs: bool,
    clear_devices: bool = False,
) -> Recording:
    """Initialise a graph, save it with ``SavedModelBuilder`` and record each signature.

    Args:
        graph: holds the variables and the tensors of the signatures.
        signatures: by key.
        directory: where the SavedModel goes; absent or empty.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        clear_devices: whether the devices of the nodes are left out.

    Raises:
        NotImplementedError: the builder of this release cannot strip.
    """
    stripping = stripping_arguments(strip_default_attrs)
    make_room(directory)
    with graph.as_default(), v1.Session(graph=graph) as session:
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            signature_def_map={key: _signature_def(each) for key, each in signatures.items()},
            clear_devices=clear_devices,
            **stripping,
        )
        builder.save()
        return {key: _record_graph(session, each) for key, each in signatures.items()}


def require_module(strip_default_attrs: bool) -> None:
    """Say whether this release can export a ``tf.Module`` as it is asked to.

    Raises:
        NotImplementedError: it has no ``tf.Module``, or would strip what is to be kept.
    """
    if int(tf.__version__.split(".")[0]) < 2:
        raise NotImplementedError(
            f"saving a tf.Module needs TensorFlow 2.0 or later; this is {tf.__version__}."
        )
    if not strip_default_attrs:
        raise NotImplementedError(
            "tf.saved_model.save always strips default-valued attrs; it has no switch to keep them."
        )


def save_module(
    module: "tf.Module", signatures: Dict[str, ModuleSignature], directory: str
) -> Recording:
    """Save a ``tf.Module`` with ``tf.saved_model.save`` and record each signature.

    Args:
        module: holds the variables that the signatures use.
        signatures: by key.
        directory: where the SavedModel goes.
    """
    functions = {key: each.function for key, each in signatures.items()}
    tf.saved_model.save(module, directory, signatures=functions)
    return {key: _record_module(each) for key, each in signatures.items()}


def stripping_arguments(wanted: bool) -> Dict[str, bool]:
    """Return the arguments that ask this release's builder to strip, or not to.

    Args:
        wanted: whether attrs that equal their defaults are left out.

    Raises:
        NotImplementedError: the builder of this release cannot strip.
    """
    adding = v1.saved_model.builder.SavedModelBuilder.add_meta_graph_and_variables
    if "strip_default_attrs" in inspect.signature(adding).parameters:
        return {"strip_default_attrs": wanted}
    if wanted:
        raise NotImplementedError(
            f"the SavedModelBuilder of TensorFlow {tf.__version__} cannot strip default-valued "
            "attrs; 1.6 is the first that can."
        )
    return {}


def make_room(directory: str) -> None:
    """Remove an empty folder: the builder of 1.x refuses one that exists."""
    if Path(directory).is_dir():
        Path(directory).rmdir()


def _signature_def(signature: GraphSignature) -> object:
    describe = v1.saved_model.utils.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        inputs={alias: describe(tensor) for alias, tensor in signature.inputs.items()},
        outputs={alias: describe(tensor) for alias, tensor in signature.outputs.items()},
        method_name=signature.method,
    )


def _record_graph(session: v1.Session, signature: GraphSignature) -> Dict[str, Arrays]:
    inputs, outputs = _dense(signature.inputs), _dense(signature.outputs)
    fed = {inputs[alias]: array for alias, array in signature.feed.items()}
    return {"inputs": signature.feed, "outputs": session.run(outputs, fed)}


def _dense(tensors: Dict[str, Any]) -> Dict[str, tf.Tensor]:
    """Return the dense tensors that tensors are made of, named as a signature's parts are."""
    found = {}
    for alias, tensor in tensors.items():
        if isinstance(tensor, tf.SparseTensor):
            parts = ("values", "indices", "dense_shape")
            found.update({alias + "/" + part: getattr(tensor, part) for part in parts})
        elif hasattr(tf, "RaggedTensor") and isinstance(tensor, tf.RaggedTensor):
            parts = tf.nest.flatten(tensor, expand_composites=True)
            found.update({alias + "/" + str(at): part for at, part in enumerate(parts)})
        else:
            found[alias] = tensor
    return found


def _record_module(signature: ModuleSignature) -> Dict[str, Arrays]:
    fed = {alias: tf.constant(array) for alias, array in signature.feed.items()}
    computed = signature.function(**fed)
    outputs = {alias: tensor.numpy() for alias, tensor in computed.items()}
    return {"inputs": signature.feed, "outputs": outputs}
