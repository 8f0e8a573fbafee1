"""Modules whose answers change from call to call: a counter, a table that can be added to, and a generator of random numbers.

They are recorded as several calls, made one after the other on the state as it was saved.
"""

from typing import Any, Dict, List, Tuple

import numpy as np
import tensorflow as tf

from _saving import require_module

_CALLS = 3
_PHILOX = 1  # RNG_ALG_PHILOX: 2.0 knows algorithms by number only


def export_counter(
    directory: str, *, strip_default_attrs: bool, seed: int
) -> Dict[str, List[Dict[str, Any]]]:
    """Export a counter: its signature adds to a variable, and answers the sum and how many there were.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded steps.

    Raises:
        NotImplementedError: this release has no ``tf.Module``, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.total = tf.Variable(10.0, name="total")
    module.calls = tf.Variable(np.int64(0), name="calls")

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="step")])
    def count(step):
        return {"total": module.total.assign_add(step), "calls": module.calls.assign_add(1)}

    tf.saved_model.save(module, directory, signatures={"serving_default": count})
    steps = np.random.RandomState(seed).randint(1, 10, size=_CALLS).astype(np.float32)
    calls = []
    for step in steps:
        outputs = {name: each.numpy() for name, each in count(tf.constant(step)).items()}
        calls.append({"inputs": {"step": step}, "outputs": outputs})
    return {"serving_default": calls}


def export_mutable_hash_table(
    directory: str, *, strip_default_attrs: bool, seed: int
) -> Dict[str, List[Dict[str, Any]]]:
    """Export a ``MutableHashTable`` with what was put into it: its signature puts more in, and answers what stood there.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the recorded numbers.

    Raises:
        NotImplementedError: this release has no such table to save, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    table = _mutable_hash_table()
    module = tf.Module()
    module.table = table
    table.insert(tf.constant([b"one", b"two"]), tf.constant([1, 2], tf.int64))
    signature = [
        tf.TensorSpec([None], tf.string, name="words"),
        tf.TensorSpec([None], tf.int64, name="numbers"),
    ]

    @tf.function(input_signature=signature)
    def put(words, numbers):
        before = table.lookup(words)
        with tf.control_dependencies([before]):
            table.insert(words, numbers)
        return {"before": before, "size": table.size()}

    tf.saved_model.save(module, directory, signatures={"serving_default": put})
    words = np.array([b"two", b"three"], dtype=object)
    drawn = np.random.RandomState(seed).randint(10, 99, size=(_CALLS, 2)).astype(np.int64)
    calls = []
    for numbers in drawn:
        outputs = put(tf.constant(words), tf.constant(numbers))
        calls.append(
            {
                "inputs": {"words": words, "numbers": numbers},
                "outputs": {name: each.numpy() for name, each in outputs.items()},
            }
        )
    return {"serving_default": calls}


def export_generator(
    directory: str, *, strip_default_attrs: bool, seed: int
) -> Dict[str, List[Dict[str, Any]]]:
    """Export a ``tf.random.Generator``: each call draws other numbers, and every process the same ones.

    Its state is a variable, which is saved: what is drawn after it has been loaded is what would have been drawn without.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: must be true, as this way of saving always strips.
        seed: of the generator.

    Raises:
        NotImplementedError: this release has no such generator to save, or would strip what is to be kept.
    """
    require_module(strip_default_attrs)
    module = tf.Module()
    module.generator = _generator(seed)

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, name="scale")])
    def draw(scale):
        return {"drawn": scale * module.generator.uniform([4])}

    tf.saved_model.save(module, directory, signatures={"serving_default": draw})
    calls = []
    for scale in np.arange(1, 1 + _CALLS, dtype=np.float32):
        outputs = {"drawn": draw(tf.constant(scale))["drawn"].numpy()}
        calls.append({"inputs": {"scale": scale}, "outputs": outputs})
    return {"serving_default": calls}


def _mutable_hash_table() -> Any:
    """Return a table from words to numbers that the eager session keeps.

    Raises:
        NotImplementedError: this release has none with a public name.
    """
    experimental = getattr(tf.lookup, "experimental", None)
    kind = getattr(experimental, "MutableHashTable", None)
    if kind is None:
        raise NotImplementedError(
            "tf.lookup.experimental.MutableHashTable came with TensorFlow 2.6; this is {}.".format(
                tf.__version__
            )
        )
    return kind(tf.string, tf.int64, default_value=-1)


def _generator(seed: int) -> Any:
    kinds: Tuple[Any, ...] = (tf.random, tf.random.experimental)
    [kind, *_] = [each.Generator for each in kinds if hasattr(each, "Generator")]
    return kind.from_seed(seed, alg=_PHILOX)
