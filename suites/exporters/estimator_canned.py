"""A canned Estimator: a linear regression over a number and a word of a vocabulary, whose table is made when the model is loaded.

Its weights are zero to begin with, whatever the release, and one step of gradient descent is made.
"""

import tempfile

import numpy as np

from _estimating import estimators, examples, export_estimator, once, predicted
from _saving import Recording, v1

_WORDS = (b"ape", b"bee", b"cow", b"dog", b"elk")
_VOCABULARY = ("cow", "ape", "dog")
_RATE = 0.1


def export_parsing(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export ``LinearRegressor``: a regress and a predict signature, and the default one, which is the former.

    Args:
        directory: becomes the base folder, with one export in it.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the examples.

    Raises:
        NotImplementedError: this release has no Estimators, or cannot strip.
    """
    api = estimators()
    number = np.random.RandomState([seed, 1]).uniform(-2, 2, size=(len(_WORDS), 1))
    fed = {"number": number.astype(np.float32), "word": np.array(_WORDS).reshape(-1, 1)}
    targets = {"target": np.arange(len(_WORDS), dtype=np.float32).reshape(-1, 1)}
    columns = [
        v1.feature_column.numeric_column("number"),
        v1.feature_column.categorical_column_with_vocabulary_list("word", _VOCABULARY),
    ]
    with tempfile.TemporaryDirectory() as scratch:
        estimator = api.LinearRegressor(
            columns, model_dir=scratch, optimizer=v1.train.GradientDescentOptimizer(_RATE)
        )
        estimator.train(lambda: (once(fed), once(targets)["target"]), steps=1)
        answers = predicted(estimator, lambda: once(fed))["predictions"]
        spec = v1.feature_column.make_parse_example_spec(columns)
        receiver = api.export.build_parsing_serving_input_receiver_fn(spec)
        export_estimator(estimator, directory, receiver, strip_default_attrs=strip_default_attrs)
    serialized = examples([{"number": n, "word": w} for n, w in zip(fed["number"], fed["word"])])
    regressed = {"inputs": {"inputs": serialized}, "outputs": {"outputs": answers}}
    return {
        "serving_default": regressed,
        "regression": regressed,
        "predict": {"inputs": {"examples": serialized}, "outputs": {"predictions": answers}},
    }
