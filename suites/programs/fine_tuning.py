"""Trains what `tf.saved_model.load` gives, as its exporter trained the object that it had saved.

It runs inside a release: CPython 3.6 syntax, and nothing imported but the standard library, numpy and TensorFlow.
"""

import os
from typing import Any, Dict

import numpy as np
import tensorflow as tf

_FILE = os.path.join("assets.extra", "fine_tuning.npz")


def train(directory: str, cut: bool = False) -> Dict[str, np.ndarray]:
    """Take as many steps as the exporter did, on the same examples, and return the same that it kept.

    Args:
        directory: a reusable SavedModel.
        cut: whether the inputs of the penalties are cut off from the variables, so that these have no gradients of them.
    """
    kept = np.load(os.path.join(directory, _FILE))
    loaded = tf.saved_model.load(directory)
    trained = list(loaded.trainable_variables)
    penalties = [penalty() for penalty in loaded.regularization_losses]
    seen = _described(loaded)
    seen["regularization_losses"] = np.array([float(each) for each in penalties])
    losses = []
    for step in range(len(kept["losses"])):
        with tf.GradientTape() as tape:
            errors = loaded(tf.constant(kept["x"]), training=True) - kept["targets"]
            penalty = sum(each() for each in loaded.regularization_losses)
            loss = tf.reduce_mean(tf.square(errors)) + (
                tf.stop_gradient(penalty) if cut else penalty
            )
        gradients = tape.gradient(loss, trained)
        losses.append(float(loss))
        if step == 0:
            seen.update(_numbered("gradient", [tf.convert_to_tensor(each) for each in gradients]))
        for each, gradient in zip(trained, gradients):
            each.assign_sub(kept["rate"] * gradient)
    seen["losses"] = np.array(losses, np.float32)
    seen.update(_numbered("variable", loaded.variables))
    return seen


def train_as_layer(directory: str) -> Dict[str, np.ndarray]:
    """Train the same in a Keras 2 model around it, with an optimizer of Keras, and return the losses and the variables.

    The layer does what `KerasLayer` of TensorFlow Hub does: it takes the variables and the penalties for its own.
    """
    kept = np.load(os.path.join(directory, _FILE))
    layer = _Reused(tf.saved_model.load(directory))
    x = tf.keras.layers.Input(kept["x"].shape[1:])
    model = tf.keras.Model(x, layer(x))
    optimizer = tf.keras.optimizers.SGD(float(kept["rate"]))
    losses = []
    for _ in kept["losses"]:
        with tf.GradientTape() as tape:
            errors = model(tf.constant(kept["x"]), training=True) - kept["targets"]
            loss = tf.reduce_mean(tf.square(errors)) + sum(model.losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
        losses.append(float(loss))
    seen = {"losses": np.array(losses, np.float32)}
    seen.update(_numbered("variable", layer.reused.variables))
    return seen


class _Reused(tf.keras.layers.Layer):
    """A layer that is a loaded SavedModel."""

    def __init__(self, reused: Any) -> None:
        super().__init__()
        self.reused = reused
        trained = {each.name for each in reused.trainable_variables}
        # Keras finds none of these by itself: what is loaded is no layer.
        for each in reused.variables:
            of = self._trainable_weights if each.name in trained else self._non_trainable_weights
            if not any(each is known for known in self.weights):
                of.append(each)
        for penalty in reused.regularization_losses:
            self.add_loss(penalty)

    def call(self, inputs, training=False):
        return self.reused(inputs, training=training)


def _described(loaded: Any) -> Dict[str, np.ndarray]:
    names = {"variables": loaded.variables, "trainable_variables": loaded.trainable_variables}
    seen = {key: np.array([_name(each) for each in group]) for key, group in names.items()}
    seen["shapes"] = np.array([str(tuple(each.shape)) for each in loaded.variables])
    return seen


def _name(variable: Any) -> str:
    return variable.name.split(":")[0]


def _numbered(name: str, values: Any) -> Dict[str, np.ndarray]:
    return {"%s_%d" % (name, at): each.numpy() for at, each in enumerate(values)}
