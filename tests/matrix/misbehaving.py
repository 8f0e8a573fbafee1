"""Exporters for tests: models that end their process, hang, take all memory, or answer what they like.

They run inside producers. Every signature but a few takes ``x``, float32 of shape ``[n]``, and answers
``y``; nothing is recorded unless a function says so.
"""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def abort(directory, *, strip_default_attrs, seed):
    """A run that ends in LOG(FATAL)."""
    return _export(directory, lambda x: _after(v1.raw_ops.Abort(error_msg="seeded abort"), x))


def leave(directory, *, strip_default_attrs, seed):
    """A run that ends the process as if all were well."""
    return _export(directory, lambda x: _after(v1.raw_ops.Abort(exit_without_error=True), x))


def hang(directory, *, strip_default_attrs, seed):
    """A run that waits for what nobody sends."""
    return _export(directory, lambda x: _never("run") + v1.reduce_sum(x))


def hang_thrice(directory, *, strip_default_attrs, seed):
    """Three signatures whose runs wait for what nobody sends."""
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        signatures = {
            key: ({"x": x}, {"y": _never(key) + v1.reduce_sum(x)}) for key in ("a", "b", "c")
        }
        return _save(directory, signatures)


def hog(directory, *, strip_default_attrs, seed):
    """A run that asks for a tensor of 4 GB."""
    return _export(
        directory, lambda x: v1.reduce_sum(v1.fill([1024, 1024, 1024 * v1.size(x)], x[0]))
    )


def swell(directory, *, strip_default_attrs, seed):
    """A run that doubles a string until the allocator throws, which nothing catches."""

    def doubled(x):
        text = v1.as_string(x)
        for _ in range(32):
            text = v1.strings.join([text, text])
        return v1.strings.length(text)

    return _export(directory, doubled)


def chance(directory, *, strip_default_attrs, seed):
    """A run that answers something else each time."""
    return _export(directory, lambda x: v1.random_uniform(v1.shape(x)))


def abort_in_init(directory, *, strip_default_attrs, seed):
    """A load that ends in LOG(FATAL)."""
    return _export(directory, v1.identity, lambda: v1.raw_ops.Abort(error_msg="seeded abort"))


def hang_in_init(directory, *, strip_default_attrs, seed):
    """A load that waits for what nobody sends."""
    return _export(directory, v1.identity, lambda: v1.group(_never("init")))


def fail_in_init(directory, *, strip_default_attrs, seed):
    """A load whose init op refuses."""
    return _export(directory, v1.identity, lambda: v1.Assert(False, ["seeded refusal"]))


def refuse(directory, *, strip_default_attrs, seed):
    """A run that no inputs are good enough for."""
    refused = "seeded refusal"
    return _export(directory, lambda x: _after(v1.Assert(v1.reduce_all(x > 1e30), [refused]), x))


def refuse_batches(directory, *, strip_default_attrs, seed):
    """A run that takes one example and no more."""
    return _export(directory, lambda x: v1.reshape(x, [1]))


def lose_kernel(directory, *, strip_default_attrs, seed):
    """A run of an op that has no kernel from 2.9 on."""

    def bucketed(x):
        return v1.raw_ops.BoostedTreesBucketize(float_values=[x], bucket_boundaries=[[0.5]])[0]

    return _export(directory, bucketed)


def without_signatures(directory, *, strip_default_attrs, seed):
    """A model that has no signature."""
    with v1.Graph().as_default():
        v1.placeholder(tf.float32, [None], name="x")
        return _save(directory, {})


def without_outputs(directory, *, strip_default_attrs, seed):
    """A signature that answers nothing."""
    with v1.Graph().as_default():
        return _save(
            directory,
            {"serving_default": ({"x": v1.placeholder(tf.float32, [None], name="x")}, {})},
        )


def handle(directory, *, strip_default_attrs, seed):
    """A signature with an input that nobody can make up, and another that is like any."""
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        resource = v1.placeholder(tf.resource, [], name="resource")
        signatures = {
            "serving_default": ({"x": x}, {"y": v1.identity(x, name="y")}),
            "by_handle": ({"resource": resource}, {"y": v1.constant(1.0)}),
        }
        return _save(directory, signatures)


def liar(directory, *, strip_default_attrs, seed):
    """A model whose recorded outputs are a thousandth off."""
    _export(directory, v1.identity)
    x = np.array([1.0, 2.0, 3.0], np.float32)
    return {"serving_default": {"inputs": {"x": x}, "outputs": {"y": x + np.float32(0.001)}}}


def honest(directory, *, strip_default_attrs, seed):
    """A model that hands back what it is given, as recorded."""
    _export(directory, v1.identity, strip_default_attrs=strip_default_attrs)
    x = np.random.RandomState(seed).uniform(size=3).astype(np.float32)
    return {"serving_default": {"inputs": {"x": x}, "outputs": {"y": x}}}


def _never(name):
    return v1.FIFOQueue(1, [tf.float32], shapes=[[]], name="queue_" + name).dequeue()


def _after(op, tensor):
    with v1.control_dependencies([op]):
        return v1.identity(tensor)


def _export(directory, compute, init=None, strip_default_attrs=True):
    with v1.Graph().as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        signatures = {"serving_default": ({"x": x}, {"y": compute(x)})}
        return _save(directory, signatures, init() if init else None, strip_default_attrs)


def _save(directory, signatures, init=None, strip_default_attrs=True):
    describe = v1.saved_model.utils.build_tensor_info
    definitions = {
        key: v1.saved_model.signature_def_utils.build_signature_def(
            {alias: describe(tensor) for alias, tensor in inputs.items()},
            {alias: describe(tensor) for alias, tensor in outputs.items()},
            "tensorflow/serving/predict",
        )
        for key, (inputs, outputs) in signatures.items()
    }
    with v1.Session() as session:
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map=definitions,
            main_op=init,
            strip_default_attrs=strip_default_attrs,
        )
        builder.save()
    return {}
