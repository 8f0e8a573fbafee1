"""Text in a ``tf.Module``: words are looked up in tables that a vocabulary file fills, which is an asset of the SavedModel.

The file is part of the answer: line by line, it says which number a word has.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, List

import numpy as np
import tensorflow as tf

from _saving import ModuleSignature, Recording, require_module, save_module

_WORDS = ["the", "quick", "brown", "fox", "straße", "日本"]
_STRANGE = ["jumps", "", "Fox"]
_BUCKETS = 2


def export_static_hash_table(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with a ``StaticHashTable`` of a vocabulary file: numbers of words, and words of numbers.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded words.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    with TemporaryDirectory() as folder:
        module = tf.Module()
        module.vocabulary = tf.saved_model.Asset(_written(folder))
        words = (tf.string, tf.lookup.TextFileIndex.WHOLE_LINE)
        lines = (tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
        number = tf.lookup.TextFileInitializer(module.vocabulary.asset_path, *words, *lines)
        word = tf.lookup.TextFileInitializer(module.vocabulary.asset_path, *lines, *words)
        module.numbers = tf.lookup.StaticHashTable(number, -1)
        module.words = tf.lookup.StaticHashTable(word, "?")

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
        def look_up(words):
            numbers = module.numbers.lookup(words)
            return {"numbers": numbers, "back": module.words.lookup(numbers)}

        return _saved(module, look_up, directory, seed)


def export_static_vocabulary_table(
    directory: str, *, strip_default_attrs: bool, seed: int
) -> Recording:
    """Export with a ``StaticVocabularyTable``, which gives a word that it does not know a bucket by its hash.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded words.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    with TemporaryDirectory() as folder:
        module = tf.Module()
        module.vocabulary = tf.saved_model.Asset(_written(folder))
        number = tf.lookup.TextFileInitializer(
            module.vocabulary.asset_path,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        )
        module.numbers = tf.lookup.StaticVocabularyTable(number, _BUCKETS)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="words")])
        def look_up(words):
            return {"numbers": module.numbers.lookup(words)}

        return _saved(module, look_up, directory, seed)


def _written(folder: str) -> str:
    """Write the vocabulary; from then on only the copy that the SavedModel takes is there."""
    path = Path(folder) / "vocabulary.txt"
    path.write_bytes("".join(word + "\n" for word in _WORDS).encode("utf-8"))
    return str(path)


def _saved(module: Any, look_up: Any, directory: str, seed: int) -> Recording:
    feed = {"words": np.array(_drawn(seed), dtype=object)}
    return save_module(module, {"serving_default": ModuleSignature(look_up, feed)}, directory)


def _drawn(seed: int) -> List[bytes]:
    order = np.random.RandomState(seed).permutation(len(_WORDS) + len(_STRANGE))
    return [(_WORDS + _STRANGE)[at].encode("utf-8") for at in order]
