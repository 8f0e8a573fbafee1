"""A network whose nodes are pinned to a GPU, with the devices cleared and with the devices kept."""

import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, drawn, predict, save_meta_graphs
from _saving import v1, variable

_SIZE = 3
_PINNED = "/device:GPU:0"


def export_cleared(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder`` and ``clear_devices``: the model loads on any machine.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, clear_devices=True)


def export_pinned(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export the same with its devices: a machine without a GPU refuses it, unless told to place softly.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, clear_devices=False)


def _export(
    directory: str, strip_default_attrs: bool, seed: int, *, clear_devices: bool
) -> Recordings:
    graph = tf.Graph()
    with graph.as_default(), tf.device(_PINNED):
        matrix = variable("matrix", drawn(seed + 1, _SIZE, 2))
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        y = v1.matmul(x, matrix, name="y")
    with graph.as_default():
        signatures = {"serving_default": predict({"x": x}, {"y": y}, {"x": drawn(seed, 2, _SIZE)})}
    meta_graph = MetaGraph(graph, signatures, clear_devices=clear_devices)
    return save_meta_graphs([meta_graph], directory, strip_default_attrs=strip_default_attrs)
