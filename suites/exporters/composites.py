"""Signatures whose inputs or outputs are sparse or ragged tensors, of a graph and of a `tf.Module`.

A SignatureDef of a graph keeps them whole, in and out; no part of an output may be a part of an input, because the C++ session gives
back nothing that it was fed. One of a module has the dense tensors that a composite input is made of,
numbered in place of names (``x``, ``x_1``, ...); its outputs are whole, and that from 2.5 on only.
"""

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _saving import (
    Arrays,
    GraphSignature,
    Recording,
    require_module,
    save_graph,
    v1,
    variable,
)

_COLUMNS = 4
_RELEASE = tuple(int(part) for part in tf.__version__.split(".")[:2])


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder``: a sparse tensor scaled, and if the release can say so, a ragged one.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: the builder of this release takes no such tensors.
    """
    if _RELEASE < (1, 13):
        raise NotImplementedError(
            "up to TensorFlow 1.12 the builder wants a name of every tensor, and a sparse one has three; "
            "this is {}.".format(tf.__version__)
        )
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    graph = tf.Graph()
    with graph.as_default():
        scale = variable("scale", _scale(seed))
        signatures = {"serving_default": _sparse_signature(method, scale, seed)}
        if hasattr(v1.TensorInfo, "CompositeTensor"):
            signatures["ragged"] = _ragged_signature(method, scale, seed)
    return save_graph(graph, signatures, directory, strip_default_attrs=strip_default_attrs)


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a ``tf.Module`` with ``tf.saved_model.save``: composite inputs, and from 2.5 on composite outputs, too.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.scale = tf.Variable(_scale(seed), name="scale")
    sparse = tf.function(input_signature=[tf.SparseTensorSpec([None, _COLUMNS], tf.float32)])
    ragged = tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])

    def scaled(x: tf.SparseTensor) -> tf.SparseTensor:
        return tf.SparseTensor(x.indices, x.values * module.scale, x.dense_shape)

    entries, rows = _entries(seed), _rows(seed)
    sparse_in = tf.SparseTensor(entries["x/indices"], entries["x/values"], entries["x/dense_shape"])
    ragged_in = tf.RaggedTensor.from_row_splits(rows["x/0"], rows["x/1"])
    of_sparse = sparse_in, _numbered(entries, ("indices", "values", "dense_shape"))
    of_ragged = ragged_in, _numbered(rows, ("0", "1"))
    signatures = {
        "serving_default": (sparse(lambda x: {"y": tf.sparse.to_dense(scaled(x))}), *of_sparse),
        "ragged_sums": (
            ragged(lambda x: {"y": tf.reduce_sum(x, axis=1) * module.scale}),
            *of_ragged,
        ),
    }
    if _RELEASE >= (2, 5):
        # Before, the outputs of a signature are tensors and nothing else.
        signatures["sparse"] = (sparse(lambda x: {"y": scaled(x)}), *of_sparse)
        signatures["ragged"] = (
            ragged(lambda x: {"y": x.with_values(x.values * module.scale)}),
            *of_ragged,
        )
    functions = {key: function for key, (function, _, _) in signatures.items()}
    tf.saved_model.save(module, directory, signatures=functions)
    return {
        key: {"inputs": parts, "outputs": _evaluated(function(fed))}
        for key, (function, fed, parts) in signatures.items()
    }


def _sparse_signature(method: str, scale: tf.Variable, seed: int) -> GraphSignature:
    x = v1.sparse_placeholder(tf.float32, [None, _COLUMNS], name="sparse")
    scaled = tf.SparseTensor(
        tf.identity(x.indices), v1.multiply(x.values, scale), tf.identity(x.dense_shape)
    )
    sums = v1.sparse_reduce_sum(scaled, axis=1)
    return GraphSignature(method, {"x": x}, {"y": scaled, "sums": sums}, _entries(seed))


def _ragged_signature(method: str, scale: tf.Variable, seed: int) -> GraphSignature:
    values = v1.placeholder(tf.float32, [None], name="ragged_values")
    splits = v1.placeholder(tf.int64, [None], name="ragged_splits")
    x = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
    scaled = tf.RaggedTensor.from_row_splits(
        v1.multiply(values, scale), tf.identity(splits), validate=False
    )
    lengths = splits[1:] - splits[:-1]
    outputs = {"y": scaled, "lengths": lengths}
    return GraphSignature(method, {"x": x}, outputs, _rows(seed))


def _scale(seed: int) -> np.float32:
    return np.float32(np.random.RandomState(seed).uniform(1, 2))


def _entries(seed: int) -> Arrays:
    """Return a sparse tensor of three rows, of which the second is empty."""
    values = np.random.RandomState([seed, 1]).uniform(-1, 1, size=4)
    return {
        "x/indices": np.array([[0, 1], [0, 3], [2, 0], [2, 2]], np.int64),
        "x/values": values.astype(np.float32),
        "x/dense_shape": np.array([3, _COLUMNS], np.int64),
    }


def _rows(seed: int) -> Arrays:
    """Return a ragged tensor of three rows, of which the second is empty."""
    values = np.random.RandomState([seed, 2]).uniform(-1, 1, size=5)
    return {"x/0": values.astype(np.float32), "x/1": np.array([0, 2, 2, 5], np.int64)}


def _numbered(parts: Arrays, order: Any) -> Arrays:
    """Return the parts of ``x`` under the names that a signature of a module gives them."""
    return {"x_{}".format(at) if at else "x": parts["x/" + part] for at, part in enumerate(order)}


def _evaluated(outputs: Dict[str, Any]) -> Arrays:
    """Return dense arrays, named as the parts of a signature's outputs are."""
    found = {}
    for alias, tensor in outputs.items():
        if isinstance(tensor, tf.SparseTensor):
            for part in ("values", "indices", "dense_shape"):
                found[alias + "/" + part] = getattr(tensor, part).numpy()
        elif isinstance(tensor, tf.RaggedTensor):
            for at, part in enumerate(tf.nest.flatten(tensor, expand_composites=True)):
                found[alias + "/" + str(at)] = part.numpy()
        else:
            found[alias] = tensor.numpy()
    return found
