"""Predict, classify and regress signatures over one graph, made with the functions and the constants that there are for each."""

from typing import Dict

import numpy as np
import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, Signature, drawn, predict, save_meta_graphs
from _old_ops import add, parsed, serialized
from _saving import v1, variable

_SIZE = 3
_LABELS = (b"cat", b"dog")


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: the scores of labels, of numbers and of ``tf.train.Example``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default():
        matrix = variable("matrix", drawn(seed + 1, _SIZE, len(_LABELS)))
        bias = variable("bias", drawn(seed + 2, len(_LABELS)))
        x = v1.placeholder(tf.float32, [None, _SIZE], name="x")
        examples = v1.placeholder(tf.string, [None], name="examples")
        scores = _scores(x, matrix, bias)
        parts = {
            "examples": examples,
            "classes": _classes(examples),
            "scores": _scores(parsed(examples, "x", _SIZE), matrix, bias),
        }
        numbers = drawn(seed, 2, _SIZE)
        signatures = _of_examples(parts, serialized("x", numbers))
        key = v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        signatures[key] = predict({"x": x}, {"scores": scores}, {"x": numbers})
    return save_meta_graphs(
        [MetaGraph(graph, signatures)], directory, strip_default_attrs=strip_default_attrs
    )


def _of_examples(parts: Dict[str, tf.Tensor], fed: np.ndarray) -> Dict[str, Signature]:
    """Return signatures that take ``tf.train.Example``, as TensorFlow Serving's Classify and Regress do."""
    make = v1.saved_model.signature_def_utils
    constants = v1.saved_model.signature_constants
    examples, classes, scores = parts["examples"], parts["classes"], parts["scores"]
    definitions = {
        "classify": make.classification_signature_def(examples, classes, scores),
        "classify_labels": make.classification_signature_def(examples, classes, None),
        "classify_scores": make.classification_signature_def(examples, None, scores),
        "regress": make.regression_signature_def(examples, scores[:, :1]),
        "regress_by_constants": _by_constants(examples, scores),
    }
    feed = {constants.CLASSIFY_INPUTS: fed}
    return {key: Signature(definition, [feed]) for key, definition in definitions.items()}


def _by_constants(examples: tf.Tensor, scores: tf.Tensor) -> object:
    constants = v1.saved_model.signature_constants
    describe = v1.saved_model.utils.build_tensor_info
    return v1.saved_model.signature_def_utils.build_signature_def(
        inputs={constants.REGRESS_INPUTS: describe(examples)},
        outputs={constants.REGRESS_OUTPUTS: describe(scores[:, 1])},
        method_name=constants.REGRESS_METHOD_NAME,
    )


def _scores(x: tf.Tensor, matrix: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    return v1.nn.softmax(add(v1.matmul(x, matrix), bias))


def _classes(examples: tf.Tensor) -> tf.Tensor:
    """Return the labels, once for each example: string ``[n, labels]``."""
    labels = tf.constant([_LABELS], tf.string)
    return tf.tile(labels, [tf.shape(examples)[0], 1])
