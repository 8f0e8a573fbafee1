"""A decoder of sequences whose blank class is not the last one: the attr that says so came with TensorFlow 2.6.

A release from 2.5 that does not know `CTCGreedyDecoder.blank_index` drops it, and then takes the last class for the blank.
"""

import numpy as np
import tensorflow as tf

from _saving import GraphSignature, Recording, save_graph, v1

_CLASSES = 4
_STEPS = 6
_SEQUENCES = 2
_BLANK = 0
# The most likely class of each step. Class 0 stands as often as class 3 does, so that a decoder that takes the wrong one
# of the two for the blank gives as many labels, and other ones.
_LIKELY = ((1, 0, 3, 2, 0, 3), (0, 2, 3, 1, 3, 0))


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder``: a predict signature from the scores of classes to labels.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the recorded scores; their order is always the same.

    Raises:
        NotImplementedError: the op of this release has no ``blank_index``.
    """
    if not hasattr(tf, "raw_ops") or "blank_index" not in _arguments():
        raise NotImplementedError(
            "CTCGreedyDecoder.blank_index came with TensorFlow 2.6; this is {}.".format(
                tf.__version__
            )
        )
    graph = tf.Graph()
    with graph.as_default():
        scores = v1.placeholder(tf.float32, [_STEPS, None, _CLASSES], name="scores")
        lengths = v1.placeholder(tf.int32, [None], name="lengths")
        decoded = tf.raw_ops.CTCGreedyDecoder(
            inputs=scores, sequence_length=lengths, merge_repeated=False, blank_index=_BLANK
        )
        outputs = {
            "labels": decoded.decoded_values,
            "places": decoded.decoded_indices,
            "log_probability": decoded.log_probability,
        }
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    feed = {"scores": _scores(seed), "lengths": np.full(_SEQUENCES, _STEPS, np.int32)}
    inputs = {"scores": scores, "lengths": lengths}
    signature = GraphSignature(method, inputs, outputs, feed)
    return save_graph(
        graph, {"serving_default": signature}, directory, strip_default_attrs=strip_default_attrs
    )


def _arguments() -> str:
    import inspect

    return str(inspect.signature(tf.raw_ops.CTCGreedyDecoder))


def _scores(seed: int) -> np.ndarray:
    """Draw scores, float32 ``[steps, sequences, classes]``, whose largest ones are those of `_LIKELY`."""
    drawn = np.random.RandomState(seed).uniform(size=(_STEPS, _SEQUENCES, _CLASSES))
    for sequence, classes in enumerate(_LIKELY):
        for step, likely in enumerate(classes):
            drawn[step, sequence, likely] += 2
    return drawn.astype(np.float32)
