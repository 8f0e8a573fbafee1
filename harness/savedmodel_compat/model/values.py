"""What a SavedModel holds, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from savedmodel_compat.errors import UsageError
from savedmodel_compat.model import objects

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy as np

    from savedmodel_compat.model import schema

Shape = tuple[int | None, ...]


class Encoding(enum.Enum):
    """How dense tensors make one (``TensorInfo`` in ``core/protobuf/meta_graph.proto``)."""

    DENSE = "dense"
    SPARSE = "sparse"
    COMPOSITE = "composite"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """One input or output of a signature.

    Args:
        name: tensor in the graph, such as ``x:0``; empty unless the encoding is dense.
        dtype: TensorFlow's name of its element type, such as ``float32``.
        shape: None for an unknown rank, ``()`` for a scalar; None stands for an unknown dimension.
        encoding: dense, sparse or composite.
        components: the dense tensors it is made of: ``values``, ``indices`` and ``dense_shape`` of
            a sparse one, ``0``, ``1``, … of a composite one; those may be composite in turn. Empty
            if it is dense.
        type_spec: class of the Python object that a composite one stands for, such as
            ``RaggedTensorSpec``.
    """

    name: str
    dtype: str
    shape: Shape | None
    encoding: Encoding = Encoding.DENSE
    components: Mapping[str, TensorSpec] = field(default_factory=dict)
    type_spec: str | None = None

    def tensors(self) -> tuple[str, ...]:
        """Return the names of its dense tensors."""
        if self.encoding is Encoding.DENSE:
            return (self.name,)
        return tuple(name for part in self.components.values() for name in part.tensors())


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One SignatureDef.

    Args:
        key: what a request calls it, such as ``serving_default``.
        method_name: such as ``tensorflow/serving/predict``.
        inputs: by alias, sorted.
        outputs: by alias, sorted.
        defaults: values of the inputs that a request may leave out (TensorFlow 2.14 and later).
    """

    key: str
    method_name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    defaults: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    @property
    def is_internal(self) -> bool:
        """Whether it is TensorFlow's own, such as ``__saved_model_init_op``, and never called."""
        return self.key.startswith("__saved_model_")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFile:
    """A file of ``assets/`` that the graph reads.

    Args:
        name: as the MetaGraph gives it, relative to ``assets/``; it is not checked and may lead
            elsewhere.
        tensor: the tensor that is fed its path at load.
    """

    name: str
    tensor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaGraph:
    """One MetaGraphDef.

    Args:
        tags: in the order of the file.
        tensorflow_version: of its producer, such as ``2.11.1``; empty if it does not say.
        tensorflow_git_version: such as ``v2.11.0-94-ga3e2c692c18``.
        stripped_default_attrs: whether its producer left out attrs that have their default values.
        producer: GraphDef version of the producer.
        min_consumer: oldest GraphDef version that may read it.
        bad_consumers: GraphDef versions that must not read it.
        signatures: by key, sorted.
        assets: the files it reads.
        init_op: node or tensor that a loader runs after restoring variables; None if there is none.
        saver: tensors and op with which the variables are restored; None if there are no variables.
        proto: the message itself; not to be changed.
    """

    tags: tuple[str, ...]
    tensorflow_version: str
    tensorflow_git_version: str
    stripped_default_attrs: bool
    producer: int
    min_consumer: int
    bad_consumers: tuple[int, ...]
    signatures: Mapping[str, Signature]
    assets: tuple[AssetFile, ...]
    init_op: str | None
    saver: Saver | None
    proto: schema.MetaGraphDef = field(repr=False, compare=False)

    @property
    def object_graph(self) -> objects.ObjectGraph:
        """Its Python objects in numbers, counted anew at each call; a v1 builder writes none."""
        return objects.summarise(self.proto.object_graph_def)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saver:
    """How the variables are restored (``core/protobuf/saver.proto``).

    Args:
        filename_tensor: fed with the checkpoint's prefix.
        restore_op: run to restore.
        save_tensor: run to save; no loader does.
    """

    filename_tensor: str
    restore_op: str
    save_tensor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What ``fingerprint.pb`` says (TensorFlow 2.12 and later); no loader compares the model."""

    saved_model_checksum: int
    graph_def_program_hash: int
    signature_def_hash: int
    saved_object_graph_hash: int
    checkpoint_hash: int
    producer: int
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A file of the model.

    Args:
        name: relative to the model, with slashes.
        size: in bytes.
    """

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel:
    """One SavedModel on disk.

    Args:
        path: its folder.
        file: the ``saved_model.pb`` or ``saved_model.pbtxt`` that was read.
        format: ``pb`` or ``pbtxt``.
        schema_version: ``saved_model_schema_version``; 1 in every release so far.
        meta_graphs: in the order of the file, at least one.
        fingerprint: None if there is none, or it does not parse.
        files: the files of the folder and of the folders that TensorFlow knows in it, sorted.
        notes: what was odd about the reading, in words.
        proto: the message itself; not to be changed.
        tensor_data: whether all of it was read; False if long constants were left out.
    """

    path: Path
    file: Path
    format: str
    schema_version: int
    meta_graphs: tuple[MetaGraph, ...]
    fingerprint: Fingerprint | None
    files: tuple[ModelFile, ...]
    notes: tuple[str, ...]
    proto: schema.SavedModel = field(repr=False, compare=False)
    tensor_data: bool = True

    def files_in(self, folder: str) -> tuple[ModelFile, ...]:
        """Return the files in ``variables``, ``assets``, ``assets.extra`` or ``debug``."""
        return tuple(file for file in self.files if file.name.startswith(f"{folder}/"))

    def meta_graph(self, tags: Iterable[str]) -> MetaGraph:
        """Return the MetaGraph with exactly these tags, in any order.

        It is the rule of ``FindMetaGraphDef`` in ``cc/saved_model/reader.cc``.

        Raises:
            UsageError: no MetaGraph has them.
        """
        wanted = frozenset(tags)
        for meta_graph in self.meta_graphs:
            if frozenset(meta_graph.tags) == wanted:
                return meta_graph
        present = ", ".join(str(list(meta_graph.tags)) for meta_graph in self.meta_graphs)
        raise UsageError(
            f"{self.file} has no MetaGraph with the tags {sorted(wanted)}; it has {present}",
            hint=f"name one of those tag sets, such as --tags {','.join(self.meta_graphs[0].tags)}",
        )
