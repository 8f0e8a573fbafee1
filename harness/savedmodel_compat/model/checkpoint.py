"""A checkpoint on disk, read without TensorFlow: the index, the values, and whether every byte is right.

It is the format V2 of ``tf.train.Saver``, of ``tf.train.Checkpoint`` and of the ``variables/`` of a SavedModel: a sorted table
of entries, and the data files that they point into (``core/util/tensor_bundle/tensor_bundle.cc``). `read_v1` reads the old format.
"""

from savedmodel_compat.model._bundle import Checkpoint, Slice, TensorEntry
from savedmodel_compat.model._checkpoint_v1 import CheckpointV1, TensorOfV1, read_v1
from savedmodel_compat.model._index import read_index
from savedmodel_compat.model._shards import Fault, Trouble, read_strings, read_tensor, verify

__all__ = [
    "Checkpoint",
    "CheckpointV1",
    "Fault",
    "Slice",
    "TensorEntry",
    "TensorOfV1",
    "Trouble",
    "read_index",
    "read_strings",
    "read_tensor",
    "read_v1",
    "verify",
]
