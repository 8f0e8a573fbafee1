"""How the exporters of this folder parse `tf.Example`s with an op that every consumer knows.

``tf.parse_example`` writes ParseExampleV2 from 2.1 on, which no earlier release has. It runs inside
producers: CPython 3.6 syntax, and nothing imported but the standard library, numpy and TensorFlow.
"""

from typing import Any, Dict, NamedTuple, Optional, Sequence

import tensorflow as tf


class Dense(NamedTuple):
    """A feature whose every example has as many values.

    Args:
        dtype: ``tf.float32``, ``tf.int64`` or ``tf.string``.
        shape: of one example.
        default: of an example that lacks it; without one, such an example is refused.
    """

    dtype: tf.DType
    shape: Sequence[int]
    default: Optional[Sequence[Any]] = None


def parse(
    serialized: tf.Tensor, dense: Dict[str, Dense], sparse: Optional[Dict[str, tf.DType]] = None
) -> Dict[str, Any]:
    """Return what ParseExample makes of serialized examples: tensors, and sparse ones of features of any length.

    Args:
        serialized: strings ``[examples]``.
        dense: features of one shape, by name.
        sparse: types of features of any length, by name.
    """
    sparse = sparse or {}
    if not hasattr(tf, "raw_ops"):
        features = {
            name: tf.FixedLenFeature(each.shape, each.dtype, each.default)
            for name, each in dense.items()
        }
        features.update({name: tf.VarLenFeature(dtype) for name, dtype in sparse.items()})
        return tf.parse_example(serialized, features)
    names, others = sorted(dense), sorted(sparse)
    parsed = tf.raw_ops.ParseExample(
        serialized=serialized,
        names=tf.constant([], tf.string),
        sparse_keys=others,
        dense_keys=names,
        dense_defaults=[_default(dense[name]) for name in names],
        sparse_types=[sparse[name] for name in others],
        dense_shapes=[dense[name].shape for name in names],
    )
    found = dict(zip(names, parsed.dense_values))
    for at, name in enumerate(others):
        parts = parsed.sparse_indices[at], parsed.sparse_values[at], parsed.sparse_shapes[at]
        found[name] = tf.SparseTensor(*parts)
    return found


def _default(feature: Dense) -> tf.Tensor:
    if feature.default is None:
        return tf.constant([], feature.dtype)
    return tf.constant(feature.default, feature.dtype, feature.shape)
