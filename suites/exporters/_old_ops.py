"""Ops as releases from 1.4 on know them, where TensorFlow's own functions have come to write newer ones."""

from typing import Optional

import numpy as np
import tensorflow as tf

from _saving import v1


def add(left: tf.Tensor, right: tf.Tensor, name: Optional[str] = None) -> tf.Tensor:
    """Return a sum: ``tf.add`` writes AddV2 from 2.0 on, which releases up to 1.12 do not know."""
    if hasattr(tf, "raw_ops"):
        return tf.raw_ops.Add(x=left, y=right, name=name)
    return tf.add(left, right, name=name)


def parsed(serialized: tf.Tensor, feature: str, size: int) -> tf.Tensor:
    """Return a feature, float32 ``[n, size]``, of serialized ``tf.train.Example``: ``tf.parse_example`` writes ParseExampleV2 from 2.1 on.

    Args:
        serialized: string ``[n]``.
        feature: its name.
        size: how many numbers it has.
    """
    if not hasattr(tf, "raw_ops"):
        return tf.parse_example(serialized, {feature: tf.FixedLenFeature([size], tf.float32)})[
            feature
        ]
    found = tf.raw_ops.ParseExample(
        serialized=serialized,
        names=tf.constant([], tf.string),
        sparse_keys=[],
        dense_keys=[feature],
        dense_defaults=[tf.constant([], tf.float32)],
        sparse_types=[],
        dense_shapes=[[size]],
    )
    return found.dense_values[0]


def serialized(feature: str, rows: np.ndarray) -> np.ndarray:
    """Return serialized ``tf.train.Example``, one for each row, with the row as a feature.

    Args:
        feature: its name.
        rows: float32 ``[n, size]``.
    """
    values = [v1.train.Feature(float_list=v1.train.FloatList(value=row)) for row in rows]
    features = [v1.train.Features(feature={feature: value}) for value in values]
    examples = [v1.train.Example(features=each).SerializeToString() for each in features]
    return np.array(examples, dtype=object)
