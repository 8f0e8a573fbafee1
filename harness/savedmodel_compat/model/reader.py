"""Reading a SavedModel from disk, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

from savedmodel_compat.errors import DamagedModelError, SavedModelCompatError
from savedmodel_compat.model import files, fingerprint, parse, schema
from savedmodel_compat.model.locate import FILE_NAMES, locate, model_file
from savedmodel_compat.model.values import (
    AssetFile,
    Encoding,
    Fingerprint,
    MetaGraph,
    SavedModel,
    Saver,
    Signature,
    TensorSpec,
)
from savedmodel_compat.tensors import dtype_name, shape_from_proto, to_numpy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_INIT_OP = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
_ASSETS = "saved_model_assets"
# Of all default values of a model; a small file can ask for any size.
_DEFAULTS_LIMIT = 64 << 20
_TOLD = 20


def read(path: Path | str, *, tensor_data: bool = True) -> SavedModel:
    """Return what a SavedModel holds.

    Args:
        path: its folder, or a base folder of TensorFlow Serving; see `locate`.
        tensor_data: whether to read the values of long constants too; see `tensors.content_size`.

    Raises:
        NotASavedModelError: there is no SavedModel.
        DamagedModelError: there is one, but it does not parse.
    """
    folder = locate(path)
    file = model_file(folder) or folder / FILE_NAMES[0]
    source = files.inside(folder, file)
    notes: tuple[str, ...] = ()
    if file.suffix == ".pb":
        proto, tensor_data = parse.read_binary(source, file, tensor_data=tensor_data)
        if (folder / FILE_NAMES[1]).exists():
            notes = (f"{FILE_NAMES[1]} is there too; every loader reads {FILE_NAMES[0]}",)
    else:
        proto, notes = parse.parse_text(parse.read_bytes(source), file)
        tensor_data = True
    hashes, problems = _fingerprint(folder)
    listed, unlisted = files.list_files(folder)
    defaults = _Defaults()
    meta_graphs = tuple(_meta_graph(graph, file, defaults) for graph in proto.meta_graphs)
    return SavedModel(
        path=folder,
        file=file,
        format=file.suffix[1:],
        schema_version=proto.saved_model_schema_version,
        meta_graphs=meta_graphs,
        fingerprint=hashes,
        files=listed,
        notes=(*notes, *problems, *unlisted, *defaults.told()),
        tensor_data=tensor_data,
        proto=proto,
    )


def _fingerprint(folder: Path) -> tuple[Fingerprint | None, tuple[str, ...]]:
    try:
        return fingerprint.load(folder), ()
    except SavedModelCompatError as error:
        # No loader looks at it, so it does not make the model unreadable.
        return None, (f"{fingerprint.NAME} cannot be read: {error.message}",)


@dataclass(slots=True, kw_only=True)
class _Defaults:
    """The default values of a model, as far as they can be read, which no loader minds.

    Args:
        room: how many more bytes they may take.
        notes: which were left out, in words.
        others: how many more were left out.
    """

    room: int = _DEFAULTS_LIMIT
    notes: list[str] = field(default_factory=list)
    others: int = 0

    def read(self, key: str, proto: schema.SignatureDef) -> Iterator[tuple[str, Any]]:
        """Yield those of a signature, as arrays."""
        for alias in sorted(proto.defaults):
            try:
                value = to_numpy(proto.defaults[alias], limit=self.room)
            except SavedModelCompatError as error:
                self._left_out(key, alias, error)
            else:
                self.room -= value.nbytes
                yield alias, value

    def told(self) -> tuple[str, ...]:
        """Return, in words, which were left out."""
        more = (f"{self.others} more defaults were left out",) if self.others else ()
        return (*self.notes, *more)

    def _left_out(self, key: str, alias: str, error: SavedModelCompatError) -> None:
        if len(self.notes) < _TOLD:
            where = f"signature '{key}', input '{alias}'"
            self.notes.append(f"{where}: its default cannot be read and was left out: {error}")
        else:
            self.others += 1


def _meta_graph(proto: schema.MetaGraphDef, file: Path, defaults: _Defaults) -> MetaGraph:
    info = proto.meta_info_def
    versions = proto.graph_def.versions
    return MetaGraph(
        tags=tuple(info.tags),
        tensorflow_version=info.tensorflow_version,
        tensorflow_git_version=info.tensorflow_git_version,
        stripped_default_attrs=info.stripped_default_attrs,
        producer=versions.producer,
        min_consumer=versions.min_consumer,
        bad_consumers=tuple(versions.bad_consumers),
        signatures={
            key: _signature(key, proto.signature_def[key], defaults)
            for key in sorted(proto.signature_def)
        },
        assets=tuple(_assets(proto, file)),
        init_op=_init_op(proto),
        saver=_saver(proto),
        proto=proto,
    )


def _signature(key: str, proto: schema.SignatureDef, defaults: _Defaults) -> Signature:
    return Signature(
        key=key,
        method_name=proto.method_name,
        inputs=_specs(proto.inputs),
        outputs=_specs(proto.outputs),
        defaults=dict(defaults.read(key, proto)),
    )


def _specs(infos: Mapping[str, schema.TensorInfo]) -> dict[str, TensorSpec]:
    return {alias: tensor_spec(infos[alias]) for alias in sorted(infos)}


def tensor_spec(info: schema.TensorInfo) -> TensorSpec:
    """Return what a TensorInfo says."""
    encoding = info.WhichOneof("encoding")
    if encoding == "coo_sparse":
        return _sparse_spec(info)
    if encoding == "composite_tensor":
        return _composite_spec(info)
    return TensorSpec(
        name=info.name,
        dtype=dtype_name(info.dtype),
        shape=shape_from_proto(info.tensor_shape),
    )


def _sparse_spec(info: schema.TensorInfo) -> TensorSpec:
    """Return a sparse tensor's spec; its parts have the shapes that its rank gives them."""
    coo = info.coo_sparse
    dtype = dtype_name(info.dtype)
    shape = shape_from_proto(info.tensor_shape)
    rank = None if shape is None else len(shape)
    return TensorSpec(
        name="",
        dtype=dtype,
        shape=shape,
        encoding=Encoding.SPARSE,
        components={
            "values": TensorSpec(name=coo.values_tensor_name, dtype=dtype, shape=(None,)),
            "indices": TensorSpec(name=coo.indices_tensor_name, dtype="int64", shape=(None, rank)),
            "dense_shape": TensorSpec(
                name=coo.dense_shape_tensor_name, dtype="int64", shape=(rank,)
            ),
        },
    )


def _composite_spec(info: schema.TensorInfo) -> TensorSpec:
    spec = info.composite_tensor.type_spec
    known = spec.DESCRIPTOR.enum_types_by_name["TypeSpecClass"].values_by_number
    number = spec.type_spec_class
    return TensorSpec(
        name="",
        dtype=dtype_name(info.dtype),
        shape=shape_from_proto(info.tensor_shape),
        encoding=Encoding.COMPOSITE,
        components={
            str(index): tensor_spec(component)
            for index, component in enumerate(info.composite_tensor.components)
        },
        type_spec=spec.type_spec_class_name
        or (known[number].name if number in known else str(number)),
    )


def _assets(proto: schema.MetaGraphDef, file: Path) -> Iterator[AssetFile]:
    """Yield the assets, an old model's from a collection (``cc/saved_model/loader_util.cc``)."""
    if proto.asset_file_def:
        definitions = list(proto.asset_file_def)
    else:
        definitions = [_unpacked(item, file) for item in _collection(proto, _ASSETS).any_list.value]
    for definition in definitions:
        yield AssetFile(name=definition.filename, tensor=definition.tensor_info.name)


def _unpacked(item: Any, file: Path) -> schema.AssetFileDef:
    try:
        return schema.parse(schema.AssetFileDef, item.value)
    except DecodeError as error:
        raise DamagedModelError(
            f"{file}: an entry of the collection '{_ASSETS}' is no AssetFileDef: {error}"
        ) from error


def _collection(proto: schema.MetaGraphDef, key: str) -> schema.CollectionDef:
    # Looking up a missing key would add it to the message.
    return proto.collection_def[key] if key in proto.collection_def else schema.CollectionDef()


def _init_op(proto: schema.MetaGraphDef) -> str | None:
    """Return what runs after the restore: ``GetInitOp`` in ``cc/saved_model/loader_util.cc``."""
    if _INIT_OP in proto.signature_def:
        outputs = proto.signature_def[_INIT_OP].outputs
        return outputs[_INIT_OP].name if _INIT_OP in outputs else None
    for key in _INIT_COLLECTIONS:
        names = _collection(proto, key).node_list.value
        if names:
            return str(names[0])
    return None


def _saver(proto: schema.MetaGraphDef) -> Saver | None:
    if not proto.HasField("saver_def"):
        return None
    saver = proto.saver_def
    return Saver(
        filename_tensor=saver.filename_tensor_name,
        restore_op=saver.restore_op_name,
        save_tensor=saver.save_tensor_name,
    )
