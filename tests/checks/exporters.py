"""Writes checkpoints of every form inside a TensorFlow, and what that TensorFlow reads from them.

Run as ``python exporters.py FOLDER``; the values are in ``FOLDER/truth.json``.
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
KINDS = (
    "float32 float64 float16 bfloat16 complex64 complex128 bool string"
    " int8 int16 int32 int64 uint8 uint16 uint32 uint64 qint8 quint8 qint16 quint16 qint32"
).split()
NEWER_KINDS = "float8_e5m2 float8_e4m3fn".split()


def _type(kind):
    return getattr(tf, kind, None) or getattr(tf.experimental, kind, None)


def _values(kind, shape):
    count = int(np.prod(shape, dtype=np.int64))
    if kind == "string":
        texts = [b"", b"a", b"\xff\x00\x01", b"word" * 100]
        return np.array([texts[i % 4] for i in range(count)], dtype=object).reshape(shape)
    numbers = np.arange(count) % 7
    if kind.startswith("complex"):
        numbers = numbers * (1 + 2j)
    return numbers.astype(_type(kind).as_numpy_dtype).reshape(shape)


def _save(prefix, tensors):
    with tf.Graph().as_default(), v1.Session() as session:
        made = [make() for make in tensors.values()]
        op = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(tensors),
            shape_and_slices=[""] * len(tensors),
            tensors=made,
        )
        session.run(op)


def _constant(kind, shape):
    if kind.startswith("q"):
        # Constants of these are not made from numbers.
        return lambda: tf.bitcast(
            tf.constant(
                np.frombuffer(_values(kind, shape).tobytes(), _unsigned(kind)).reshape(shape)
            ),
            _type(kind),
        )
    return lambda: tf.constant(_values(kind, shape), dtype=_type(kind), shape=shape)


def _unsigned(kind):
    return {1: np.uint8, 2: np.uint16, 4: np.uint32}[_type(kind).size]


def kinds(folder):
    """Every type, as a scalar, a matrix and an empty tensor."""
    known = [kind for kind in KINDS + NEWER_KINDS if _type(kind)]
    tensors = {}
    for kind in known:
        for name, shape in (("scalar", ()), ("matrix", (3, 4)), ("empty", (2, 0))):
            tensors[kind + "/" + name] = _constant(kind, shape)
    _save(str(folder / "kinds"), tensors)


def many(folder):
    """So many tensors that their entries fill several blocks, and names that share their beginnings."""
    tensors = {
        "layer_{}/block_{}/weights/with/a/long/name".format(i // 100, i): _constant(
            "int32", (i % 5,)
        )
        for i in range(8000)
    }
    _save(str(folder / "many"), tensors)


def strings(folder):
    """Strings in such a number, and of such lengths, that they are not read at once."""
    texts = [b"x" * (i % 300) for i in range(5000)]
    _save(str(folder / "strings"), {"texts": lambda: tf.constant(texts)})


def variants(folder):
    """A list of tensors, which is stored as a variant."""
    _save(
        str(folder / "variants"),
        {
            "list": lambda: tf.raw_ops.TensorListFromTensor(
                tensor=tf.constant([[1.0], [2.0]]), element_shape=[1]
            )
        },
    )


def sharded(folder):
    """Two devices, a data file each, and variables in parts along each of their dimensions: a Saver's, and a model's."""
    with tf.Graph().as_default():
        whole = _variables()
        config = v1.ConfigProto(device_count={"CPU": 2})
        with v1.Session(config=config) as session:
            session.run(v1.global_variables_initializer())
            v1.train.Saver(sharded=True).save(
                session, str(folder / "sharded"), write_meta_graph=False
            )
            x = v1.placeholder(tf.float32, [2, 3], name="x")
            v1.saved_model.simple_save(
                session, str(folder / "model"), {"x": x}, {"y": tf.add(x, whole, name="y")}
            )


def _variables():
    with tf.device("/cpu:0"):
        whole = v1.get_variable("whole", initializer=_values("float32", (2, 3)))
        v1.get_variable(
            "rows",
            shape=(10, 4),
            initializer=v1.random_normal_initializer(seed=1),
            partitioner=v1.fixed_size_partitioner(3, axis=0),
        )
    with tf.device("/cpu:1"):
        v1.get_variable(
            "columns",
            shape=(2, 70, 3),
            initializer=v1.random_normal_initializer(seed=2),
            partitioner=v1.fixed_size_partitioner(2, axis=1),
        )
    # Of this one, each data file has a part.
    with v1.device(lambda op: "/cpu:1" if "part_1" in op.name else "/cpu:0"):
        v1.get_variable(
            "both",
            shape=(200,),
            initializer=v1.random_normal_initializer(seed=3),
            partitioner=v1.fixed_size_partitioner(2),
            use_resource=False,
        )
    return whole


def saver(folder):
    """A bare Saver, in both formats, and one that has sharded=True on one device."""
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("a", initializer=np.float32(0.5))
        v1.get_variable("scope/b", initializer=_values("int64", (5,)), use_resource=True)
        session.run(v1.global_variables_initializer())
        for name, version in (("saver", v1.train.SaverDef.V2), ("old", v1.train.SaverDef.V1)):
            v1.train.Saver(write_version=version).save(
                session, str(folder / name), write_meta_graph=False
            )


def objects(folder):
    """Objects of TensorFlow 2, with keys that have a path in them."""
    layer = tf.Module()
    layer.kernel = tf.Variable(_values("float32", (4, 3)))
    layer.steps = [tf.Variable(np.int64(7)), tf.Variable(b"text", dtype=tf.string)]
    checkpoint = tf.train.Checkpoint(layer=layer)
    checkpoint.write(str(folder / "objects"))


def _truth(prefix):
    reader = tf.train.load_checkpoint(prefix)
    dtypes = reader.get_variable_to_dtype_map()
    truth = {}
    for name, shape in reader.get_variable_to_shape_map().items():
        entry = {"dtype": dtypes[name].name, "shape": shape}
        if dtypes[name] != tf.variant:
            value = np.asarray(reader.get_tensor(name))
            if dtypes[name] == tf.string:
                items = [value.item()] if value.ndim == 0 else value.ravel().tolist()
                entry["strings"] = [base64.b64encode(item).decode() for item in items]
            else:
                entry["bytes"] = base64.b64encode(value.tobytes()).decode()
        truth[name] = entry
    return truth


def main(folder):
    """Write all of them."""
    if tf.__version__.startswith("1."):
        v1.enable_eager_execution()
    for write in (kinds, many, strings, variants, sharded, saver, objects):
        write(folder)
    truth = {file.stem: _truth(str(file.with_suffix(""))) for file in folder.glob("*.index")}
    (folder / "truth.json").write_text(json.dumps(truth))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
