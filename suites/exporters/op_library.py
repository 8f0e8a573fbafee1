"""A model with an op that TensorFlow itself does not have: it comes from an op library that the exporter loads.

The library is one that lies in TensorFlow's own wheel, for features of sound; nothing else knows its op.
"""

import numpy as np
import tensorflow as tf

from _saving import GraphSignature, Recording, save_graph, v1

_SAMPLES = 1000


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder``: a predict signature from samples to features.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the recorded samples.

    Raises:
        NotImplementedError: this release's wheel does not have the library.
    """
    try:
        from tensorflow.lite.experimental.microfrontend.python.ops import (
            audio_microfrontend_op as microfrontend,
        )
    except ImportError as error:
        raise NotImplementedError(
            "the wheel of TensorFlow {} has no microfrontend.".format(tf.__version__)
        ) from error
    graph = tf.Graph()
    with graph.as_default():
        samples = v1.placeholder(tf.int16, [_SAMPLES], name="samples")
        outputs = {"features": microfrontend.audio_microfrontend(samples, num_channels=8)}
    drawn = np.random.RandomState(seed).randint(-1000, 1000, size=_SAMPLES).astype(np.int16)
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    signature = GraphSignature(method, {"samples": samples}, outputs, {"samples": drawn})
    return save_graph(
        graph, {"serving_default": signature}, directory, strip_default_attrs=strip_default_attrs
    )
