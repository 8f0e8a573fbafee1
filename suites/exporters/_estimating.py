"""How the exporters of Estimators train, predict and export, in whichever release has Estimators: TensorFlow 1.4 to 2.15.

It runs inside producers: CPython 3.6 syntax, and nothing imported but the standard library, numpy and TensorFlow.
"""

import inspect
from typing import Any, Callable, Dict, List

import numpy as np
import tensorflow as tf

from _saving import Arrays, v1

Tensors = Dict[str, tf.Tensor]


def estimators() -> Any:
    """Return the module of Estimators, ``tf.estimator`` as TensorFlow 1 has it.

    Variables become reference variables in every release, that of the global step too: what
    Estimators write is to be read by the oldest consumers.

    Raises:
        NotImplementedError: this release has no Estimators any more.
    """
    if not hasattr(v1, "estimator"):
        raise NotImplementedError(
            "Estimators went with TensorFlow 2.16; this is {}.".format(tf.__version__)
        )
    if hasattr(v1, "disable_resource_variables"):
        v1.disable_resource_variables()
    return v1.estimator


def export_estimator(
    estimator: Any,
    directory: str,
    receiver: Callable[[], Any],
    *,
    strip_default_attrs: bool,
    **options: Any,
) -> str:
    """Export an Estimator into a folder of ``directory`` that is named for the second, and return that folder.

    ``export_saved_model`` always strips; the older ``export_savedmodel`` does if it is asked to, and
    in the oldest releases never.

    Args:
        estimator: trained, or given a ``checkpoint_path`` among the options.
        directory: where the folder goes.
        receiver: returns what receives requests.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        options: further arguments of that method.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    if strip_default_attrs and hasattr(estimator, "export_saved_model"):
        folder = estimator.export_saved_model(directory, receiver, **options)
    else:
        options.update(stripping(estimator.export_savedmodel, strip_default_attrs))
        folder = estimator.export_savedmodel(directory, receiver, **options)
    return tf.compat.as_str(folder)


def stripping(exporting: Callable[..., Any], wanted: bool) -> Dict[str, bool]:
    """Return what asks a method of this release to strip, or not to.

    Raises:
        NotImplementedError: it cannot strip.
    """
    if "strip_default_attrs" in inspect.signature(exporting).parameters:
        return {"strip_default_attrs": wanted}
    if wanted:
        raise NotImplementedError(
            "{} of TensorFlow {} cannot strip default-valued attrs.".format(
                exporting.__name__, tf.__version__
            )
        )
    return {}


def predicted(estimator: Any, features: Callable[[], Tensors], **options: Any) -> Arrays:
    """Return what an Estimator itself predicts, by name: the examples' answers in one array each.

    Args:
        estimator: trained, or given a ``checkpoint_path`` among the options.
        features: returns the features of one batch, once.
        options: further arguments of ``predict``.
    """
    rows = list(estimator.predict(input_fn=features, **options))
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def once(arrays: Arrays) -> Tensors:
    """Return tensors with these values that come once; then the data are at their end."""
    data = tf.data.Dataset.from_tensors(arrays)
    if hasattr(v1.data, "make_one_shot_iterator"):
        return v1.data.make_one_shot_iterator(data).get_next()
    return data.make_one_shot_iterator().get_next()


def examples(rows: List[Dict[str, np.ndarray]]) -> np.ndarray:
    """Return a serialized ``tf.train.Example`` for each row, whose features stand in the order of their names."""
    serialized = []
    for row in rows:
        features = v1.train.Features(feature={name: _feature(row[name]) for name in sorted(row)})
        example = v1.train.Example(features=features)
        serialized.append(example.SerializeToString(deterministic=True))
    return np.array(serialized, dtype=object)


def add(left: tf.Tensor, right: tf.Tensor, name: str) -> tf.Tensor:
    """Return the sum by the op ``Add``: ``tf.add`` writes AddV2 from 2.0 on, which 1.13 does not know."""
    if hasattr(tf, "raw_ops"):
        return tf.raw_ops.Add(x=left, y=right, name=name)
    return tf.add(left, right, name=name)


def gradient_descent(loss: tf.Tensor, rate: float) -> tf.Operation:
    """Return what makes one step, and counts it."""
    optimizer = v1.train.GradientDescentOptimizer(rate)
    return optimizer.minimize(loss, global_step=v1.train.get_global_step())


def _feature(values: np.ndarray) -> Any:
    flat = np.ravel(values)
    if flat.dtype.kind == "f":
        return v1.train.Feature(float_list=v1.train.FloatList(value=flat.tolist()))
    if flat.dtype.kind == "i":
        return v1.train.Feature(int64_list=v1.train.Int64List(value=flat.tolist()))
    return v1.train.Feature(bytes_list=v1.train.BytesList(value=flat.tolist()))
