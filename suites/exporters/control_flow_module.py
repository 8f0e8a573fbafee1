"""Control flow of TensorFlow 2 in a ``tf.Module``: branches, loops, maps and arrays of tensors, written out and by AutoGraph.

Each is a signature of its own, which is recorded once for either branch, or for one turn and for several.
"""

from typing import Any, Dict, List

import numpy as np
import tensorflow as tf

from _saving import require_module

_LENGTH = 3


def export_module(
    directory: str, *, strip_default_attrs: bool, seed: int
) -> Dict[str, List[Dict[str, Any]]]:
    """Export with ``tf.saved_model.save``: a signature for each kind of control flow.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded vectors.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.weights = tf.Variable(np.arange(1, 1 + _LENGTH, dtype=np.float32), name="weights")
    signature = [
        tf.TensorSpec([_LENGTH], tf.float32, name="x"),
        tf.TensorSpec([], tf.int32, name="turns"),
    ]
    functions = {"cond": _cond, "while_loop": _while_loop, "map_fn": _map_fn, "autograph": _branch}
    traced = {
        key: tf.function(_with(function, module), input_signature=signature)
        for key, function in dict(functions, tensor_array=_tensor_array).items()
    }
    tf.saved_model.save(module, directory, signatures=traced)
    x = np.random.RandomState(seed).uniform(1, 2, size=_LENGTH).astype(np.float32)
    return {key: [_call(each, x, 1), _call(each, -x, 4)] for key, each in traced.items()}


def _with(function: Any, module: Any) -> Any:
    def called(x, turns):
        return {"y": function(x, turns, module.weights)}

    return called


def _call(function: Any, x: np.ndarray, turns: int) -> Dict[str, Any]:
    inputs = {"x": x, "turns": np.int32(turns)}
    outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return {"inputs": inputs, "outputs": {"y": outputs["y"].numpy()}}


def _cond(x, turns, weights):
    positive = tf.reduce_sum(x) > 0
    return tf.cond(positive, lambda: x * weights, lambda: x - tf.cast(turns, tf.float32))


def _while_loop(x, turns, weights):
    def turned(turn, value):
        return turn + 1, value * 0.5 + weights

    return tf.while_loop(lambda turn, _: turn < turns, turned, [tf.constant(0), x])[1]


def _map_fn(x, turns, weights):
    scale = tf.cast(turns, tf.float32)
    return tf.map_fn(lambda each: each[0] * each[1] + scale, (x, weights), dtype=tf.float32)


def _tensor_array(x, turns, weights):
    array = tf.TensorArray(tf.float32, size=turns, element_shape=[_LENGTH])

    def written(turn, array):
        return turn + 1, array.write(turn, x * weights * tf.cast(turn, tf.float32))

    _, array = tf.while_loop(lambda turn, _: turn < turns, written, [tf.constant(0), array])
    return array.stack()


def _branch(x, turns, weights):
    # AutoGraph makes a loop and a branch of TensorFlow of these of Python.
    value = x
    for turn in tf.range(turns):
        if tf.reduce_sum(value) > tf.cast(turn, tf.float32):
            value = value - weights
        else:
            value = value + 2 * weights
    return value
