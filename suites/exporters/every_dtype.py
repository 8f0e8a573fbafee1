"""Signatures that give back what they are fed: one for each element type that the release has, one sparse, one ragged.

What comes back is what was fed, bit for bit, so whatever differs has been lost on the way: in a store, on a wire, in a loader.
"""

from typing import Dict

import numpy as np
import tensorflow as tf

from _saving import GraphSignature, Recording, save_graph, v1

# Fed in this order, repeated: what a conversion to another type, or to text, is likely to lose.
_FLOATS = (0.0, -0.0, 1.0, -1.5, 0.1, float("inf"), float("-inf"), float("nan"), 2.0**-6)
_STRINGS = (b"", b"text", b"zeros at the end\0\0", b"\0", b"\xff\xfe no text", b"long " * 60)
_SHAPE = (2, 6)
_RELEASE = tuple(int(part) for part in tf.__version__.split(".")[:2])
_NAMES = [
    "float16",
    "float32",
    "float64",
    "bfloat16",
    "complex64",
    "complex128",
    "bool",
    "string",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "qint8",
    "qint16",
    "qint32",
    "quint8",
    "quint16",
    "float8_e5m2",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e4m3b11fnuz",
    "float8_e5m2fnuz",
    "int4",
    "uint4",
    "int2",
    "uint2",
    "float4_e2m1fn",
]


def export_builder(
    directory: str,
    *,
    strip_default_attrs: bool,
    seed: int,  # noqa: ARG001 - an exporter's
) -> Recording:
    """Export with ``SavedModelBuilder``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of nothing: the values are always the same.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    graph = tf.Graph()
    signatures = {}
    with graph.as_default():
        for name, dtype in _dtypes().items():
            fed = v1.placeholder(dtype, None, name=name)
            back = tf.identity(fed, name=name + "_back")
            signatures[name] = GraphSignature(
                method, {"x": fed}, {"y": back}, {"x": _values(name, dtype)}
            )
        if _RELEASE >= (1, 13):
            # Earlier builders want a name of every tensor, and a sparse one has three.
            signatures["sparse"] = _sparse(method)
        if _has_composites():
            signatures["ragged"] = _ragged(method)
    return save_graph(graph, signatures, directory, strip_default_attrs=strip_default_attrs)


def _sparse(method: str) -> GraphSignature:
    fed = v1.sparse_placeholder(tf.float32, [None, 5], name="sparse")
    back = tf.SparseTensor(
        tf.identity(fed.indices), tf.identity(fed.values), tf.identity(fed.dense_shape)
    )
    feed = {
        "x/indices": np.array([[0, 1], [2, 4]], np.int64),
        "x/values": np.array([float("nan"), -0.0], np.float32),
        "x/dense_shape": np.array([3, 5], np.int64),
    }
    return GraphSignature(method, {"x": fed}, {"y": back}, feed)


def _has_composites() -> bool:
    """Tell whether a signature of this release can have ragged tensors (TensorInfo.CompositeTensor)."""
    return hasattr(tf, "RaggedTensor") and hasattr(v1.TensorInfo, "CompositeTensor")


def _ragged(method: str) -> GraphSignature:
    values = v1.placeholder(tf.string, [None], name="ragged_values")
    splits = v1.placeholder(tf.int64, [None], name="ragged_splits")
    fed = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
    back = tf.RaggedTensor.from_row_splits(tf.identity(values), tf.identity(splits), validate=False)
    feed = {"x/0": np.array(_STRINGS, dtype=object), "x/1": np.array([0, 0, 4, 6], np.int64)}
    return GraphSignature(method, {"x": fed}, {"y": back}, feed)


def _dtypes() -> Dict[str, tf.DType]:
    """Return the element types of this release that a graph can be fed with."""
    found = {}
    for name in _NAMES:
        try:
            dtype = tf.as_dtype(name)
            kind = np.dtype(dtype.as_numpy_dtype)
        except TypeError:
            continue
        # 1.4 holds bfloat16 as another type, and does not take it back.
        if (name, kind) != ("bfloat16", np.dtype(np.uint16)):
            found[name] = dtype
    return found


def _values(name: str, dtype: tf.DType) -> np.ndarray:
    if name == "string":
        return _repeated(np.array(_STRINGS, dtype=object))
    kind = np.dtype(dtype.as_numpy_dtype)
    if name == "bool":
        return _repeated(np.array([True, False, False], dtype=bool))
    if "float" in name or name.startswith("complex"):
        return _repeated(_floats(kind))
    if name.startswith("q"):
        # A quantised type is a structure of one field to numpy.
        return _repeated(_integers(kind[0])).view(kind)
    return _repeated(_small_integers(name).astype(kind) if kind.kind == "V" else _integers(kind))


def _floats(kind: np.dtype) -> np.ndarray:
    if kind.kind == "c":
        return np.array(_FLOATS, dtype=kind) * kind.type(1 - 2j)
    # A conversion of NaN warns where the type has none.
    with np.errstate(all="ignore"):
        return np.array(_FLOATS, dtype=np.float32).astype(kind)


def _integers(kind: np.dtype) -> np.ndarray:
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    return np.array([0, 1, least, most, least + 1, most - 1, 3], dtype=kind)


def _small_integers(name: str) -> np.ndarray:
    """Return all values of a type of a few bits, as ordinary integers."""
    bits = int(name[-1])
    least = 0 if name.startswith("u") else -(2 ** (bits - 1))
    return np.arange(least, least + 2**bits, dtype=np.int8)


def _repeated(values: np.ndarray) -> np.ndarray:
    """Return values in the shape that all are fed in, taken in turn."""
    picked = np.arange(int(np.prod(_SHAPE))) % len(values)
    return values[picked].reshape(_SHAPE)
