"""Calls a Keras model that `tf.saved_model.load` gives, as in training and as in serving.

It runs inside a release: CPython 3.6 syntax, and nothing imported but the standard library, numpy and TensorFlow.
"""

from typing import Any, Dict, List

import numpy as np
import tensorflow as tf


def call(directory: str, image: List[Any], times: int) -> Dict[str, np.ndarray]:
    """Return what the model answers in serving before and after several calls in training, these answers, and how its variables moved.

    Args:
        directory: what `Model.save` wrote.
        image: the inputs, float32, as nested lists.
        times: how many calls there are in training.
    """
    loaded = tf.saved_model.load(directory)
    fed = {"image": tf.constant(image, tf.float32)}
    before = {each.name: each.numpy() for each in loaded.variables}
    seen = {"before": _answer(loaded(fed, training=False))}
    seen["training"] = np.stack([_answer(loaded(fed, training=True)) for _ in range(times)])
    seen["after"] = _answer(loaded(fed, training=False))
    moved = {v.name for v in loaded.variables if not np.array_equal(v.numpy(), before[v.name])}
    seen["moved"] = np.array(sorted(name.split("/")[-1].split(":")[0] for name in moved))
    return seen


def _answer(outputs: Any) -> np.ndarray:
    # Up to 2.1 a model that was told names for its outputs gives a list of them.
    [output] = outputs.values() if isinstance(outputs, dict) else [outputs]
    return (output[0] if isinstance(output, list) else output).numpy()
