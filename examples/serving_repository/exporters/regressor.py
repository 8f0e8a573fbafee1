"""y = x · w, as a v1 graph; this file runs inside the TensorFlow that exports, not beside the tests."""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def export(directory: str, *, strip_default_attrs: bool, seed: int) -> dict:
    """Write a SavedModel, and return what its signature is fed and answers."""
    random = np.random.RandomState(seed)
    rows = random.rand(4, 3).astype(np.float32)
    weights = random.rand(3, 1).astype(np.float32)
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        w = v1.get_variable("w", initializer=weights)
        y = tf.matmul(x, w, name="y")
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session,
            [v1.saved_model.tag_constants.SERVING],
            {"serving_default": v1.saved_model.predict_signature_def({"x": x}, {"y": y})},
            strip_default_attrs=strip_default_attrs,
        )
        builder.save()
        answer = session.run(y, {x: rows})
    return {"serving_default": {"inputs": {"x": rows}, "outputs": {"y": answer}}}
