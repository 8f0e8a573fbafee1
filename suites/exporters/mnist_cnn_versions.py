"""The network of `mnist_cnn` as TensorFlow Serving finds it: a base folder with two versions, of which the newer one is served."""

from pathlib import Path

import mnist_cnn
from _saving import Recording


def export_builder(directory: str, *, strip_default_attrs: bool, seed: int) -> Recording:
    """Export with ``SavedModelBuilder`` into the version folders ``1`` and ``2``: ``image`` -> ``softmax``, ``prediction``.

    Args:
        directory: becomes the base folder.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: of the weights of the newer version and of the recorded images; the older one has other weights.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    newer = mnist_cnn.export_builder(directory, strip_default_attrs=strip_default_attrs, seed=seed)
    base = Path(directory)
    (base / "1").rename(base / "2")
    mnist_cnn.export_builder(directory, strip_default_attrs=strip_default_attrs, seed=seed + 1)
    return newer
