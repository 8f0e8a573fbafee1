"""A counter: it answers with more from call to call, and starts from what was saved."""

import numpy as np
import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, predict, save_meta_graphs
from _saving import v1

_CALLS = 3


def export_reference(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: the count is a reference variable.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the count that is saved and of what is added to it.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, use_resource=False)


def export_resource(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export the same with a resource variable.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the count that is saved and of what is added to it.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, use_resource=True)


def _export(
    directory: str, strip_default_attrs: bool, seed: int, *, use_resource: bool
) -> Recordings:
    random = np.random.RandomState(seed)
    graph = tf.Graph()
    with graph.as_default():
        saved = np.int64(random.randint(100))
        count = v1.get_variable("count", initializer=saved, use_resource=use_resource)
        step = v1.placeholder(tf.int64, [], name="step")
        counted = v1.assign_add(count, step)
        feeds = [{"step": np.int64(random.randint(1, 10))} for _ in range(_CALLS)]
        counting = predict({"step": step}, {"count": tf.identity(counted, name="counted")}, *feeds)
        # An input that changes nothing: TensorFlow Serving takes no signature without one.
        now = v1.multiply(count, tf.ones_like(step), name="now")
        looking = predict({"step": step}, {"count": now}, *feeds)
    meta_graph = MetaGraph(graph, {"serving_default": counting, "look": looking})
    return save_meta_graphs([meta_graph], directory, strip_default_attrs=strip_default_attrs)
