"""Shapes at the edges: scalars, an unknown rank, dimensions of size zero and of size one."""

from typing import List, Optional

import numpy as np
import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, Signature, drawn, predict, save_meta_graphs
from _old_ops import add
from _saving import v1, variable


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: a signature for each kind of shape.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default():
        scale = variable("scale", drawn(seed + 1))
        nothing = variable("nothing", np.zeros((0, 4), np.float32))
        signatures = {
            "scalar": _scaled(scale, "scalar", [], drawn(seed)),
            "serving_default": _scaled(
                scale, "any", None, drawn(seed), drawn(seed, 0), drawn(seed, 2, 1, 3)
            ),
            "unknown_sizes": _scaled(
                scale,
                "sizes",
                [None, None],
                drawn(seed, 0, 3),
                drawn(seed, 2, 0),
                drawn(seed, 1, 1),
            ),
            "size_zero": _scaled(scale, "zero", [2, 0, 3], drawn(seed, 2, 0, 3)),
            "size_one": _scaled(scale, "one", [1, None, 1], drawn(seed, 1, 2, 1)),
            "eight_dimensions": _scaled(
                scale, "eight", [None] * 8, drawn(seed, 1, 2, 1, 1, 1, 1, 1, 2)
            ),
            "sum_of_nothing": _sums(nothing, seed),
        }
    return save_meta_graphs(
        [MetaGraph(graph, signatures)], directory, strip_default_attrs=strip_default_attrs
    )


def _scaled(
    scale: tf.Tensor, name: str, shape: Optional[List[Optional[int]]], *fed: np.ndarray
) -> Signature:
    """Return a signature that multiplies what it is fed, and says of what shape it was."""
    x = v1.placeholder(tf.float32, shape, name=name)
    y = v1.multiply(x, scale, name=name + "_scaled")
    return predict({"x": x}, {"y": y, "shape": tf.shape(y)}, *({"x": each} for each in fed))


def _sums(nothing: tf.Tensor, seed: int) -> Signature:
    """Return a signature that sums along a dimension that may have no elements, and reads a variable that has none."""
    x = v1.placeholder(tf.float32, [None, 2], name="summed")
    outputs = {
        "sum": add(v1.reduce_sum(x, axis=0), tf.zeros([2]), name="sum"),
        "nothing": tf.identity(nothing, name="nothing_read"),
        "first": tf.identity(x[:1], name="first"),
    }
    return predict({"x": x}, outputs, {"x": drawn(seed, 0, 2)}, {"x": drawn(seed, 3, 2)})
