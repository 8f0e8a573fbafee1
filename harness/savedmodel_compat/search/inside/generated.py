"""An exporter of any signature that can be described: its body touches each input and gives it back.

A description is a list of signatures, each ``{"key", "inputs": [{"name", "dtype", "shape", "kind"}]}``, as
`savedmodel_compat.search.signatures` draws them.
"""

import numpy as np
import tensorflow as tf

_RELEASE = tuple(int(part) for part in tf.__version__.split(".")[:2])
v1 = tf.compat.v1 if _RELEASE >= (1, 13) else tf
_OPEN, _ENTRIES = 2, 3


def graph_exporter(description):
    """Return an exporter of these signatures, with placeholders and a builder of TensorFlow 1."""

    def export(directory, *, strip_default_attrs, seed):
        recorded, calls = {}, {}
        with v1.Graph().as_default(), v1.Session() as session:
            definitions = {}
            for at, signature in enumerate(description):
                fed = [_placeholder(at, n, each) for n, each in enumerate(signature["inputs"])]
                named = {each["name"]: one for each, one in zip(signature["inputs"], fed)}
                outputs = _body(fed)
                definitions[signature["key"]] = _definition(named, outputs)
                calls[signature["key"]] = (named, outputs)
            for signature in description:
                named, outputs = calls[signature["key"]]
                recorded[signature["key"]] = _call(session, signature, named, outputs)
            builder = v1.saved_model.builder.SavedModelBuilder(directory)
            stripped = {"strip_default_attrs": strip_default_attrs} if _RELEASE >= (1, 7) else {}
            builder.add_meta_graph_and_variables(session, ["serve"], definitions, **stripped)
            builder.save()
        return recorded

    return export


def module_exporter(description):
    """Return an exporter of these signatures, each a function of a module of TensorFlow 2."""

    def export(directory, *, strip_default_attrs, seed):
        if _RELEASE < (2, 0):
            raise NotImplementedError(
                "tf.saved_model.save came with 2.0; this is %s" % tf.__version__
            )
        if not strip_default_attrs:
            raise NotImplementedError("tf.saved_model.save always strips")
        module = tf.Module()
        concrete, recorded = {}, {}
        for signature in description:
            concrete[signature["key"]] = _concrete(signature["inputs"])
        module.kept = list(concrete.values())
        tf.saved_model.save(module, directory, signatures=concrete)
        return recorded

    return export


def _placeholder(at, number, described):
    name = "signature_%d_input_%d" % (at, number)
    dtype = tf.as_dtype(described["dtype"])
    if described["kind"] == "sparse":
        return v1.sparse_placeholder(dtype, described["shape"], name=name)
    return v1.placeholder(dtype, described["shape"], name=name)


def _body(inputs):
    """Give back each input, how many elements it has, and how many inputs there are."""
    outputs = {"inputs": tf.constant(len(inputs))}
    for number, one in enumerate(inputs):
        if isinstance(one, tf.SparseTensor):
            outputs["values_%d" % number] = tf.identity(one.values)
            outputs["entries_%d" % number] = tf.size(one.indices)
        elif hasattr(one, "flat_values"):
            outputs["values_%d" % number] = tf.identity(one.flat_values)
            outputs["rows_%d" % number] = tf.size(one.row_splits)
        else:
            outputs["same_%d" % number] = tf.identity(one)
            outputs["size_%d" % number] = tf.size(one)
    return outputs


def _definition(inputs, outputs):
    utils = v1.saved_model.utils
    return v1.saved_model.signature_def_utils.build_signature_def(
        {name: utils.build_tensor_info(one) for name, one in inputs.items()},
        {name: utils.build_tensor_info(one) for name, one in outputs.items()},
        "tensorflow/serving/predict",
    )


def _call(session, signature, named, outputs):
    feeds, inputs = {}, {}
    for described in signature["inputs"]:
        name, one = described["name"], named[described["name"]]
        if described["kind"] == "sparse":
            parts = _sparse(described)
            tensors = {"values": one.values, "indices": one.indices, "dense_shape": one.dense_shape}
            for part, array in parts.items():
                inputs["%s/%s" % (name, part)] = array
                feeds[tensors[part]] = array
        else:
            inputs[name] = feeds[one] = _array(described["dtype"], _sizes(described["shape"]))
    return {"inputs": inputs, "outputs": session.run(outputs, feeds)}


def _concrete(described):
    specs = {each["name"]: _spec(each) for each in described}

    def body(**inputs):
        # Newer releases call an argument by another name where Python would not take its own.
        given = list(inputs.values())
        return _body([inputs.get(each["name"], one) for each, one in zip(described, given)])

    return tf.function(body).get_concrete_function(**specs)


def _spec(described):
    shape, dtype = described["shape"], tf.as_dtype(described["dtype"])
    if described["kind"] == "sparse":
        return tf.SparseTensorSpec(shape, dtype)
    if described["kind"] == "ragged":
        return tf.RaggedTensorSpec(shape, dtype, ragged_rank=1)
    return tf.TensorSpec(shape, dtype, name=described["name"])


def _sizes(shape):
    return (_OPEN,) if shape is None else tuple(_OPEN if size is None else size for size in shape)


def _array(dtype, shape):
    count = int(np.prod(shape, dtype=np.int64))
    if dtype == "string":
        flat = np.empty(count, dtype=object)
        flat[:] = [b"word %d" % number for number in range(count)]
        return flat.reshape(shape)
    return np.arange(count).reshape(shape).astype(tf.as_dtype(dtype).as_numpy_dtype)


def _sparse(described):
    shape = _sizes(described["shape"])
    count = min(_ENTRIES, int(np.prod(shape, dtype=np.int64)))
    places = np.array(np.unravel_index(np.arange(count), shape)).T.reshape(count, len(shape))
    return {
        "values": _array(described["dtype"], (count,)),
        "indices": places.astype(np.int64),
        "dense_shape": np.array(shape, dtype=np.int64),
    }
