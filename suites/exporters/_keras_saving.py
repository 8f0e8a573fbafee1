"""How the exporters of this folder save a Keras model, as Keras 2 and as Keras 3 do it, and record what it computes.

TensorFlow has Keras 2 up to 2.15 (``Model.save`` writes a SavedModel; ``Model.export`` came with 2.13) and Keras 3 from 2.16 on,
where ``Model.export`` is the only way to one. Both always strip default-valued attrs.
"""

import zlib
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from _saving import Arrays, Recording, require_module

RELEASE = tuple(int(part) for part in tf.__version__.split(".")[:2])
IS_KERAS_3 = RELEASE >= (2, 16)
_FIRST_EXPORT = (2, 13)
_OWN = "__saved_model"


def require_keras(strip_default_attrs: bool) -> None:
    """Say whether this release can save a Keras model as it is asked to.

    Raises:
        NotImplementedError: it saves none as a SavedModel of TensorFlow 2, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)


def require_keras_export(strip_default_attrs: bool) -> None:
    """Say whether this release has ``Model.export``.

    Raises:
        NotImplementedError: it does not, or it would strip what is to be kept.
    """
    if RELEASE < _FIRST_EXPORT:
        # 2.12 has a first form of it, which takes models of one input only and gives that no name.
        raise NotImplementedError(
            "Model.export of several named inputs came with TensorFlow 2.13; this is {}.".format(
                tf.__version__
            )
        )
    require_module(strip_default_attrs)


def draw_weights(model: Any, seed: int) -> None:
    """Set the weights of a Keras model that has been built: the same ones in each release.

    Each array is drawn for itself, by its layer's name and its place there, as releases list the layers' weights
    in other orders.

    Args:
        model: its layers that have weights have names of their own.
        seed: of all weights.
    """
    for layer in model.layers:
        names = [_last_part(weight) for weight in layer.weights]
        shapes = [weight.shape for weight in layer.weights]
        layer.set_weights(
            [
                _drawn(np.random.RandomState([seed, zlib.crc32(layer.name.encode()), at]), *each)
                for at, each in enumerate(zip(names, shapes))
            ]
        )


def save_keras(
    model: Any, feed: Any, directory: str, *, exporting: bool = IS_KERAS_3, **options: Any
) -> Recording:
    """Save a Keras model and record each signature that Keras gave it.

    Args:
        model: has been built. Where it has several outputs, it returns them by name.
        feed: what the model is called on: an array, or several by name.
        directory: becomes the SavedModel.
        exporting: whether with ``Model.export``, or with ``Model.save``.
        options: of ``Model.save``.
    """
    outputs = model(_tensors(feed), training=False)
    if exporting:
        model.export(directory)
    else:
        # Up to 2.2 a subclassed model has no signature before it has been used as Keras uses it.
        model.predict(feed)
        model.save(directory, save_format="tf", **options)
    return {
        key: {"inputs": _by_alias(inputs, feed), "outputs": _by_alias(names, _arrays(outputs))}
        for key, (inputs, names) in signature_names(directory).items()
    }


def signature_names(directory: str) -> Dict[str, Any]:
    """Return the names of inputs and of outputs of each signature of a SavedModel, by key."""
    data = (Path(directory) / "saved_model.pb").read_bytes()
    [meta_graph] = saved_model_pb2.SavedModel.FromString(data).meta_graphs
    return {
        key: (sorted(signature.inputs), sorted(signature.outputs))
        for key, signature in meta_graph.signature_def.items()
        if not key.startswith(_OWN)
    }


def _by_alias(names: List[str], values: Any) -> Arrays:
    """Return values by the names that a signature has for them.

    Raises:
        ValueError: the names are not those of the values.
    """
    if not isinstance(values, dict):
        [name] = names
        return {name: values}
    if len(values) == len(names) == 1:
        # Keras names a single output as it likes: up to 2.2 output_1 whatever the model calls it.
        return dict(zip(names, values.values()))
    if sorted(values) != names:
        raise ValueError("Keras calls {} {}.".format(sorted(values), names))
    return values


def _tensors(feed: Any) -> Any:
    if isinstance(feed, dict):
        return {name: tf.constant(array) for name, array in feed.items()}
    return tf.constant(feed)


def _arrays(outputs: Any) -> Any:
    if isinstance(outputs, dict):
        return {name: tensor.numpy() for name, tensor in outputs.items()}
    return outputs.numpy()


def _last_part(weight: Any) -> str:
    """Return what a weight is called in its layer: Keras 2 tells ``dense/kernel:0``, Keras 3 ``kernel``."""
    return weight.name.split("/")[-1].split(":")[0]


def _drawn(random: np.random.RandomState, name: str, shape: Any) -> np.ndarray:
    """Draw a weight of a scale that keeps activations near 1, whatever the number of inputs."""
    shape = tuple(int(size) for size in shape)
    if len(shape) < 2:
        around_one = name in ("gamma", "moving_variance")
        return (random.uniform(-0.1, 0.1, size=shape) + around_one).astype(np.float32)
    # The filter of a depthwise convolution has one channel's inputs only.
    depthwise = len(shape) == 4 and shape[-1] == 1
    inputs = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
    return (random.standard_normal(shape) * np.sqrt(2.0 / inputs)).astype(np.float32)
