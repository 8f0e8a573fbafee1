"""What the Python loaders do when they are called as users call them, with arguments that the harness has no use for."""

import tensorflow as tf


def v2_without_tags(directory):
    """Load without naming tags, and call the default signature.

    Args:
        directory: of a model with the signature ``serving_default`` and its input ``x``.
    """
    loaded = tf.saved_model.load(directory)
    answer = loaded.signatures["serving_default"](x=tf.constant([[1.0], [2.0]]))
    return {alias: value.numpy() for alias, value in answer.items()}
