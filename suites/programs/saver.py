"""Saves variables as checkpoints and restores them, in the ways that releases have: by name, and by the attributes of objects.

It runs inside releases, TensorFlow 1.4 to 2.21: CPython 3.6 syntax, and nothing imported but the
standard library, numpy and TensorFlow.
"""

import os
from typing import Any, Dict, List

import numpy as np
import tensorflow as tf

Arrays = Dict[str, np.ndarray]

v1 = getattr(tf.compat, "v1", None) or tf  # releases up to 1.12 keep this API in the top module

_PREFIX = "weights"
_PARTITIONED = "partitioned"
_VERSIONS = {"V1": 1, "V2": 2}  # tensorflow/core/protobuf/saver.proto, CheckpointFormatVersion


def save(directory: str, write_version: str, sharded: bool, seed: int) -> Arrays:
    """Save variables by name with ``tf.train.Saver``, and return their values.

    Args:
        directory: where the checkpoint goes, named ``weights``.
        write_version: ``V1`` or ``V2``.
        sharded: whether there is a file for each device.
        seed: of the values.
    """
    values = _values(seed)
    with tf.Graph().as_default(), v1.Session() as session:
        variables = _variables(values)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=_VERSIONS[write_version], sharded=sharded)
        saver.save(session, os.path.join(directory, _PREFIX), write_meta_graph=False)
        return _fetched(session, variables)


def restore(directory: str, sharded: bool) -> Arrays:
    """Restore the variables with ``tf.train.Saver`` into a graph where all of them are zero, and return their values."""
    with tf.Graph().as_default(), v1.Session() as session:
        variables = _variables({name: _blank(each) for name, each in _values(0).items()})
        session.run(v1.global_variables_initializer())
        v1.train.Saver(sharded=sharded).restore(session, _prefix(directory, sharded=sharded))
        return _fetched(session, variables)


def read(directory: str, sharded: bool) -> Arrays:
    """Return the tensors that the reader of checkpoints can give, by name; of the format V1, it cannot give all."""
    return _read(v1.train.NewCheckpointReader(_prefix(directory, sharded=sharded)))


def assign(directory: str, sharded: bool) -> Arrays:
    """Bring the names of TensorFlow 1 into TensorFlow 2: each tensor is assigned to a variable of eager execution."""
    assigned = {}
    for name, found in _read(tf.train.load_checkpoint(_prefix(directory, sharded=sharded))).items():
        variable = tf.Variable(_constant(_blank(found)))
        variable.assign(found)
        assigned[name] = variable.numpy()
    return assigned


def save_objects(directory: str, seed: int) -> Arrays:
    """Save variables by the attributes that hold them, with ``tf.train.Checkpoint``, and return their values by name."""
    values = _values(seed)
    holder = _holder(values)
    tf.train.Checkpoint(holder=holder).write(os.path.join(directory, _PREFIX))
    return values


def restore_objects(directory: str) -> Arrays:
    """Restore them with ``tf.train.Checkpoint`` into variables that are zero, and return their values by name."""
    blank = {name: _blank(each) for name, each in _values(0).items()}
    holder = _holder(blank)
    prefix = os.path.join(directory, _PREFIX)
    tf.train.Checkpoint(holder=holder).read(prefix).assert_consumed()
    return {name: getattr(holder, _attribute(name)).numpy() for name in blank}


def _read(reader: Any) -> Arrays:
    found = {}
    for name in reader.get_variable_to_shape_map():
        try:
            found[name] = np.asarray(reader.get_tensor(name))
        except tf.errors.UnimplementedError:
            continue  # a type, or a slice, that it does not have of this format
    return found


def _values(seed: int) -> Arrays:
    """Return what is saved, by name: types of each width, a scalar, an empty one, and bits that a conversion would lose."""
    random = np.random.RandomState(seed)
    return {
        _PARTITIONED: random.uniform(-1, 1, size=(5, 2)).astype(np.float32),
        "dense/kernel": random.uniform(-1, 1, size=(3, 4)).astype(np.float32),
        "dense/odd": np.array([np.nan, -0.0, np.inf, 1e-40], np.float32),
        "double": np.float64(random.uniform()).reshape(()),
        "half": random.uniform(-1, 1, size=3).astype(np.float16),
        "complex": (random.uniform(size=2) * (1 - 2j)).astype(np.complex64),
        "step": np.array(2**40 + seed, np.int64),
        "narrow": np.array([-128, 127, -1], np.int8),
        "bytes": np.array([0, 200, 255], np.uint8),
        "flags": np.array([[True, False]]),
        "empty": np.zeros((0, 3), np.int32),
        "words": np.array([b"a word", b"", b"zeros\0\0", b"\xff"], dtype=object),
    }


def _variables(values: Arrays) -> Dict[str, Any]:
    """Return reference variables of the current graph, one of them in two parts."""
    found = {}  # type: Dict[str, Any]
    for name, value in values.items():
        if name != _PARTITIONED:
            found[name] = v1.get_variable(name, initializer=_constant(value), use_resource=False)
    whole = values[_PARTITIONED]
    found[_PARTITIONED] = v1.get_variable(
        _PARTITIONED,
        shape=whole.shape,
        dtype=tf.float32,
        use_resource=False,
        partitioner=v1.fixed_size_partitioner(2),
        initializer=_initializer(whole),
    )
    return found


def _blank(value: np.ndarray) -> np.ndarray:
    """Return zeros, or empty strings, of the same type and shape."""
    if value.dtype == object:
        return np.full(value.shape, b"", dtype=object)
    return np.zeros_like(value)


def _constant(value: np.ndarray) -> tf.Tensor:
    return tf.constant(value, tf.string if value.dtype == object else value.dtype)


def _initializer(whole: np.ndarray) -> Any:
    def part(shape: List[int], dtype: Any = None, partition_info: Any = None) -> tf.Tensor:
        del dtype
        start = partition_info.var_offset[0]
        return tf.constant(whole[start : start + int(shape[0])])

    return part


def _fetched(session: "v1.Session", variables: Dict[str, Any]) -> Arrays:
    found = {}
    for name, variable in variables.items():
        whole = variable.as_tensor() if name == _PARTITIONED else variable
        found[name] = np.asarray(session.run(whole))
    return found


def _prefix(directory: str, *, sharded: bool) -> str:
    """Return how a checkpoint is named to what reads it: one of format V1 in several files by a pattern."""
    prefix = os.path.join(directory, _PREFIX)
    first = prefix + "-00000-of-00001"
    return prefix + "-?????-of-00001" if sharded and os.path.exists(first) else prefix


def _holder(values: Arrays) -> Any:
    holder = tf.Module()
    for name, value in values.items():
        setattr(holder, _attribute(name), tf.Variable(_constant(value)))
    return holder


def _attribute(name: str) -> str:
    return "of_" + name.replace("/", "_")
