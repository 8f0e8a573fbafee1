"""`tf.Example`s in: features of one shape, with and without a default, features of any length, sparse and ragged ones.

`export_builder` parses with the op that every release has, `export_features` and `export_ragged` with what TensorFlow's own functions
write: the op ParseExample up to 2.0, and ParseExampleV2 from 2.1 on.
"""

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _estimating import examples
from _parsing import Dense, parse
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

_NUMBERS = 2
_SIZE = 6
_WEIGHTS = np.array([0.5, 0.25], np.float32)


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder``: dense features, some of which examples lack, and sparse ones.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the recorded examples; the model is always the same.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default():
        serialized = v1.placeholder(tf.string, [None], name="examples")
        dense = {
            "numbers": Dense(tf.float32, [_NUMBERS]),
            "count": Dense(tf.int64, [], 7),
            "word": Dense(tf.string, [1], [b"none"]),
        }
        parsed = parse(serialized, dense, {"values": tf.float32, "words": tf.string})
        outputs = {
            "weighted": v1.multiply(parsed["numbers"], variable("weights", _WEIGHTS)),
            "count": tf.identity(parsed["count"]),
            "word": tf.identity(parsed["word"]),
            "values": v1.sparse_tensor_to_dense(parsed["values"]),
            "words": v1.sparse_tensor_to_dense(parsed["words"], default_value=""),
        }
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    feed = {"examples": examples(_rows(seed))}
    signature = GraphSignature(method, {"examples": serialized}, outputs, feed)
    return save_graph(
        graph, {"serving_default": signature}, directory, strip_default_attrs=strip_default_attrs
    )


def export_features(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder`` what ``tf.parse_example`` makes of each kind of feature that all releases have.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the recorded examples; the model is always the same.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default():
        serialized = v1.placeholder(tf.string, [None], name="examples")
        features = {
            "numbers": v1.FixedLenFeature([_NUMBERS], tf.float32),
            "padded": v1.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
            "words": v1.VarLenFeature(tf.string),
            "sparse": v1.SparseFeature("places", "values", tf.float32, _SIZE),
        }
        parsed = v1.parse_example(serialized, features)
        outputs = {
            "weighted": v1.multiply(parsed["numbers"], variable("weights", _WEIGHTS)),
            "padded": tf.identity(parsed["padded"]),
            "words": v1.sparse_tensor_to_dense(parsed["words"], default_value=""),
            "sparse": v1.sparse_tensor_to_dense(parsed["sparse"]),
        }
    method = v1.saved_model.signature_constants.PREDICT_METHOD_NAME
    feed = {"examples": examples(_rows(seed))}
    signature = GraphSignature(method, {"examples": serialized}, outputs, feed)
    return save_graph(
        graph, {"serving_default": signature}, directory, strip_default_attrs=strip_default_attrs
    )


def export_ragged(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a ``tf.Module`` that parses ragged features, and gives one back that is ragged by their own splits.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded examples; the model is always the same.

    Raises:
        NotImplementedError: this release has no ``tf.Module`` or no ragged features, or would strip
            what is to be kept.
    """
    require_module(strip_default_attrs)
    if not hasattr(tf.io, "RaggedFeature"):
        raise NotImplementedError(
            "tf.io.RaggedFeature came with TensorFlow 2.1; this is {}.".format(tf.__version__)
        )
    module = tf.Module()
    module.weights = tf.Variable(_WEIGHTS, name="weights")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> Dict[str, tf.Tensor]:
        parsed = tf.io.parse_example(
            examples,
            {
                "numbers": tf.io.FixedLenFeature([_NUMBERS], tf.float32),
                "values": tf.io.RaggedFeature(tf.float32),
                "words": tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
            },
        )
        return {
            "weighted": parsed["numbers"] * module.weights,
            "values": parsed["values"].to_tensor(),
            "lengths": parsed["words"].row_lengths(),
            "words": parsed["words"].flat_values,
        }

    signature = ModuleSignature(serve, {"examples": examples(_rows(seed))})
    return save_module(module, {"serving_default": signature}, directory)


def export_single(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a ``tf.Module`` that parses one example at a time, in a loop over the batch.

    It does so with the op ParseSingleExample in 2.0, and with ParseExampleV2, which takes one as well, from 2.1 on.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded examples; the model is always the same.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.weights = tf.Variable(_WEIGHTS, name="weights")
    features = {"numbers": tf.io.FixedLenFeature([_NUMBERS], tf.float32)}

    def numbers(example: tf.Tensor) -> tf.Tensor:
        return tf.io.parse_single_example(example, features)["numbers"]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: tf.Tensor) -> Dict[str, tf.Tensor]:
        return {"weighted": tf.map_fn(numbers, examples, dtype=tf.float32) * module.weights}

    signature = ModuleSignature(serve, {"examples": examples(_rows(seed))})
    return save_module(module, {"serving_default": signature}, directory)


def _rows(seed: int) -> Any:
    """Return the features of three examples: the first has all, the second lacks what it may, the third has short ones."""
    random = np.random.RandomState([seed, 1])
    rows = [{"numbers": drawn} for drawn in random.uniform(-1, 1, size=(3, _NUMBERS))]
    rows[0].update(
        count=np.int64(-3),
        word=np.array([b"one"]),
        words=np.array([b"ape", b"", b"cow"], dtype=object),
        values=random.uniform(-1, 1, size=3),
        places=np.array([0, 2, 5]),
        padded=np.array([1, 2, 3]),
    )
    rows[2].update(
        words=np.array([b"dog"], dtype=object),
        values=random.uniform(-1, 1, size=1),
        places=np.array([4]),
        padded=np.array([9]),
    )
    return rows
