"""The graphs of `attr_carriers`: each computes something with one op, whose attrs it is given."""

import os
import tempfile
from typing import Any, Dict, NamedTuple, Optional

import numpy as np
import tensorflow as tf

from _meta_graphs import asset
from _raw_ops import raw
from _saving import Arrays, v1

Attrs = Dict[str, Any]


class Built(NamedTuple):
    """What a graph computes.

    Args:
        inputs: the input tensors by alias.
        outputs: the output tensors by alias.
        feed: an array for each input.
        main_op: runs when the model has been loaded.
        folder: holds its asset until it is saved; None if there is none.
    """

    inputs: Dict[str, tf.Tensor]
    outputs: Dict[str, tf.Tensor]
    feed: Arrays
    main_op: Any = None
    folder: Optional[str] = None


def cast(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return numbers that went through bfloat16."""
    fed = drawn_from(random, 8)
    x = placeholder(fed)
    y = tf.cast(raw("Cast", x=x, DstT=tf.bfloat16, **attrs), tf.float32)
    return Built({"x": x}, {"y": y}, {"x": fed})


def gather(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return columns of a matrix, for each row the same ones or its own."""
    fed = drawn_from(random, 2, 3)
    x = placeholder(fed)
    indices = tf.constant([[0, 2], [1, 1]], tf.int32)
    y = raw("GatherV2", params=x, indices=indices, axis=tf.constant(1), **attrs)
    return Built({"x": x}, {"y": y}, {"x": fed})


def list_concat(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return the rows of a list of matrices."""
    fed = drawn_from(random, 2, 2, 3)
    x = placeholder(fed)
    handle = raw("TensorListFromTensor", tensor=x, element_shape=tf.constant([-1, 3]))
    joined = raw("TensorListConcat", input_handle=handle, element_dtype=tf.float32, **attrs)
    return Built({"x": x}, {"y": joined[0], "lengths": joined[1]}, {"x": fed})


def list_set_item(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return an item that was set in a list of two, behind its end if it may grow, and the length of the list."""
    fed = drawn_from(random, 3)
    x = placeholder(fed)
    shape, index = tf.constant([3]), tf.constant(3 if attrs else 1)
    like = {"element_shape": shape, "element_dtype": tf.float32}
    handle = raw("TensorListReserve", num_elements=tf.constant(2), **like)
    handle = raw("TensorListSetItem", input_handle=handle, index=index, item=x, **attrs)
    y = raw("TensorListGetItem", input_handle=handle, index=index, **like)
    length = raw("TensorListLength", input_handle=handle)
    return Built({"x": x}, {"y": y, "length": length}, {"x": fed})


def list_get_item(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return an item of a list, whose shape is given in one type or another."""
    fed = drawn_from(random, 2, 3)
    x = placeholder(fed)
    handle = raw("TensorListFromTensor", tensor=x, element_shape=tf.constant([3]))
    shape = tf.constant([3], attrs.get("Tshape", tf.int32))
    y = raw(
        "TensorListGetItem",
        input_handle=handle,
        index=tf.constant(1),
        element_shape=shape,
        element_dtype=tf.float32,
    )
    return Built({"x": x}, {"y": y}, {"x": fed})


def equal(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return whether numbers are equal; of shapes that have nothing in common, if that is no error."""
    return _compared("Equal", attrs, random)


def not_equal(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return whether numbers differ; of shapes that have nothing in common, if that is no error."""
    return _compared("NotEqual", attrs, random)


def var_handle(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return a product with a resource variable, whose handle has the attrs."""
    return _assigned(attrs, {}, random)


def assign_variable(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return a product with a resource variable, whose assignment has the attrs."""
    return _assigned({}, attrs, random)


def table_from_text(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return the numbers of words in a vocabulary, which may begin behind some other lines."""
    words = [b"zero", b"one", b"two", b"three"]
    fed = np.array(words, dtype=object)[random.permutation(len(words))]
    x = v1.placeholder(tf.string, [None], name="x")
    folder = tempfile.mkdtemp()
    filename = asset(
        os.path.join(folder, "vocabulary.txt"), b"\n".join(words) + b"\n", "vocabulary"
    )
    table = raw("HashTableV2", key_dtype=tf.string, value_dtype=tf.int64, shared_name="words")
    # The key is the whole line, the value its number (tensorflow/core/kernels/initializable_lookup_table.h).
    init = raw(
        "InitializeTableFromTextFileV2",
        table_handle=table,
        filename=filename,
        key_index=-2,
        value_index=-1,
        **attrs,
    )
    missing = tf.constant(-1, tf.int64)
    found = raw("LookupTableFindV2", table_handle=table, keys=x, default_value=missing)
    init = v1.group(init, name="init")
    return Built({"x": x}, {"y": found}, {"x": fed}, main_op=init, folder=folder)


def ctc_greedy_decoder(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return labels, of which the first one or the last one is blank."""
    fed = drawn_from(random, 6, 2, 4)
    x = placeholder(fed)
    lengths = tf.constant([6, 6])
    decoded = raw("CTCGreedyDecoder", inputs=x, sequence_length=lengths, **attrs)
    return Built({"x": x}, {"places": decoded[0], "labels": decoded[1]}, {"x": fed})


def range_dataset(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return the only element of a data set."""
    x = v1.placeholder(tf.int64, [], name="x")
    like = {"output_types": [tf.int64], "output_shapes": [[]]}
    one = tf.constant(1, tf.int64)
    dataset = raw("RangeDataset", start=x, stop=v1.add(x, one), step=one, **like, **attrs)
    y = raw("DatasetToSingleElement", dataset=dataset, **like)[0]
    return Built({"x": x}, {"y": y}, {"x": np.array(random.randint(100), np.int64)})


def top_k(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return the largest numbers and where they stand."""
    fed = drawn_from(random, 2, 5)
    x = placeholder(fed)
    found = raw("TopKV2", input=x, k=tf.constant(2), **attrs)
    return Built({"x": x}, {"values": found[0], "indices": found[1]}, {"x": fed})


def sparse_segment_sum(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return sums of some rows."""
    fed = drawn_from(random, 4, 2)
    x = placeholder(fed)
    indices, segments = tf.constant([0, 2, 3]), tf.constant([0, 0, 1])
    y = raw("SparseSegmentSum", data=x, indices=indices, segment_ids=segments, **attrs)
    return Built({"x": x}, {"y": y}, {"x": fed})


def mat_mul(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return a product of matrices."""
    fed, matrix = drawn_from(random, 2, 3), drawn_from(random, 3, 2)
    x = placeholder(fed)
    return Built({"x": x}, {"y": raw("MatMul", a=x, b=tf.constant(matrix), **attrs)}, {"x": fed})


def batch_mat_mul(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return products of matrices."""
    fed, matrices = drawn_from(random, 2, 2, 3), drawn_from(random, 2, 3, 2)
    x = placeholder(fed)
    y = raw("BatchMatMulV2", x=x, y=tf.constant(matrices), **attrs)
    return Built({"x": x}, {"y": y}, {"x": fed})


def gather_nd(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return elements of a matrix, of which one does not exist if that is no error."""
    fed = drawn_from(random, 2, 3)
    x = placeholder(fed)
    indices = tf.constant([[0, 1], [5 if attrs else 1, 2]])
    y = raw("GatherNd", params=x, indices=indices, **attrs)
    return Built({"x": x}, {"y": y}, {"x": fed})


def scatter_nd(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return numbers at their places in a vector, of which one does not exist if that is no error."""
    fed = drawn_from(random, 2)
    x = placeholder(fed)
    indices = tf.constant([[1], [9 if attrs else 3]])
    y = raw("ScatterNd", indices=indices, updates=x, shape=tf.constant([4]), **attrs)
    return Built({"x": x}, {"y": y}, {"x": fed})


def _compared(op: str, attrs: Attrs, random: np.random.RandomState) -> Built:
    fed = drawn_from(random, 2)
    x = v1.placeholder(tf.float32, [None], name="x")
    other = v1.placeholder(tf.float32, [None], name="other")
    y = raw(op, x=x, y=other, **attrs)
    others = drawn_from(random, 3) if attrs else fed * np.array([1, 2], np.float32)
    return Built({"x": x, "other": other}, {"y": y}, {"x": fed, "other": others})


def _assigned(of_handle: Attrs, of_assignment: Attrs, random: np.random.RandomState) -> Built:
    fed, weight = drawn_from(random, 3), drawn_from(random, 3)
    x = placeholder(fed)
    like = {"dtype": tf.float32}
    handle = raw("VarHandleOp", shape=[3], shared_name="weight", **like, **of_handle)
    value = tf.constant(weight)
    init = raw("AssignVariableOp", resource=handle, value=value, **of_assignment)
    y = v1.multiply(x, raw("ReadVariableOp", resource=handle, **like))
    return Built({"x": x}, {"y": y}, {"x": fed}, main_op=v1.group(init, name="init"))


def placeholder(fed: np.ndarray) -> tf.Tensor:
    """Return what is fed with arrays of this type and shape, and of any number of rows."""
    return v1.placeholder(fed.dtype, [None, *fed.shape[1:]], name="x")


def drawn_from(random: np.random.RandomState, *shape: int) -> np.ndarray:
    """Draw numbers between -1 and 1, float32."""
    return random.uniform(-1, 1, size=shape).astype(np.float32)
