"""A checkpoint on disk, read without TensorFlow: the index, the values, and whether every byte is right.

It is the format V2 of ``tf.train.Saver``, of ``tf.train.Checkpoint`` and of the ``variables/`` of a SavedModel: a sorted table
of entries, and the data files that they point into (``core/util/tensor_bundle/tensor_bundle.cc``).
"""

from savedmodel_compat.model._bundle import Checkpoint, Slice, TensorEntry
from savedmodel_compat.model._index import read_index
from savedmodel_compat.model._shards import Fault, Trouble, read_strings, read_tensor, verify

__all__ = [
    "Checkpoint",
    "Fault",
    "Slice",
    "TensorEntry",
    "Trouble",
    "read_index",
    "read_strings",
    "read_tensor",
    "verify",
]
