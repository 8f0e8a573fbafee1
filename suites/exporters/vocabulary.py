"""Words to ids and back with static hash tables, which a main op fills: from a vocabulary file, or from constants."""

import os
import tempfile
from typing import Any, Tuple

import numpy as np
import tensorflow as tf

from _meta_graphs import MetaGraph, Recordings, asset, local_variable, predict, save_meta_graphs
from _saving import v1

_WORDS = (b"the", b"quick", b"br\xc3\xb6wn", b"fox")
_ASKED = (b"fox", b"the", b"missing", b"", b"br\xc3\xb6wn", b"The")


def export_file(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: the tables are filled from an asset, whose text is an output, too.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the order in which words are asked for.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export_file(directory, strip_default_attrs, seed, shared=False)


def export_shared_path(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export the same with one tensor that holds the path for all: every table adds it to the assets once more.

    The C++ loader feeds an asset as often as it is listed, and a tensor cannot be fed twice; the Python loaders can.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the order in which words are asked for.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    return _export_file(directory, strip_default_attrs, seed, shared=True)


def export_constants(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder``: the table is filled by a ``KeyValueTensorInitializer``.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the order in which words are asked for.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    graph = tf.Graph()
    with graph.as_default():
        words = v1.placeholder(tf.string, [None], name="words")
        keys = tf.constant(_WORDS, tf.string)
        values = tf.constant(np.arange(10, 10 + len(_WORDS)), tf.int64)
        filled = _lookup().KeyValueTensorInitializer(keys, values)
        ids = _table(filled, -1).lookup(words)
        feed = {"words": _asked(seed)}
        signatures = {"serving_default": predict({"words": words}, {"ids": ids}, feed)}
        init = v1.tables_initializer()
    meta_graph = MetaGraph(graph, signatures, main_op=init)
    return save_meta_graphs([meta_graph], directory, strip_default_attrs=strip_default_attrs)


def _export_file(
    directory: str, strip_default_attrs: bool, seed: int, *, shared: bool
) -> Recordings:
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default() as graph:
        path = os.path.join(folder, "vocabulary.txt")
        filename = asset(path, b"".join(word + b"\n" for word in _WORDS), "vocabulary")
        # A path in Python becomes a tensor of its own wherever it is used.
        forth, back = _tables(filename if shared else path)
        words = v1.placeholder(tf.string, [None], name="words")
        ids = v1.placeholder(tf.int64, [None], name="ids")
        text = local_variable("text", b"not read")
        read = v1.assign(text, v1.read_file(filename))
        outputs = {"ids": forth.lookup(words), "vocabulary": tf.identity(text)}
        asked = {"ids": np.array([3, 0, 7], np.int64)}
        signatures = {
            "serving_default": predict({"words": words}, outputs, {"words": _asked(seed)}),
            "words": predict({"ids": ids}, {"words": back.lookup(ids)}, asked),
        }
        init = v1.group(v1.tables_initializer(), read, name="init")
        meta_graph = MetaGraph(graph, signatures, main_op=init)
        return save_meta_graphs([meta_graph], directory, strip_default_attrs=strip_default_attrs)


def _tables(filename: Any) -> Tuple[Any, Any]:
    """Return tables from words to lines and from lines to words; their initialisers make the file an asset."""
    lookup = _lookup()
    word, line = lookup.TextFileIndex.WHOLE_LINE, lookup.TextFileIndex.LINE_NUMBER
    make = lookup.TextFileInitializer
    forth = make(filename, tf.string, word, tf.int64, line)
    back = make(filename, tf.int64, line, tf.string, word)
    return _table(forth, -1), _table(back, "unknown")


def _lookup() -> Any:
    """Return the module with the tables of v1: until 1.12 it is one of contrib."""
    if hasattr(tf, "lookup"):
        return v1.lookup
    return tf.contrib.lookup


def _table(initializer: Any, default: Any) -> Any:
    lookup = _lookup()
    make = getattr(lookup, "StaticHashTable", None) or lookup.HashTable
    return make(initializer, default)


def _asked(seed: int) -> np.ndarray:
    order = np.random.RandomState(seed).permutation(len(_ASKED))
    return np.array(_ASKED, dtype=object)[order]
