"""Makers of the frozen models beside this file; each ran once, inside the release that the folder is named after.

They hold what real models hold, in a few kilobytes: variables, a vocabulary in an asset, functions that call functions,
several signatures and MetaGraphs. `README.md` has the commands.
"""

import sys

import numpy as np
import tensorflow as tf


def builder(directory):
    """Write a v1 model: two MetaGraphs that share variables, a main op, an asset, three kinds of signature."""
    v1 = tf.compat.v1
    v1.disable_eager_execution()
    saver = v1.saved_model.builder.SavedModelBuilder(directory)
    for tags in (["serve"], ["serve", "gpu"]):
        with tf.Graph().as_default(), v1.Session() as session:
            signatures, main_op = _graph(v1, _vocabulary())
            session.run([v1.global_variables_initializer(), v1.tables_initializer()])
            options = {"main_op": main_op, "strip_default_attrs": True}
            if tags == ["serve"]:
                saver.add_meta_graph_and_variables(
                    session,
                    tags,
                    signatures,
                    assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
                    **options,
                )
            else:
                saver.add_meta_graph(tags, signatures, **options)
    saver.save()


def _graph(v1, vocabulary):
    a = v1.get_variable("a", initializer=np.float32(0.5), use_resource=False)
    b = v1.get_variable("b", initializer=np.full([3], 2, np.float32), use_resource=True)
    x = v1.placeholder(tf.float32, [None, 3], name="x")
    y = v1.add(v1.multiply(x, a), b, name="y")
    word = v1.placeholder(tf.string, [None], name="word")
    asset = tf.constant(vocabulary)
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            asset,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        -1,
    )
    index = tf.identity(table.lookup(word), name="index")
    serialized = v1.placeholder(tf.string, [None], name="tf_example")
    parsed = v1.parse_example(serialized, {"x": v1.FixedLenFeature([3], tf.float32)})["x"]
    scores = v1.add(v1.multiply(parsed, a), b, name="scores")
    mean = tf.reduce_mean(scores, axis=1, keepdims=True, name="mean")
    info = v1.saved_model.utils.build_tensor_info
    constants = v1.saved_model.signature_constants

    def signature(inputs, outputs, method):
        return v1.saved_model.signature_def_utils.build_signature_def(
            {key: info(value) for key, value in inputs.items()},
            {key: info(value) for key, value in outputs.items()},
            method,
        )

    signatures = {
        "serving_default": signature({"x": x}, {"y": y}, constants.PREDICT_METHOD_NAME),
        "lookup": signature({"word": word}, {"index": index}, constants.PREDICT_METHOD_NAME),
        "classify": signature(
            {"inputs": serialized}, {"scores": scores}, constants.CLASSIFY_METHOD_NAME
        ),
        "regress": signature(
            {"inputs": serialized}, {"outputs": mean}, constants.REGRESS_METHOD_NAME
        ),
    }
    return signatures, v1.tables_initializer()


class Module(tf.Module):
    """Two variables, a table, and a function that calls another in a branch."""

    def __init__(self):
        super().__init__()
        self.a = tf.Variable(0.5, name="a")
        self.b = tf.Variable(np.full([3], 2, np.float32), name="b")
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                _vocabulary(),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            -1,
        )

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 3], tf.float32, "x"),
            tf.TensorSpec([], tf.float32, "scale"),
        ]
    )
    def predict(self, x, scale):
        """Return y of x, and its mean if there is any."""
        y = tf.cond(scale > 0, lambda: self._line(x) * scale, lambda: self._line(x))
        return {"y": y, "mean": tf.reduce_mean(y, axis=1)}

    @tf.function
    def _line(self, x):
        return x * self.a + self.b

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def lookup(self, word):
        """Return the place of each word in the vocabulary."""
        return {"index": self.table.lookup(word)}


def module(directory):
    """Write a v2 model: variables, an asset, nested functions, two signatures."""
    made = Module()
    signatures = {"serving_default": made.predict, "lookup": made.lookup}
    tf.saved_model.save(made, directory, signatures=signatures)


def _vocabulary():
    # Relative: a v1 model keeps the path that it was made from.
    return "words.txt"


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
