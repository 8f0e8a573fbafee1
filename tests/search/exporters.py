"""Models that are wrong for inputs that nobody thinks of; each records a call that it gets right, and can be asked for more.

What is saved differs from what ``call`` computes, as if saving had broken it.
"""

import numpy as np
import tensorflow as tf


def _export(directory, right, saved, specs, recorded):
    module = tf.Module()
    module.function = tf.function(saved, input_signature=specs)
    tf.saved_model.save(module, directory, signatures={"serving_default": module.function})

    def call(inputs):
        answers = right(*[tf.constant(inputs[spec.name]) for spec in specs])
        return {name: answer.numpy() for name, answer in answers.items()}

    return {"serving_default": {"inputs": recorded, "outputs": call(recorded), "call": call}}


def _vector(name="x"):
    return tf.TensorSpec([None, 1], tf.float32, name=name)


def _doubled(x):
    return {"y": 2.0 * x}


_THREE = np.array([[1.0], [2.0], [3.0]], np.float32)


def export_right(directory, *, strip_default_attrs, seed):
    """Save what is recorded."""
    return _export(directory, _doubled, _doubled, [_vector()], {"x": _THREE})


def export_empty_batch(directory, *, strip_default_attrs, seed):
    """Answer no rows with one."""

    def saved(x):
        none = tf.equal(tf.shape(x)[0], 0)
        return {"y": tf.cond(none, lambda: tf.zeros([1, 1]), lambda: 2.0 * x)}

    return _export(directory, _doubled, saved, [_vector()], {"x": _THREE})


def export_beyond_64(directory, *, strip_default_attrs, seed):
    """Be off by one in batches of more than 64."""

    def saved(x):
        return {"y": 2.0 * x + tf.cast(tf.shape(x)[0] > 64, tf.float32)}

    return _export(directory, _doubled, saved, [_vector()], {"x": _THREE})


def export_odd_width(directory, *, strip_default_attrs, seed):
    """Be off by one where the width is odd."""

    def right(image):
        return {"brightness": tf.reduce_sum(image, axis=[1, 2])}

    def saved(image):
        odd = tf.cast(tf.shape(image)[2] % 2, tf.float32)
        return {"brightness": tf.reduce_sum(image, axis=[1, 2]) + odd}

    image = tf.TensorSpec([None, None, None], tf.float32, name="image")
    recorded = {"image": np.ones((2, 4, 4), np.float32)}
    return _export(directory, right, saved, [image], recorded)


def export_empty_string(directory, *, strip_default_attrs, seed):
    """Count a character where there is none."""

    def right(text):
        return {"length": tf.strings.length(text)}

    def saved(text):
        return {"length": tf.maximum(tf.strings.length(text), 1)}

    text = tf.TensorSpec([None], tf.string, name="text")
    recorded = {"text": np.array([b"one", b"three"], object)}
    return _export(directory, right, saved, [text], recorded)


def export_by_position(directory, *, strip_default_attrs, seed):
    """Take the inputs in another order than their names say; the recorded ones are alike."""

    def right(minuend, subtrahend):
        return {"difference": minuend - subtrahend}

    def saved(minuend, subtrahend):
        return {"difference": subtrahend - minuend}

    specs = [_vector("minuend"), _vector("subtrahend")]
    recorded = {"minuend": _THREE, "subtrahend": _THREE}
    return _export(directory, right, saved, specs, recorded)


def export_leaking(directory, *, strip_default_attrs, seed):
    """Add what was fed the time before."""
    last = tf.Variable(0.0)

    def saved(x):
        answer = 2.0 * x + last
        with tf.control_dependencies([answer]):
            last.assign(tf.reduce_sum(x))
        return {"y": answer}

    module = tf.Module()
    module.last = last
    module.function = tf.function(saved, input_signature=[_vector()])
    tf.saved_model.save(module, directory, signatures={"serving_default": module.function})
    return {"serving_default": {"inputs": {"x": _THREE}, "outputs": {"y": 2.0 * _THREE}}}


def export_batch_norm(directory, *, strip_default_attrs, seed):
    """Take the mean of a batch from its rows, as a model in training does."""

    def saved(x):
        return {"y": x - tf.reduce_mean(x, axis=0, keepdims=True)}

    return _export(directory, saved, saved, [_vector()], {"x": _THREE})


def export_undeclared(directory, *, strip_default_attrs, seed):
    """Give an output of another shape than the signature declares."""

    def saved(x):
        wrong = tf.cond(tf.shape(x)[0] > 2, lambda: x[:, :0], lambda: x)
        return {"y": tf.raw_ops.PlaceholderWithDefault(input=wrong, shape=[None, 1])}

    def right(x):
        return {"y": x[:, :0] if x.shape[0] > 2 else x}

    return _export(directory, right, saved, [_vector()], {"x": _THREE})


def export_aborting(directory, *, strip_default_attrs, seed):
    """End the process by a check of TensorFlow's own, for a scalar where an image should be."""

    def saved(image):
        return {"y": tf.nn.conv2d(image, tf.ones([1, 1, 1, 1]), strides=1, padding="SAME")}

    image = tf.TensorSpec([None, None, None, 1], tf.float32, name="image")
    recorded = {"image": np.ones((1, 2, 2, 1), np.float32)}
    return _export(directory, saved, saved, [image], recorded)


def _export_default(directory, meant, said):
    """Save a scale whose default is ``said``, and was ``meant``; it is written from 2.14 on."""

    def scaled(x, scale):
        return {"y": x * scale}

    specs = [_vector(), tf.TensorSpec([], tf.float32, name="scale")]
    module = tf.Module()

    default = tf.constant(said)

    @tf.function(input_signature=specs)
    def serve(x, scale=default):
        return scaled(x, scale)

    module.serve = serve
    tf.saved_model.save(module, directory, signatures={"serving_default": serve})

    def call(inputs):
        scale = inputs.get("scale", np.float32(meant))
        return {"y": scaled(tf.constant(inputs["x"]), tf.constant(scale))["y"].numpy()}

    recorded = {"x": _THREE, "scale": np.float32(5.0)}
    return {"serving_default": {"inputs": recorded, "outputs": call(recorded), "call": call}}


def export_default(directory, *, strip_default_attrs, seed):
    """Declare the default that is meant."""
    return _export_default(directory, 3.0, 3.0)


def export_other_default(directory, *, strip_default_attrs, seed):
    """Declare another one."""
    return _export_default(directory, 3.0, 2.0)


def export_wide_norm(directory, *, strip_default_attrs, seed):
    """Take the mean of a batch of rows of twelve."""
    x = tf.TensorSpec([None, 12], tf.float32, name="x")

    def saved(x):
        return {"y": x - tf.reduce_mean(x, axis=0, keepdims=True)}

    return _export(directory, saved, saved, [x], {"x": np.ones((2, 12), np.float32)})


def export_image_norm(directory, *, strip_default_attrs, seed):
    """Take the mean of a batch of images."""
    x = tf.TensorSpec([None, 96, 96, 3], tf.float32, name="x")

    def saved(x):
        return {"y": tf.reduce_mean(x, axis=[1, 2, 3]) - tf.reduce_mean(x)}

    return _export(directory, saved, saved, [x], {"x": np.ones((2, 96, 96, 3), np.float32)})


def export_two_widths(directory, *, strip_default_attrs, seed):
    """Take the mean of a batch beside an input with so wide rows that few of them are drawn."""
    specs = [_vector(), tf.TensorSpec([None, 20000], tf.float32, name="wide")]

    def saved(x, wide):
        return {"y": x - tf.reduce_mean(x, axis=0, keepdims=True) + wide[:, :1]}

    recorded = {"x": _THREE, "wide": np.ones((3, 20000), np.float32)}
    return _export(directory, saved, saved, specs, recorded)


def export_one_at_a_time(directory, *, strip_default_attrs, seed):
    """Refuse more than one row."""

    def saved(x):
        with tf.control_dependencies([tf.debugging.assert_less(tf.shape(x)[0], 2)]):
            return {"y": 2.0 * x}

    return _export(directory, saved, saved, [_vector()], {"x": _THREE[:1]})


def export_poisoned(directory, *, strip_default_attrs, seed):
    """Answer every row with NaN if one has it."""

    def saved(x):
        return {"y": 2.0 * x + 0.0 * tf.reduce_sum(x)}

    return _export(directory, saved, saved, [_vector()], {"x": _THREE})


def export_fewer_rows(directory, *, strip_default_attrs, seed):
    """Answer with an open first dimension that is no batch."""

    def saved(x):
        return {"y": tf.unique(tf.reshape(x, [-1])).y}

    return _export(directory, saved, saved, [_vector()], {"x": _THREE})


def export_latching(directory, *, strip_default_attrs, seed):
    """Answer otherwise for ever once a large number was fed."""
    largest = tf.Variable(0.0)

    def saved(x):
        before = tf.identity(largest)
        fed = tf.reduce_max(tf.concat([tf.reshape(x, [-1]), [0.0]], axis=0))
        with tf.control_dependencies([before]):
            now = largest.assign(tf.maximum(before, fed))
        with tf.control_dependencies([now]):
            return {"y": x + tf.cast(largest > 3.0, tf.float32)}

    module = tf.Module()
    module.largest = largest
    module.function = tf.function(saved, input_signature=[_vector()])
    tf.saved_model.save(module, directory, signatures={"serving_default": module.function})
    return {"serving_default": {"inputs": {"x": _THREE[:1]}, "outputs": {"y": _THREE[:1]}}}


def export_lenient(directory, *, strip_default_attrs, seed):
    """Answer what was refused before it was saved."""
    recorded = _export(directory, _doubled, _doubled, [_vector()], {"x": _THREE})

    def call(inputs):
        if len(inputs["x"]) > 3:
            raise KeyError("too many")
        return {"y": 2 * inputs["x"]}

    recorded["serving_default"]["call"] = call
    return recorded


def export_refused_default(directory, *, strip_default_attrs, seed):
    """Declare a default that the model itself refuses; it is written from 2.14 on."""
    module = tf.Module()
    default = tf.constant(-1.0)

    @tf.function(input_signature=[_vector(), tf.TensorSpec([], tf.float32, name="scale")])
    def serve(x, scale=default):
        with tf.control_dependencies([tf.debugging.assert_greater(scale, -1.0)]):
            return {"y": x * scale}

    module.serve = serve
    tf.saved_model.save(module, directory, signatures={"serving_default": serve})
    recorded = {"x": _THREE, "scale": np.float32(1.0)}
    return {"serving_default": {"inputs": recorded, "outputs": {"y": _THREE}}}


def export_hanging(directory, *, strip_default_attrs, seed):
    """Never answer more than two numbers."""
    x = tf.TensorSpec([None, 1], tf.float32, name="x")

    def saved(x):
        def goes_on(number):
            return tf.logical_or(number < 1, tf.size(x) > 2)

        rounds = tf.while_loop(goes_on, lambda number: [number + 1], [tf.constant(0)])[0]
        return {"y": 2.0 * x + 0.0 * tf.cast(rounds, tf.float32)}

    return _export(directory, _doubled, saved, [x], {"x": _THREE[:1]})


def export_forgiving(directory, *, strip_default_attrs, seed):
    """Save placeholders that take more than their signatures say: one has a value of its own, one an open shape."""
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        rate = v1.placeholder_with_default(tf.constant(2.0), [], name="rate")
        outputs = {"y": v1.multiply(x, rate)}
        inputs = {each.op.name: v1.saved_model.utils.build_tensor_info(each) for each in (x, rate)}
        inputs["x"].tensor_shape.dim[0].size = 3
        info = {name: v1.saved_model.utils.build_tensor_info(one) for name, one in outputs.items()}
        signature = v1.saved_model.signature_def_utils.build_signature_def(
            inputs, info, "tensorflow/serving/predict"
        )
        builder = v1.saved_model.builder.SavedModelBuilder(directory)
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, strip_default_attrs=True
        )
        builder.save()
        recorded = {"x": np.ones(3, np.float32), "rate": np.float32(3.0)}
        fed = {x: recorded["x"], rate: recorded["rate"]}
        return {"serving_default": {"inputs": recorded, "outputs": session.run(outputs, fed)}}
