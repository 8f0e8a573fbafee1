"""How the exporters of this folder train what they have saved, and keep what they saw for consumers to see the same.

The steps are plain gradient descent, written out, as optimizers differ between releases.
"""

from pathlib import Path
from typing import Any, List

import numpy as np
import tensorflow as tf

_FILE = "assets.extra/fine_tuning.npz"
_STEPS = 4
_RATE = 0.1


def keep_training(model: Any, x: np.ndarray, targets: np.ndarray, directory: str) -> None:
    """Train a model and write what was seen beside its SavedModel.

    Args:
        model: a callable that takes ``training``, with ``variables``, ``trainable_variables`` and ``regularization_losses``
            (functions, or values that are read anew); it is changed.
        x: the inputs of each step.
        targets: what the outputs are to be, after each step more nearly.
        directory: the SavedModel.
    """
    seen = {
        "x": x,
        "targets": targets,
        "rate": np.float32(_RATE),
        "variables": _names(model.variables),
        "trainable_variables": _names(model.trainable_variables),
        "shapes": np.array([str(tuple(each.shape)) for each in model.variables]),
        "regularization_losses": np.array([float(each) for each in _penalties(model)]),
    }
    losses = []
    for step in range(_STEPS):
        loss, gradients = _step(model, tf.constant(x), tf.constant(targets))
        losses.append(loss)
        if step == 0:
            seen.update({"gradient_%d" % at: each for at, each in enumerate(gradients)})
    seen["losses"] = np.array(losses, np.float32)
    seen.update({"variable_%d" % at: each.numpy() for at, each in enumerate(model.variables)})
    path = Path(directory) / _FILE
    path.parent.mkdir()
    np.savez(str(path), **seen)


def _step(model: Any, x: tf.Tensor, targets: tf.Tensor) -> Any:
    """Take one step down the gradients, and return the loss before it and these."""
    with tf.GradientTape() as tape:
        errors = model(x, training=True) - targets
        loss = tf.reduce_mean(tf.square(errors)) + sum(_penalties(model))
    trained = model.trainable_variables
    gradients = tape.gradient(loss, trained)
    for each, gradient in zip(trained, gradients):
        each.assign_sub(_RATE * gradient)
    return float(loss), [gradient.numpy() for gradient in gradients]


def _penalties(model: Any) -> List[Any]:
    """Return what the weights add to the loss; Keras keeps the values, a reusable SavedModel functions."""
    if hasattr(model, "regularization_losses"):
        return [penalty() for penalty in model.regularization_losses]
    return list(model.losses)


def _names(variables: Any) -> np.ndarray:
    return np.array([each.name.split(":")[0] for each in variables])
