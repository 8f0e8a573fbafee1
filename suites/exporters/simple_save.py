"""``simple_save``: one predict signature of several inputs and outputs, in one call."""

import tensorflow as tf

from _meta_graphs import Recordings, drawn, record_saved
from _old_ops import add
from _saving import make_room, v1, variable

_SIZE = 3


def export_simple_save(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``tf.saved_model.simple_save``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be false, as this way of saving never strips.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no ``simple_save``, or would keep what is to be stripped.
    """
    if not hasattr(v1.saved_model, "simple_save"):
        raise NotImplementedError("TensorFlow {} has no simple_save.".format(tf.__version__))
    if strip_default_attrs:
        raise NotImplementedError("simple_save never strips default-valued attrs.")
    graph = tf.Graph()
    with graph.as_default(), v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        shift = v1.placeholder(tf.float32, [], name="shift")
        product = v1.matmul(x, variable("matrix", drawn(seed + 1, _SIZE, 2)))
        inputs = {"x": x, "shift": shift}
        outputs = {
            "y": add(product, shift, name="y"),
            "largest": v1.argmax(product, axis=1, name="largest"),
        }
        session.run(v1.global_variables_initializer())
        make_room(directory)
        v1.saved_model.simple_save(session, directory, inputs, outputs)
    feeds = [{"x": drawn(seed + 3 + n, n, _SIZE), "shift": drawn(seed + 2)} for n in (1, 4)]
    return {"serving_default": record_saved(directory, "serving_default", feeds)}
