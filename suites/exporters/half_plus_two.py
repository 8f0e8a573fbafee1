"""y = x * 0.5 + 2, the model that TensorFlow Serving's own examples serve.

It holds no op or attr that came after TensorFlow 1.7 but those that TensorFlow adds by itself.
"""

from typing import Dict, List

import numpy as np
import tensorflow as tf

from _saving import (
    GraphSignature,
    ModuleSignature,
    Recording,
    require_module,
    save_graph,
    save_module,
    v1,
    variable,
)

_EXAMPLES = 4


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder``: a predict, a classify and a regress signature.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the recorded inputs; the model is always the same.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    numbers = _numbers(seed)
    examples = np.array(_serialized(numbers), dtype=object)
    graph = tf.Graph()
    with graph.as_default():
        a = variable("a", np.float32(0.5))
        b = variable("b", np.float32(2.0))
        x = v1.placeholder(tf.float32, [None, 1], name="x")
        y = _add(v1.multiply(x, a), b, name="y")
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = _add(v1.multiply(_parse(serialized), a), b, name="y_of_example")
    methods = v1.saved_model.signature_constants
    signatures = {
        "serving_default": GraphSignature(
            methods.PREDICT_METHOD_NAME, {"x": x}, {"y": y}, {"x": numbers}
        ),
        "classify_x_to_y": GraphSignature(
            methods.CLASSIFY_METHOD_NAME,
            {"inputs": serialized},
            {"scores": parsed},
            {"inputs": examples},
        ),
        "regress_x_to_y": GraphSignature(
            methods.REGRESS_METHOD_NAME,
            {"inputs": serialized},
            {"outputs": parsed},
            {"inputs": examples},
        ),
    }
    return save_graph(graph, signatures, directory, strip_default_attrs=strip_default_attrs)


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a ``tf.Module`` with ``tf.saved_model.save``: a predict signature.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded inputs; the model is always the same.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.a = tf.Variable(0.5, name="a")
    module.b = tf.Variable(2.0, name="b")

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="x")])
    def serve(x: tf.Tensor) -> Dict[str, tf.Tensor]:
        return {"y": x * module.a + module.b}

    signatures = {"serving_default": ModuleSignature(serve, {"x": _numbers(seed)})}
    return save_module(module, signatures, directory)


def _numbers(seed: int) -> np.ndarray:
    drawn = np.random.RandomState(seed).uniform(-8, 8, size=(_EXAMPLES, 1))
    return drawn.astype(np.float32)


def _serialized(numbers: np.ndarray) -> List[bytes]:
    """Return a serialized ``tf.train.Example`` with the feature ``x`` for each number."""
    values = [v1.train.Feature(float_list=v1.train.FloatList(value=row)) for row in numbers]
    features = [v1.train.Features(feature={"x": value}) for value in values]
    return [v1.train.Example(features=each).SerializeToString() for each in features]


def _add(left: tf.Tensor, right: tf.Tensor, name: str) -> tf.Tensor:
    # tf.add writes AddV2 from 2.0 on, and releases up to 1.13 do not know that op.
    if hasattr(tf, "raw_ops"):
        return tf.raw_ops.Add(x=left, y=right, name=name)
    return tf.add(left, right, name=name)


def _parse(serialized: tf.Tensor) -> tf.Tensor:
    # tf.parse_example writes ParseExampleV2 from 2.1 on, and earlier releases do not know that op.
    if not hasattr(tf, "raw_ops"):
        return tf.parse_example(serialized, {"x": tf.FixedLenFeature([1], tf.float32)})["x"]
    parsed = tf.raw_ops.ParseExample(
        serialized=serialized,
        names=tf.constant([], tf.string),
        sparse_keys=[],
        dense_keys=["x"],
        dense_defaults=[tf.constant([], tf.float32)],
        sparse_types=[],
        dense_shapes=[[1]],
    )
    return parsed.dense_values[0]
