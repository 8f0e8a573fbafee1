"""A signature whose input has a default value, which TensorFlow writes into the SignatureDef from 2.14 on.

Its own loaders make no use of it: the signature that `tf.saved_model.load` gives wants every input, and so does a session.
"""

import numpy as np
import tensorflow as tf

from _saving import ModuleSignature, Recording, require_module, save_module

_SCALE = 3.0


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``tf.saved_model.save``: a predict signature of two inputs, one of them with a default.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded inputs.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.offset = tf.Variable(1.5, name="offset")
    signature = [
        tf.TensorSpec([None], tf.float32, name="x"),
        tf.TensorSpec([], tf.float32, name="scale"),
    ]

    @tf.function(input_signature=signature)
    def serve(x, scale=tf.constant(_SCALE)):  # noqa: B008 - the default is what this is about
        return {"y": x * scale + module.offset}

    x = np.random.RandomState(seed).uniform(-1, 1, size=3).astype(np.float32)
    feed = {"x": x, "scale": np.float32(_SCALE)}
    return save_module(module, {"serving_default": ModuleSignature(serve, feed)}, directory)
