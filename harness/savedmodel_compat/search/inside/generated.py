"""An exporter of any signature that can be described: its body touches each input and gives it back.

A description is a list of signatures, as `savedmodel_compat.search.signatures.write_exporter` writes them: a ``key``, ``inputs``
(each a ``name``, ``dtype``, ``shape``, ``kind``, ``parts``, ``default`` and ``default_as``), and of a module's function its
``arguments`` in order and the ``aliases`` that `tf.saved_model.save` gives to all that they hold.
"""

import numpy as np
import tensorflow as tf

_RELEASE = tuple(int(part) for part in tf.__version__.split(".")[:2])
v1 = tf.compat.v1 if _RELEASE >= (1, 13) else tf
_OPEN, _ENTRIES = 2, 3
# Before, an output that is no tensor is refused by `tf.saved_model.save`.
_COMPOSITE_OUTPUTS = (2, 5)
# Before, there is no place for them in a SignatureDef.
_DEFAULTS = (2, 14)


def graph_exporter(description):
    """Return an exporter of these signatures, with placeholders and a builder of TensorFlow 1."""

    def export(directory, *, strip_default_attrs, seed):
        recorded, calls = {}, {}
        with v1.Graph().as_default(), v1.Session() as session:
            definitions = {}
            for at, signature in enumerate(description):
                fed = [_placeholder(at, n, each) for n, each in enumerate(signature["inputs"])]
                outputs = _body(fed, composites=True)
                definitions[signature["key"]] = _definition(signature["inputs"], fed, outputs)
                calls[signature["key"]] = (fed, outputs)
            for signature in description:
                fed, outputs = calls[signature["key"]]
                recorded[signature["key"]] = _call(session, signature["inputs"], fed, outputs)
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
        functions, recorded = {}, {}
        for signature in description:
            inputs = {each["name"]: each for each in signature["inputs"]}
            arguments = [inputs[name] for name in signature["arguments"]]
            functions[signature["key"]] = _function(arguments)
            recorded[signature["key"]] = _computed(arguments, signature["aliases"])
        module.kept = list(functions.values())
        tf.saved_model.save(module, directory, signatures=functions)
        return recorded

    return export


def _placeholder(at, number, described):
    name = "signature_%d_input_%d" % (at, number)
    kind, dtype, shape = described["kind"], tf.as_dtype(described["dtype"]), described["shape"]
    if kind == "sparse":
        return v1.sparse_placeholder(dtype, shape, name=name)
    if kind == "ragged":
        return v1.ragged.placeholder(dtype, 1, shape[2:], name=name)
    if kind == "dense":
        return v1.placeholder(dtype, shape, name=name)
    raise ValueError("a graph has no input that is a %s" % kind)


def _body(inputs, composites):
    """Give back each tensor, how many elements it has, and how many inputs there are."""
    outputs = {"inputs": tf.constant(len(inputs))}
    for number, one in enumerate(_flat(inputs)):
        if isinstance(one, tf.SparseTensor):
            values = tf.identity(one.values)
            # The C++ loader fetches nothing that is fed.
            indices, dense_shape = tf.identity(one.indices), tf.identity(one.dense_shape)
            same = tf.SparseTensor(indices, values, dense_shape)
            outputs["entries_%d" % number] = tf.size(one.indices)
        elif hasattr(one, "flat_values"):
            values = tf.identity(one.flat_values)
            splits = tf.identity(one.row_splits)
            same = tf.RaggedTensor.from_row_splits(values, splits, validate=False)
            outputs["rows_%d" % number] = tf.size(one.row_splits)
        else:
            values = same = tf.identity(one)
            outputs["size_%d" % number] = tf.size(one)
        if same is values or composites:
            outputs["same_%d" % number] = same
        else:
            outputs["values_%d" % number] = values
    return outputs


def _flat(inputs):
    """Return what nests hold, and composite tensors whole."""
    for one in inputs:
        if isinstance(one, dict):
            for within in _flat([one[key] for key in sorted(one)]):
                yield within
        elif isinstance(one, (list, tuple)) and not hasattr(one, "dense_shape"):
            for within in _flat(one):
                yield within
        else:
            yield one


def _definition(described, inputs, outputs):
    utils = v1.saved_model.utils
    names = [each["name"] for each in described]
    defaults = {
        each["name"]: tf.constant(_array(each), tf.as_dtype(each["dtype"]))
        for each in described
        if each["default"] is not None
    }
    return v1.saved_model.signature_def_utils.build_signature_def(
        {name: utils.build_tensor_info(one) for name, one in zip(names, inputs)},
        {name: utils.build_tensor_info(one) for name, one in outputs.items()},
        "tensorflow/serving/predict",
        **({"defaults": defaults} if defaults else {}),
    )


def _call(session, described, placeholders, outputs):
    feeds, inputs = {}, {}
    for each, placeholder in zip(described, placeholders):
        arrays = _arrays(each)
        for (name, tensor), array in zip(_parts(each["name"], placeholder), arrays):
            inputs[name] = feeds[tensor] = array
    wanted = {name: part for key, one in outputs.items() for name, part in _parts(key, one)}
    return {"inputs": inputs, "outputs": session.run(wanted, feeds)}


def _parts(name, one):
    """Return the tensors of an input or output of a graph, each with the name that a recording has for it."""
    if isinstance(one, tf.SparseTensor):
        return [
            (name + "/indices", one.indices),
            (name + "/values", one.values),
            (name + "/dense_shape", one.dense_shape),
        ]
    if hasattr(one, "flat_values"):
        return [(name + "/0", one.flat_values), (name + "/1", one.row_splits)]
    return [(name, one)]


def _function(arguments):
    composites = _RELEASE >= _COMPOSITE_OUTPUTS
    if all(each["default"] is None for each in arguments):

        def body(**inputs):
            # Newer releases call an argument by another name where Python would not take its own.
            given = list(inputs.values())
            named = [inputs.get(each["name"], one) for each, one in zip(arguments, given)]
            return _body(named, composites)

        specs = {each["name"]: _spec(each, each["name"]) for each in arguments}
        return tf.function(body).get_concrete_function(**specs)
    # Only a function that was written with them has arguments that may be left out; what is run here is made of names alone.
    scope = {"_body": lambda *given: _body(given, composites)}
    written = []
    for number, each in enumerate(arguments):
        scope["_default_%d" % number] = _given_default(each)
        default = "" if each["default"] is None else "=_default_%d" % number
        written.append(each["name"] + default)
    names = ", ".join(each["name"] for each in arguments)
    exec("def body(%s):\n    return _body(%s)" % (", ".join(written), names), scope)  # noqa: S102
    specs = [_spec(each, each["name"]) for each in arguments]
    return tf.function(scope["body"], input_signature=specs, autograph=False)


def _given_default(each):
    if each["default"] is None:
        return None
    array = _array(each)
    given = {
        "tensor": lambda: tf.constant(array, tf.as_dtype(each["dtype"])),
        "array": lambda: array,
        "list": array.tolist,
        "number": array.item,
    }
    return given[each["default_as"]]()


def _spec(described, name=None):
    kind, shape = described["kind"], described["shape"]
    if kind == "dict":
        return {each["name"]: _spec(each) for each in described["parts"]}
    if kind == "tuple":
        return tuple(_spec(each, each["name"] or None) for each in described["parts"])
    dtype = tf.as_dtype(described["dtype"])
    if kind == "sparse":
        return tf.SparseTensorSpec(shape, dtype)
    if kind == "ragged":
        return tf.RaggedTensorSpec(shape, dtype, ragged_rank=1)
    return tf.TensorSpec(shape, dtype, name=name)


def _computed(arguments, aliases):
    """Record what the body gives outside of any graph."""
    arrays = [array for each in arguments for array in _arrays(each)]
    given = [_given(each) for each in arguments]
    outputs = _body(given, _RELEASE >= _COMPOSITE_OUTPUTS)
    computed = {
        name: part.numpy() for key, one in outputs.items() for name, part in _parts(key, one)
    }
    return {"inputs": dict(zip(aliases, arrays)), "outputs": computed}


def _given(described):
    """Return an input as a function of Python takes it."""
    kind = described["kind"]
    if kind == "dict":
        return {each["name"]: _given(each) for each in described["parts"]}
    if kind == "tuple":
        return tuple(map(_given, described["parts"]))
    arrays = _arrays(described)
    dtype = tf.as_dtype(described["dtype"])
    if kind == "sparse":
        return tf.SparseTensor(arrays[0], tf.constant(arrays[1], dtype), arrays[2])
    if kind == "ragged":
        return tf.RaggedTensor.from_row_splits(tf.constant(arrays[0], dtype), arrays[1])
    return tf.constant(arrays[0], dtype)


def _arrays(described):
    """Return what an input is fed with, in the order in which TensorFlow takes it apart."""
    kind = described["kind"]
    if kind in ("dict", "tuple"):
        parts = described["parts"]
        if kind == "dict":
            parts = sorted(parts, key=lambda each: each["name"])
        return [array for each in parts for array in _arrays(each)]
    if kind == "sparse":
        return _sparse(described)
    if kind == "ragged":
        inner = tuple(described["shape"][2:])
        rows = np.array([0, 1, 1, _ENTRIES], dtype=np.int64)
        return [_counted(described["dtype"], (_ENTRIES, *inner)), rows]
    return [_array(described)]


def _sizes(shape):
    return (_OPEN,) if shape is None else tuple(_OPEN if size is None else size for size in shape)


def _array(described):
    dtype, shape = described["dtype"], _sizes(described["shape"])
    if described["default"] is None:
        return _counted(dtype, shape)
    elements = described["default"]
    if dtype == "string":
        flat = np.empty(len(elements), dtype=object)
        flat[:] = [each.encode("utf-8") for each in elements]
    else:
        flat = np.array(elements, dtype=tf.as_dtype(dtype).as_numpy_dtype)
    return flat.reshape(shape)


def _counted(dtype, shape):
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
    return [
        places.astype(np.int64),
        _counted(described["dtype"], (count,)),
        np.array(shape, dtype=np.int64),
    ]
