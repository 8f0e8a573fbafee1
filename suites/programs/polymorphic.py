"""Calls the function of `polymorphic_module.py` after it has been loaded: the concrete function that fits, or none.

It runs inside a release: CPython 3.6 syntax, and nothing imported but the standard library, numpy and TensorFlow.
"""

from typing import Any, Dict, List

import numpy as np
import tensorflow as tf


def call(directory: str, values: List[Any], keywords: Dict[str, Any]) -> Dict[str, np.ndarray]:
    """Return what the loaded object answers.

    Args:
        directory: the SavedModel.
        values: the input, float32, as nested lists.
        keywords: further arguments, as they are.
    """
    loaded = tf.saved_model.load(directory)
    answers = loaded(tf.constant(values, tf.float32), **keywords)
    return {name: answer.numpy() for name, answer in answers.items()}


def call_signature(directory: str, key: str, values: List[Any]) -> Dict[str, np.ndarray]:
    """Return what a signature answers to its input `x` alone.

    Args:
        directory: the SavedModel.
        key: the signature.
        values: the input, float32, as nested lists.
    """
    signature = tf.saved_model.load(directory).signatures[key]
    answers = signature(x=tf.constant(values, tf.float32))
    return {name: answer.numpy() for name, answer in answers.items()}
