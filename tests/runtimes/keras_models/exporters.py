"""Keras 2 models for tests: two inputs, and outputs in an order that is not the alphabet's."""

import numpy as np
import tensorflow as tf


def keras_model(directory, *, strip_default_attrs, seed):
    """A Keras 2 model with two inputs and two outputs, in no alphabetical order."""
    model, feeds = _keras(seed)
    model.save(directory, save_format="tf")
    total, first = model([feeds["zeta"], feeds["alpha"]], training=False)
    outputs = {"total": total.numpy(), "first": first.numpy()}
    return {"serving_default": {"inputs": feeds, "outputs": outputs}}


def keras_compiled(directory, *, strip_default_attrs, seed):
    """The same, compiled with a loss of somebody's own."""

    def distance(wanted, found):
        return tf.reduce_sum(tf.abs(wanted - found))

    model, feeds = _keras(seed)
    model.compile("sgd", distance)
    wanted = [np.zeros((2, 2), np.float32), np.zeros((2, 1), np.float32)]
    model.fit([feeds["zeta"], feeds["alpha"]], wanted, verbose=0)
    model.save(directory, save_format="tf")
    total, first = model([feeds["zeta"], feeds["alpha"]], training=False)
    outputs = {"total": total.numpy(), "first": first.numpy()}
    return {"serving_default": {"inputs": feeds, "outputs": outputs}}


def keras_signature(directory, *, strip_default_attrs, seed):
    """The same, with a signature that is not the model's call."""
    model, feeds = _keras(seed)

    @tf.function(input_signature=[tf.TensorSpec((None, 4)), tf.TensorSpec((None, 3))])
    def doubled(zeta, alpha):
        return {"doubled": 2.0 * model([zeta, alpha])[0]}

    model.save(directory, save_format="tf", signatures={"doubled": doubled})
    outputs = {"doubled": doubled(feeds["zeta"], feeds["alpha"])["doubled"].numpy()}
    return {"doubled": {"inputs": feeds, "outputs": outputs}}


def _keras(seed):
    random = np.random.RandomState(seed)
    zeta, alpha = tf.keras.Input((4,), name="zeta"), tf.keras.Input((3,), name="alpha")
    joined = tf.keras.layers.Concatenate()([zeta, alpha])
    outputs = [
        tf.keras.layers.Dense(2, activation="relu", name="total")(joined),
        tf.keras.layers.Dense(1, name="first")(joined),
    ]
    model = tf.keras.Model([zeta, alpha], outputs)
    model.set_weights([random.uniform(-1, 1, each.shape) for each in model.get_weights()])
    feeds = {
        "zeta": random.uniform(-1, 1, (2, 4)).astype(np.float32),
        "alpha": random.uniform(-1, 1, (2, 3)).astype(np.float32),
    }
    return model, feeds
