"""A ``tf.Module`` whose function has been called in several ways: one concrete function for each stands in the SavedModel.

A signature is one concrete function; the object that is loaded again has all of them, and picks the one that a call fits.
"""

from typing import Any, Dict

import numpy as np
import tensorflow as tf

from _saving import Arrays, Recording, require_module

_FEATURES = 3


class _Scaling(tf.Module):
    """Scales vectors or matrices; its variable is made when it is called for the first time."""

    def __init__(self, factors: np.ndarray) -> None:
        super().__init__()
        self._initial = factors
        self.factors = None

    # Without annotations: 2.0 writes those of a function into the SavedModel, and fails, as it knows no types. Without
    # arguments that are strings: releases of up to 2.4 leave such a function out of what they save.
    @tf.function
    def __call__(self, x, summed=False, doubled=False):
        """Return ``x`` times the factors, or the sum of these, once or twice."""
        if self.factors is None:
            self.factors = tf.Variable(self._initial, name="factors")
        y = x * self.factors
        if summed:
            return {"summed": tf.reduce_sum(y, axis=-1)}
        return {"doubled": 2 * y} if doubled else {"scaled": y}


def export_module(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``tf.saved_model.save``: three signatures of one function, each of them another concrete function.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the factors and the recorded inputs.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    random = np.random.RandomState(seed)
    factors = random.uniform(-2, 2, size=_FEATURES).astype(np.float32)
    module = _Scaling(factors)
    rows = tf.TensorSpec([None, _FEATURES], tf.float32, name="x")
    row = tf.TensorSpec([_FEATURES], tf.float32, name="x")
    function = module.__call__
    signatures = {
        "serving_default": function.get_concrete_function(rows),
        "summed": function.get_concrete_function(rows, summed=True),
        "doubled": function.get_concrete_function(row, doubled=True),
    }
    tf.saved_model.save(module, directory, signatures=signatures)
    x = random.uniform(-1, 1, size=(2, _FEATURES)).astype(np.float32)
    calls = {
        "serving_default": (x, {}),
        "summed": (x, {"summed": True}),
        "doubled": (x[0], {"doubled": True}),
    }
    return {key: _call(module, *each) for key, each in calls.items()}


def _call(module: _Scaling, x: np.ndarray, options: Dict[str, Any]) -> Dict[str, Arrays]:
    outputs = module(tf.constant(x), **options)
    return {"inputs": {"x": x}, "outputs": {name: each.numpy() for name, each in outputs.items()}}
