"""The protocol buffers of a SavedModel.

They are TensorBoard's copies of TensorFlow's, plus what those lack, in a descriptor pool of their
own: there they keep TensorFlow's names, so that ``Any`` messages and text files resolve, and do not
meet those of a TensorFlow that the process may import. Fields that a newer TensorFlow added survive
a round trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import meta_graph_pb2

from savedmodel_compat.tensors import DTYPES, OMITTED

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

_TENSORBOARD = ".tensorboard."
_PACKAGE = "tensorflow"
_Field = descriptor_pb2.FieldDescriptorProto

# number, name, type or message; a trailing * repeats. Copied in form from the .proto files named.
_ADDED = {
    # tensorflow/core/protobuf/saved_model.proto
    "SavedModel": ((1, "saved_model_schema_version", "int64"), (2, "meta_graphs", "MetaGraphDef*")),
    # tensorflow/core/protobuf/fingerprint.proto
    "FingerprintDef": (
        (1, "saved_model_checksum", "uint64"),
        (2, "graph_def_program_hash", "uint64"),
        (3, "signature_def_hash", "uint64"),
        (4, "saved_object_graph_hash", "uint64"),
        (5, "checkpoint_hash", "uint64"),
        (6, "version", "VersionDef"),
        (7, "uuid", "string"),
    ),
    # tensorflow/core/framework/graph_debug_info.proto; a newer TensorBoard has it
    "GraphDebugInfo": (
        (1, "files", "string*"),
        (2, "traces", "GraphDebugInfo.TracesEntry*"),
        (4, "frames_by_id", "GraphDebugInfo.FramesByIdEntry*"),
        (5, "name_to_trace_id", "GraphDebugInfo.NameToTraceIdEntry*"),
        (6, "traces_by_id", "GraphDebugInfo.TracesByIdEntry*"),
    ),
    "GraphDebugInfo.FileLineCol": (
        (1, "file_index", "int32"),
        (2, "line", "int32"),
        (3, "col", "int32"),
        (4, "func", "string"),
        (5, "code", "string"),
    ),
    "GraphDebugInfo.StackTrace": (
        (1, "file_line_cols", "GraphDebugInfo.FileLineCol*"),
        (2, "frame_id", "fixed64*"),
    ),
    "GraphDebugInfo.TracesEntry": (
        (1, "key", "string"),
        (2, "value", "GraphDebugInfo.StackTrace"),
    ),
    "GraphDebugInfo.FramesByIdEntry": (
        (1, "key", "fixed64"),
        (2, "value", "GraphDebugInfo.FileLineCol"),
    ),
    "GraphDebugInfo.NameToTraceIdEntry": ((1, "key", "string"), (2, "value", "fixed64")),
    "GraphDebugInfo.TracesByIdEntry": (
        (1, "key", "fixed64"),
        (2, "value", "GraphDebugInfo.StackTrace"),
    ),
    # tensorflow/core/protobuf/tensor_bundle.proto; enums are read as numbers
    "BundleHeaderProto": (
        (1, "num_shards", "int32"),
        (2, "endianness", "int32"),
        (3, "version", "VersionDef"),
    ),
    "BundleEntryProto": (
        (1, "dtype", "int32"),
        (2, "shape", "TensorShapeProto"),
        (3, "shard_id", "int32"),
        (4, "offset", "int64"),
        (5, "size", "int64"),
        (6, "crc32c", "fixed32"),
        (7, "slices", "TensorSliceProto*"),
    ),
    # tensorflow/core/framework/tensor_slice.proto
    "TensorSliceProto": ((1, "extent", "TensorSliceProto.Extent*"),),
    "TensorSliceProto.Extent": ((1, "start", "int64"), (2, "length", "int64")),
    # tensorflow/core/framework/kernel_def.proto
    "KernelDef": (
        (1, "op", "string"),
        (2, "device_type", "string"),
        (3, "constraint", "KernelDef.AttrConstraint*"),
        (4, "host_memory_arg", "string*"),
        (5, "label", "string"),
        (6, "priority", "int32"),
    ),
    "KernelDef.AttrConstraint": ((1, "name", "string"), (2, "allowed_values", "AttrValue")),
    "KernelList": ((1, "kernel", "KernelDef*"),),
    # tensorflow_serving/apis/prediction_log.proto and what it imports. The kinds of log are no oneof
    # here, so that a record with several shows all.
    "PredictionLog": (
        (2, "classify_log", "ClassifyLog"),
        (3, "regress_log", "RegressLog"),
        (4, "multi_inference_log", "MultiInferenceLog"),
        (5, "session_run_log", "SessionRunLog"),
        (6, "predict_log", "PredictLog"),
        (7, "predict_streamed_log", "PredictStreamedLog"),
    ),
    "ClassifyLog": ((1, "request", "ClassificationRequest"),),
    "RegressLog": ((1, "request", "RegressionRequest"),),
    "MultiInferenceLog": ((1, "request", "MultiInferenceRequest"),),
    "SessionRunLog": (),
    "PredictLog": ((1, "request", "PredictRequest"),),
    "PredictStreamedLog": ((1, "request", "PredictRequest*"),),
    "PredictRequest": (
        (1, "model_spec", "ModelSpec"),
        (2, "inputs", "PredictRequest.InputsEntry*"),
        (3, "output_filter", "string*"),
    ),
    "PredictRequest.InputsEntry": ((1, "key", "string"), (2, "value", "TensorProto")),
    "ModelSpec": ((1, "name", "string"), (3, "signature_name", "string")),
    "ClassificationRequest": ((1, "model_spec", "ModelSpec"), (2, "input", "ServingInput")),
    "RegressionRequest": ((1, "model_spec", "ModelSpec"), (2, "input", "ServingInput")),
    "MultiInferenceRequest": ((1, "tasks", "InferenceTask*"), (2, "input", "ServingInput")),
    "InferenceTask": ((1, "model_spec", "ModelSpec"), (2, "method_name", "string")),
    # Input in tensorflow_serving/apis/input.proto; the examples stay serialized, as Serving keeps them.
    "ServingInput": (
        (1, "example_list", "ServingExamples"),
        (2, "example_list_with_context", "ServingExamples"),
    ),
    "ServingExamples": ((1, "examples", "bytes*"), (2, "context", "bytes")),
}

# Their entries are those of maps; the others are read as they stand in the file.
_WITH_MAPS = frozenset(("GraphDebugInfo", "PredictRequest"))


def _copied_files() -> Iterator[Any]:
    """Yield TensorBoard's files, each after those it depends on, under TensorFlow's names."""
    seen: set[str] = set()
    stack = [(meta_graph_pb2.DESCRIPTOR, False)]
    while stack:
        file, ready = stack.pop()
        if ready:
            yield _renamed(descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb))
        elif file.name not in seen:
            seen.add(file.name)
            stack.append((file, True))
            stack.extend((dependency, False) for dependency in file.dependencies)


def _renamed(file: Any) -> Any:
    """Move a file into TensorFlow's package, and teach an old one what it lacks."""
    if file.package != _TENSORBOARD.strip("."):
        return file
    file.package = _PACKAGE
    for message in _messages(file.message_type):
        for field in message.field:
            if field.type_name.startswith(_TENSORBOARD):
                field.type_name = f".{_PACKAGE}.{field.type_name[len(_TENSORBOARD) :]}"
        if message.name == "SignatureDef":
            _add_defaults(file, message)
        if message.name == "TensorProto":
            _add_field(message, OMITTED, "savedmodel_compat_omitted", "uint64")
    for enum in file.enum_type:
        if enum.name == "DataType":
            _add_dtypes(enum)
    return file


def _messages(messages: Iterable[Any]) -> Iterator[Any]:
    for message in messages:
        yield message
        yield from _messages(message.nested_type)


def _add_dtypes(enum: Any) -> None:
    """Add the names that a text file may hold; numbers need none."""
    known = {value.name for value in enum.value}
    for dtype in DTYPES:
        if dtype.enum_name not in known:
            enum.value.add(name=dtype.enum_name, number=dtype.number)


def _add_defaults(file: Any, message: Any) -> None:
    """Add the map ``SignatureDef.defaults``, which TensorFlow has since 2.14."""
    if any(field.name == "defaults" for field in message.field):
        return
    file.dependency.append(file.name.replace("meta_graph", "tensor"))
    entry = message.nested_type.add(name="DefaultsEntry")
    entry.options.map_entry = True
    _add_field(entry, 1, "key", "string")
    _add_field(entry, 2, "value", "TensorProto")
    _add_field(message, 4, "defaults", "SignatureDef.DefaultsEntry*")


def _add_field(message: Any, number: int, name: str, kind: str) -> None:
    repeated = kind.endswith("*")
    field = message.field.add(
        number=number,
        name=name,
        label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
    )
    kind = kind.rstrip("*")
    if kind[0].isupper():
        field.type = _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")


def _added_file(dependencies: Iterable[str], present: Container[str]) -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="savedmodel_compat/saved_model.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=dependencies,
    )
    for name, fields in _ADDED.items():
        outer, _, inner = name.partition(".")
        if outer in present:
            continue
        if inner:
            message = next(m for m in file.message_type if m.name == outer).nested_type.add(
                name=inner
            )
            message.options.map_entry = outer in _WITH_MAPS and inner.endswith("Entry")
        else:
            message = file.message_type.add(name=name)
        for number, field, kind in fields:
            _add_field(message, number, field, kind)
    return file


def _fill_pool() -> Any:
    pool = descriptor_pool.DescriptorPool()
    names: list[str] = []
    present: set[str] = set()
    for file in _copied_files():
        pool.AddSerializedFile(file.SerializeToString())
        names.append(file.name)
        present.update(message.name for message in file.message_type)
    pool.AddSerializedFile(_added_file(names, present).SerializeToString())
    return pool


POOL = _fill_pool()

# Before 4.22, protobuf keeps the classes of a pool in a factory; its stubs know only the newer way.
_classes: Any = message_factory
_class_of = (
    _classes.GetMessageClass
    if hasattr(_classes, "GetMessageClass")
    else _classes.MessageFactory(pool=POOL).GetPrototype
)


def parse(message: Any, data: bytes) -> Any:
    """Return the message that bytes hold.

    Args:
        message: one of the classes below.
        data: its serialized form.

    Raises:
        DecodeError: they do not parse.
    """
    try:
        return message.FromString(data)
    except (SystemError, UnicodeDecodeError) as error:
        # So fail protobuf 3.20 in C++ at some damage, and pure Python at text that is no UTF-8.
        raise DecodeError(str(error)) from error


def _message(name: str) -> Any:
    return _class_of(POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


if TYPE_CHECKING:
    # The classes are made at run time; these stand for them in annotations.
    AssetFileDef = Any
    AttrValue = Any
    BundleEntryProto = Any
    BundleHeaderProto = Any
    CollectionDef = Any
    FingerprintDef = Any
    FunctionDef = Any
    FunctionDefLibrary = Any
    GraphDebugInfo = Any
    GraphDef = Any
    KernelDef = Any
    KernelList = Any
    MetaGraphDef = Any
    NameAttrList = Any
    NodeDef = Any
    OpDef = Any
    OpList = Any
    PredictionLog = Any
    SavedModel = Any
    SavedObject = Any
    SavedObjectGraph = Any
    SaverDef = Any
    SignatureDef = Any
    StructuredValue = Any
    TensorInfo = Any
    TensorProto = Any
    TensorShapeProto = Any
    TrackableObjectGraph = Any
    VersionDef = Any
else:
    AssetFileDef = _message("AssetFileDef")
    AttrValue = _message("AttrValue")
    BundleEntryProto = _message("BundleEntryProto")
    BundleHeaderProto = _message("BundleHeaderProto")
    CollectionDef = _message("CollectionDef")
    FingerprintDef = _message("FingerprintDef")
    FunctionDef = _message("FunctionDef")
    FunctionDefLibrary = _message("FunctionDefLibrary")
    GraphDebugInfo = _message("GraphDebugInfo")
    GraphDef = _message("GraphDef")
    KernelDef = _message("KernelDef")
    KernelList = _message("KernelList")
    MetaGraphDef = _message("MetaGraphDef")
    NameAttrList = _message("NameAttrList")
    NodeDef = _message("NodeDef")
    OpDef = _message("OpDef")
    OpList = _message("OpList")
    PredictionLog = _message("PredictionLog")
    SavedModel = _message("SavedModel")
    SavedObject = _message("SavedObject")
    SavedObjectGraph = _message("SavedObjectGraph")
    SaverDef = _message("SaverDef")
    SignatureDef = _message("SignatureDef")
    StructuredValue = _message("StructuredValue")
    TensorInfo = _message("TensorInfo")
    TensorProto = _message("TensorProto")
    TensorShapeProto = _message("TensorShapeProto")
    TrackableObjectGraph = _message("TrackableObjectGraph")
    VersionDef = _message("VersionDef")
