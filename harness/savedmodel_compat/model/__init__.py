"""A SavedModel on disk, read without TensorFlow."""

from savedmodel_compat.model.files import digest
from savedmodel_compat.model.graph import (
    Node,
    functions_named,
    functions_reached,
    ops_used,
    reachable,
    roots_of,
    walk,
)
from savedmodel_compat.model.locate import locate
from savedmodel_compat.model.objects import ObjectGraph
from savedmodel_compat.model.reader import read
from savedmodel_compat.model.values import (
    AssetFile,
    Encoding,
    Fingerprint,
    MetaGraph,
    ModelFile,
    SavedModel,
    Saver,
    Signature,
    TensorSpec,
)

__all__ = [
    "AssetFile",
    "Encoding",
    "Fingerprint",
    "MetaGraph",
    "ModelFile",
    "Node",
    "ObjectGraph",
    "SavedModel",
    "Saver",
    "Signature",
    "TensorSpec",
    "digest",
    "functions_named",
    "functions_reached",
    "locate",
    "ops_used",
    "reachable",
    "read",
    "roots_of",
    "walk",
]
