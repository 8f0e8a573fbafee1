"""Models that answer with the text of their assets, also where two MetaGraphs have assets of the same name."""

import os
import tempfile
from typing import Dict, Tuple

import numpy as np
import tensorflow as tf

from _meta_graphs import (
    SERVE,
    MetaGraph,
    Recordings,
    asset,
    local_variable,
    predict,
    save_meta_graphs,
)
from _saving import v1

_MOBILE = ("serve", "mobile")


def export_one(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export with ``SavedModelBuilder`` a MetaGraph with two assets.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: stands in the text of the assets.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    with tempfile.TemporaryDirectory() as folder:
        labels = "cat\nd\u00f4g {}\n".format(seed).encode()
        texts = {"labels.txt": labels, "empty.txt": b""}
        meta_graphs = [_meta_graph(folder, texts, SERVE)]
        return save_meta_graphs(meta_graphs, directory, strip_default_attrs=strip_default_attrs)


def export_same_name(directory: str, *, strip_default_attrs: bool, seed: int) -> Recordings:
    """Export two MetaGraphs that each have an asset ``labels.txt``, with other texts: the file of the first is kept for both.

    Args:
        directory: becomes the SavedModel.
        strip_default_attrs: whether attrs that equal their defaults are left out.
        seed: stands in the text of the assets.

    Raises:
        NotImplementedError: this release cannot strip.
    """
    first = "the first {}\n".format(seed).encode()
    second = "the second {}\n".format(seed).encode()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        meta_graphs = [
            _meta_graph(one, {"labels.txt": first}, SERVE),
            _meta_graph(other, {"labels.txt": second, "more.txt": second}, _MOBILE),
        ]
        return save_meta_graphs(meta_graphs, directory, strip_default_attrs=strip_default_attrs)


def _meta_graph(folder: str, texts: Dict[str, bytes], tags: Tuple[str, ...]) -> MetaGraph:
    """Return a MetaGraph that answers with the texts of its assets.

    Loaders say where the assets are to the main op alone, so this is what reads them.
    """
    graph = tf.Graph()
    with graph.as_default():
        before = v1.placeholder(tf.string, [], name="before")
        read, outputs = [], {}
        for file, text in texts.items():
            alias = file.split(".")[0]
            filename = asset(os.path.join(folder, file), text, alias + "_file")
            kept = local_variable(alias + "_text", b"not read")
            read.append(v1.assign(kept, v1.read_file(filename)))
            outputs[alias] = v1.string_join([before, kept], name=alias)
        feed = {"before": np.array(b"> ", dtype=object)}
        signatures = {"serving_default": predict({"before": before}, outputs, feed)}
        return MetaGraph(graph, signatures, tags=tags, main_op=v1.group(*read, name="init"))
