"""The graphs of `attr_carriers` that compute something with an image."""

import numpy as np
import tensorflow as tf

from _carriers import Attrs, Built, drawn_from, placeholder
from _raw_ops import raw


def conv2d(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return a convolution of an image."""
    return _convolved(
        "Conv2D", attrs, drawn_from(random, 1, 6, 6, 1), drawn_from(random, 3, 3, 1, 2)
    )


def conv3d(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return a convolution of a volume."""
    return _convolved(
        "Conv3D", attrs, drawn_from(random, 1, 4, 4, 4, 1), drawn_from(random, 2, 2, 2, 1, 1)
    )


def depthwise_conv2d(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return a convolution of each channel of an image."""
    return _convolved(
        "DepthwiseConv2dNative",
        attrs,
        drawn_from(random, 1, 6, 6, 2),
        drawn_from(random, 3, 3, 2, 1),
    )


def max_pool(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return the largest values of the parts of an image."""
    fed = drawn_from(random, 1, 5, 5, 1)
    x = placeholder(fed)
    arguments = {"padding": "VALID", **attrs}
    y = raw("MaxPool", input=x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], **arguments)
    return Built({"x": x}, {"y": y}, {"x": fed})


def resize_bilinear(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return an image of another size."""
    return _resized("ResizeBilinear", attrs, random)


def resize_bicubic(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return an image of another size."""
    return _resized("ResizeBicubic", attrs, random)


def resize_nearest(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return an image of another size."""
    return _resized("ResizeNearestNeighbor", attrs, random)


def batch_norm(attrs: Attrs, random: np.random.RandomState) -> Built:
    """Return normalised numbers in training, and the running mean of them if it is asked for."""
    fed = drawn_from(random, 2, 3, 1, 2)
    x = placeholder(fed)
    running = [0.5, 0.25] if attrs else []
    normalised = raw(
        "FusedBatchNormV3",
        x=x,
        scale=tf.constant([1.0, 2.0]),
        offset=tf.constant([0.0, 1.0]),
        mean=tf.constant(running, tf.float32),
        variance=tf.constant(running, tf.float32),
        is_training=True,
        **attrs,
    )
    return Built({"x": x}, {"y": normalised[0], "mean": normalised[1]}, {"x": fed})


def _convolved(op: str, attrs: Attrs, fed: np.ndarray, filters: np.ndarray) -> Built:
    x = placeholder(fed)
    arguments = {"padding": "SAME", "strides": [1] * fed.ndim, **attrs}
    y = raw(op, input=x, filter=tf.constant(filters), **arguments)
    return Built({"x": x}, {"y": y}, {"x": fed})


def _resized(op: str, attrs: Attrs, random: np.random.RandomState) -> Built:
    fed = drawn_from(random, 1, 4, 4, 1)
    x = placeholder(fed)
    y = raw(op, images=x, size=tf.constant([3, 6]), **attrs)
    return Built({"x": x}, {"y": y}, {"x": fed})
