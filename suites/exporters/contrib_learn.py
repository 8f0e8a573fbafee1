"""What `tf.contrib.learn` exports, in TensorFlow 1: an `Experiment` trains an Estimator, evaluates it and exports it by a strategy.

The strategy keeps so many exports and deletes the older ones, which no other way of exporting does.
"""

import os
import tempfile
from typing import Any, Callable

import numpy as np
import tensorflow as tf

from _estimating import add, examples, gradient_descent, once, predicted, stripping
from _parsing import Dense, parse
from _saving import Arrays, Recording, v1, variable

_EXAMPLES = 4
_RATE = 0.05
_KEY = "default_input_alternative:default_output_alternative"


def export_scalars(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export as text, with two features that requests give as one number for each example.

    They are fed through placeholders of shape ``[None]``, and get their second dimension in the graph.

    Args:
        directory: becomes the base folder, with one export in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and the recorded inputs.

    Raises:
        NotImplementedError: this release has no ``tf.contrib``, or cannot strip.
    """
    learn = _contrib_learn()

    def serving() -> Any:
        fed = {name: v1.placeholder(tf.float32, [None], name=name) for name in ("height", "width")}
        features = {name: v1.expand_dims(each, -1) for name, each in fed.items()}
        return learn.InputFnOps(features, None, fed)

    numbers = _numbers(seed)
    fed = {name: each[:, 0] for name, each in numbers.items()}
    answers = _exported(learn, directory, serving, numbers, strip_default_attrs, as_text=True)
    call = {"inputs": fed, "outputs": answers}
    return {"serving_default": call, _KEY: call}


def export_examples(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export a regression over serialized examples: its one input is called ``inputs``, whatever its key was.

    Args:
        directory: becomes the base folder, with one export in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights and of the examples.

    Raises:
        NotImplementedError: this release has no ``tf.contrib``, or cannot strip.
    """
    learn = _contrib_learn()

    def serving() -> Any:
        serialized = v1.placeholder(tf.string, [None], name="serialized")
        one = Dense(tf.float32, [1])
        features = parse(serialized, {"height": one, "width": one})
        return learn.InputFnOps(features, None, {"examples": serialized})

    numbers = _numbers(seed)
    answers = _exported(learn, directory, serving, numbers, strip_default_attrs, head="area")
    serialized = examples(
        [
            {"height": height, "width": width}
            for height, width in zip(numbers["height"], numbers["width"])
        ]
    )
    call = {"inputs": {"inputs": serialized}, "outputs": {"outputs": answers["scores"]}}
    return {"serving_default": call, "default_input_alternative:area": call}


def _contrib_learn() -> Any:
    if not hasattr(tf, "contrib"):
        raise NotImplementedError(
            "tf.contrib went with TensorFlow 2.0; this is {}.".format(tf.__version__)
        )
    return tf.contrib.learn


def _exported(
    learn: Any,
    directory: str,
    serving: Callable[[], Any],
    numbers: Arrays,
    strip_default_attrs: bool,
    *,
    head: str = "",
    as_text: bool = False,
) -> Arrays:
    """Train for one step in an experiment that exports, export the same again, and return what the Estimator predicts.

    Of the two exports in ``directory``, the strategy keeps the newer.
    """
    make = learn.make_export_strategy
    strategy = make(
        serving, as_text=as_text, exports_to_keep=1, **stripping(make, strip_default_attrs)
    )
    targets = {"target": numbers["height"] * numbers["width"]}
    with tempfile.TemporaryDirectory() as scratch:
        estimator = learn.Estimator(_model, model_dir=scratch, params={"head": head})
        experiment = learn.Experiment(
            estimator,
            train_input_fn=lambda: (once(numbers), once(targets)["target"]),
            eval_input_fn=lambda: (once(numbers), once(targets)["target"]),
            train_steps=1,
            eval_steps=1,
            min_eval_frequency=0,
            export_strategies=[strategy],
        )
        _, [exported] = experiment.train_and_evaluate()
        moved = os.path.join(directory, os.path.basename(tf.compat.as_str(exported)))
        os.makedirs(directory, exist_ok=True)
        os.rename(tf.compat.as_str(exported), moved)
        strategy.export(estimator, directory)
        return predicted(estimator, lambda: once(numbers))


# Without annotations, which 1.4 does not take of a model function.
def _model(features, labels, mode, params):
    """Return a model of one head, as ``tf.contrib.learn`` has it: what it solves decides what its signature is."""
    learn = tf.contrib.learn
    half = np.full((1, 1), 0.5, np.float32)
    height = v1.matmul(features["height"], variable("weight_of_height", half))
    width = v1.matmul(features["width"], variable("weight_of_width", half))
    scores = add(height, width, name="scores")
    loss = None if labels is None else v1.reduce_sum(v1.square(scores - labels))
    train = gradient_descent(loss, _RATE) if mode == learn.ModeKeys.TRAIN else None
    heads = {}  # type: Dict[str, Any]
    if params["head"]:
        heads[params["head"]] = (learn.ProblemType.LINEAR_REGRESSION, {"scores": scores})
    return learn.ModelFnOps(
        mode,
        predictions={"scores": scores},
        loss=loss,
        train_op=train,
        output_alternatives=heads or None,
    )


def _numbers(seed: int) -> Arrays:
    drawn = np.random.RandomState([seed, 1]).uniform(0, 2, size=(2, _EXAMPLES, 1))
    return dict(zip(("height", "width"), drawn.astype(np.float32)))
