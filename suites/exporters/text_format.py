"""A SavedModel in text: ``saved_model.pbtxt``."""

import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, drawn, predict, save_meta_graphs
from _saving import v1, variable

_SIZE = 3


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder`` and ``save(as_text=True)``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default():
        matrix = variable("matrix", drawn(seed + 1, _SIZE, 2))
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        # Text has to keep a constant of any bytes, but for a quotation mark: 2.18 and 2.19 write it as it is (with the
        # protobuf of their locks), and then cannot read their own file.
        mark = tf.constant(b"\x00\xff\\\n'", tf.string, name="mark")
        outputs = {"y": v1.matmul(x, matrix, name="y"), "mark": tf.identity(mark)}
        signatures = {"serving_default": predict({"x": x}, outputs, {"x": drawn(seed, 2, _SIZE)})}
    return save_meta_graphs(
        [MetaGraph(graph, signatures)],
        directory,
        strip_default_attrs=strip_default_attrs,
        as_text=True,
    )
