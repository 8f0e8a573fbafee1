"""Exporters for tests: models whose answers or places tell on which device, and how, they were computed.

They run inside producers. Every signature takes ``x``, float32 of shape ``[n]``.
"""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1

_PINNED = 3


def free(directory, *, strip_default_attrs, seed):
    """Nodes that may run anywhere, and a variable."""
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        w = v1.get_variable("w", initializer=np.float32(2.0), use_resource=True)
        y = v1.math.sqrt(v1.math.square(x) * w, name="y")
        return _save(directory, x, {"y": y})


def pinned(directory, *, strip_default_attrs, seed):
    """Three nodes that are pinned to the second CPU, after one that is pinned to the first."""
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        with v1.device("/device:CPU:0"):
            y = v1.math.square(x, name="first")
        with v1.device("/device:CPU:1"):
            for _ in range(_PINNED):
                y = v1.math.sqrt(v1.math.abs(y) if _ == 0 else y)
        return _save(directory, x, {"y": y})


def words(directory, *, strip_default_attrs, seed):
    """Nothing that XLA could compile: text of numbers, and numbers of text."""
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        y = v1.strings.to_number(v1.as_string(x), name="y")
        return _save(directory, x, {"y": y})


def sums(directory, *, strip_default_attrs, seed):
    """Sums of so many numbers that their order, and so the number of threads, shows in the last bits."""
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        many = v1.math.sin(v1.range(1 << 20, dtype=tf.float32) * v1.reduce_sum(x))
        wide = v1.reshape(many, [4, 1 << 18])
        outputs = {
            "sum": v1.reduce_sum(many, name="sum"),
            "product": v1.matmul(wide, wide, transpose_b=True, name="product"),
        }
        return _save(directory, x, outputs)


def _save(directory, x, outputs):
    signature = v1.saved_model.predict_signature_def({"x": x}, outputs)
    config = v1.ConfigProto(device_count={"CPU": 2})
    with v1.Session(config=config) as session:
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(directory)
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, strip_default_attrs=True
        )
        builder.save()
        fed = np.array([0.5, 0.25], np.float32)
        return {
            "serving_default": {"inputs": {"x": fed}, "outputs": session.run(outputs, {x: fed})}
        }
