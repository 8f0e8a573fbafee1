"""Control flow in a graph: a condition, a loop, a map and a ``TensorArray``, as v1 writes them and as v2 does."""

import contextlib
from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, drawn, predict, save_meta_graphs
from _old_ops import add
from _saving import v1, variable

_SIZE = 3


def export_v1(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: Switch, Merge, Enter, Exit and NextIteration in the graph itself.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export(directory, strip_default_attrs, seed, v2=False)


def export_v2(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export the same with If and While, whose branches and bodies are functions.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip, or has no such control flow.
    """
    if not hasattr(v1, "enable_control_flow_v2"):
        raise NotImplementedError(
            "control flow of the second kind came with TensorFlow 1.14; this is {}.".format(
                tf.__version__
            )
        )
    return _export(directory, strip_default_attrs, seed, v2=True)


def _export(directory: str, strip_default_attrs: bool, seed: int, *, v2: bool) -> Recordings:
    graph = tf.Graph()
    with graph.as_default(), _control_flow(v2=v2):
        weight = variable("weight", drawn(seed + 1, _SIZE))
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        steps = v1.placeholder(tf.int32, [], name="steps")
        outputs = _outputs(x, steps, tf.identity(weight))
        # Both branches are taken, and the loop goes round several times, and never.
        feeds = [
            {"x": drawn(seed, 2, _SIZE) + shift, "steps": np.array(steps, np.int32)}
            for shift, steps in ((np.float32(2), 3), (np.float32(-2), 0))
        ]
        signatures = {"serving_default": predict({"x": x, "steps": steps}, outputs, *feeds)}
    return save_meta_graphs(
        [MetaGraph(graph, signatures)], directory, strip_default_attrs=strip_default_attrs
    )


@contextlib.contextmanager
def _control_flow(*, v2: bool) -> Any:
    """Make control flow be written in one way, whatever this release does by itself."""
    if not hasattr(v1, "enable_control_flow_v2"):
        yield
        return
    before = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if v2 else v1.disable_control_flow_v2)()
    try:
        yield
    finally:
        (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()


def _outputs(x: tf.Tensor, steps: tf.Tensor, weight: tf.Tensor) -> Dict[str, tf.Tensor]:
    above = v1.reduce_mean(x) > 0
    chosen = v1.cond(above, lambda: v1.multiply(x, weight), lambda: v1.negative(x))
    _, looped = v1.while_loop(
        lambda step, _: v1.less(step, steps),
        lambda step, hidden: (add(step, 1), v1.tanh(add(hidden, weight))),
        [tf.constant(0), x],
    )
    mapped = v1.map_fn(lambda row: v1.reduce_sum(v1.multiply(row, weight)), x)
    return {
        "chosen": tf.identity(chosen, name="chosen"),
        "looped": tf.identity(looped, name="looped"),
        "mapped": tf.identity(mapped, name="mapped"),
        "gathered": tf.identity(_in_an_array(x, steps), name="gathered"),
    }


def _in_an_array(x: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """Write the sums of ``x`` times 1 to steps + 1 into an array, one by one."""
    array = tf.TensorArray(tf.float32, size=add(steps, 1), element_shape=[])
    total = v1.reduce_sum(x)

    def written(at: tf.Tensor, array: tf.TensorArray):
        return add(at, 1), array.write(at, v1.multiply(total, v1.cast(add(at, 1), tf.float32)))

    _, array = v1.while_loop(
        lambda at, _: v1.less_equal(at, steps), written, [tf.constant(0), array]
    )
    return array.stack()
