"""The rules of a SavedModel that hold without running it: what each demands, who enforces it, and how to mend a breach.

L is layout, M MetaGraph, S signature, V variables, W warm-up, T target. Ids are never used again for something else.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

NOBODY = "enforced by nobody"


class Severity(enum.Enum):
    """How much a breach matters."""

    ERROR = "error"  # some loader, server or request fails, or answers with other numbers
    WARNING = "warning"  # it works, or may, and likely not as its owner thinks
    NOTE = "note"  # worth knowing


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule.

    Args:
        id: such as ``L4``.
        severity: what a breach is if the user does not say otherwise.
        title: what the rule demands, in one sentence.
        source: the file of TensorFlow (``TF``) or TensorFlow Serving (``TFS``) that enforces it, or `NOBODY`.
        fix: how to mend a breach.
    """

    id: str
    severity: Severity
    title: str
    source: str
    fix: str


def _error(id: str, title: str, source: str, fix: str) -> Rule:  # noqa: A002 - the field's name
    return Rule(id=id, severity=Severity.ERROR, title=title, source=source, fix=fix)


def _warning(id: str, title: str, source: str, fix: str) -> Rule:  # noqa: A002
    return Rule(id=id, severity=Severity.WARNING, title=title, source=source, fix=fix)


def _note(id: str, title: str, source: str, fix: str) -> Rule:  # noqa: A002
    return Rule(id=id, severity=Severity.NOTE, title=title, source=source, fix=fix)


_AGAIN = "export or copy the model again"

RULES = (
    _error(
        "L1",
        "saved_model.pb, or else saved_model.pbtxt, is there, parses and holds a MetaGraph.",
        "TF cc/saved_model/reader.cc",
        _AGAIN,
    ),
    _warning(
        "L2",
        "Nothing is left of an export or a copy that did not end: each file is written under a temporary name.",
        f"{NOBODY}; TF python/lib/io/file_io.py and core/util/tensor_bundle/tensor_bundle.cc name them",
        "remove the temporary files; if the model misbehaves, export it again",
    ),
    _error(
        "L3",
        "variables/ holds variables.index and every data shard that it counts, of one set.",
        "TF core/util/tensor_bundle/tensor_bundle.cc; a missing index means no variables to cc/saved_model/loader.cc",
        "copy variables/ again, whole",
    ),
    _error(
        "L4",
        "Every asset that a MetaGraph lists is a regular file in assets/.",
        "TF cc/saved_model/loader_util.cc",
        "put the file back into assets/",
    ),
    _warning(
        "L5",
        "What TensorFlow Serving reads of its own lies in assets.extra/, where it looks.",
        "TFS servables/tensorflow/saved_model_warmup_util.h",
        "move it to assets.extra/",
    ),
    _error(
        "L6",
        "debug/saved_model_debug_info.pb, if there is one, parses.",
        "TF cc/saved_model/reader.cc",
        "copy the file again, or remove debug/: no loader needs it",
    ),
    _warning(
        "L7",
        "fingerprint.pb, if there is one, is of this model: its checksums are those of saved_model.pb and variables.index.",
        f"{NOBODY}; TF cc/saved_model/fingerprinting.cc writes it",
        "export the model again, or remove fingerprint.pb: registries take it for the model's identity",
    ),
    _error(
        "L8",
        "A base folder of TensorFlow Serving holds folders named by version numbers, each number once, the highest with a model.",
        "TFS sources/storage_path/file_system_storage_path_source.cc",
        "name each version's folder by one number",
    ),
    _error(
        "L9",
        "Every file and folder can be read.",
        "TFS servables/tensorflow/util.cc",
        "give the server's user the right to read: chmod -R a+rX MODEL",
    ),
    _note(
        "L10",
        "keras_metadata.pb makes it an artefact of Keras 2, which keras.models.load_model of Keras 3 refuses.",
        "keras src/saving/saving_api.py",
        "load it with tf.saved_model.load or keras.layers.TFSMLayer, or save it anew with Keras 3",
    ),
    _warning(
        "L11",
        "There is one graph file: with both, saved_model.pb is read and saved_model.pbtxt is not.",
        "TF cc/saved_model/reader.cc",
        "remove the one that is not meant",
    ),
    _error(
        "L12",
        "No asset's name leads out of assets/: a matter of trust, since TensorFlow joins it unchecked, loads, and reads what is there.",
        f"{NOBODY}; TF cc/saved_model/loader.cc joins the name",
        "do not load this model where its content is not trusted; export it again",
    ),
    _note(
        "L13",
        "Every file in assets/ is listed by a MetaGraph, but saved_model.json of Keras in 1.15; no loader reads others.",
        NOBODY,
        "remove it, or move it to assets.extra/",
    ),
    _warning(
        "L14",
        "Files that a loader looks for lie where it looks.",
        NOBODY,
        "move the file to where it belongs",
    ),
    _note(
        "L15",
        "The folder holds nothing that neither TensorFlow, Keras, TensorFlow Hub nor Serving put there.",
        NOBODY,
        "remove it, or move it to assets.extra/: it is copied along, and Serving counts it in its memory estimate",
    ),
    _error(
        "L16",
        "No link leads to nothing, or to a folder that it is in.",
        f"{NOBODY}, but for circles: TFS servables/tensorflow/util.cc",
        "put the file in the link's place, or remove the link",
    ),
    _warning(
        "L17",
        "There are only files, folders and links: no device, pipe or socket.",
        NOBODY,
        "remove it; if a loader reads it, put the file in its place",
    ),
    _warning(
        "L18",
        "No two names in a folder differ only in case or in the form of their accents: some file systems keep one of them.",
        NOBODY,
        "rename one of them, and export again if an asset is named so",
    ),
    _error(
        "L19",
        "The model stays within what is looked at: entries, depth, and 2 GiB of saved_model.pb.",
        f"{NOBODY}, but for the size: TF core/platform/env.cc",
        "name the folder of the model itself, and keep large values in variables",
    ),
    _warning(
        "L20",
        "A base folder of TensorFlow Serving holds no folder that Serving passes over without a word.",
        "TFS sources/storage_path/file_system_storage_path_source.cc",
        "name the folder by a number, or move it away",
    ),
    _note(
        "L21",
        "Requests over REST can name the model and its version: no : in the base folder's name, no negative number.",
        "TFS model_servers/http_rest_api_util.cc",
        "rename it, or give the model another name in Serving's configuration",
    ),
    _error(
        "L22",
        "No file is a Git LFS pointer.",
        "TF core/util/tensor_bundle/tensor_bundle.cc and whatever else reads the file find it damaged",
        "fetch it: git lfs pull",
    ),
    _warning(
        "L23",
        "No link leads out of the model: TensorFlow follows it, an upload or a mount may lose it, and it is not followed here.",
        NOBODY,
        "copy the model with its links resolved: cp -rL MODEL COPY",
    ),
    _warning(
        "M1",
        "A MetaGraph has exactly the tags {serve}, which TensorFlow Serving and most clients ask for.",
        "TF cc/saved_model/reader.cc, python/saved_model/load.py",
        "ask for the tags that it has (--saved_model_tags in Serving), or export with {serve}",
    ),
    _error(
        "M2",
        "A Const carries a value of its dtype, and enough of it for its shape.",
        "TF cc/saved_model/loader.cc (ValidateSavedTensors), core/framework/tensor.cc",
        _AGAIN,
    ),
    _error(
        "M3",
        "There is at most one init op, and it is in the graph.",
        "TF cc/saved_model/loader_util.cc (GetInitOp)",
        "export again with one main op",
    ),
    _error(
        "M4",
        "The saver's restore op and file name tensor are in the graph.",
        "TF cc/saved_model/loader.cc (RunRestore)",
        "export again: the saver_def is of another graph",
    ),
    _warning(
        "M5",
        "Every op is one of TensorFlow's, or a function of the model.",
        "TF core/framework/op.cc",
        "load the op library before the model (tf.load_op_library, or build it into the server)",
    ),
    _error(
        "M6",
        "The producer may read its own graph: min_consumer and bad_consumers let its version pass.",
        "TF core/framework/versions.cc",
        "export again: the versions of the graph are wrong",
    ),
    _error(
        "M7",
        "The checkpoint holds what the restore op asks for, with its dtypes and shapes.",
        "TF core/kernels/save_restore_v2_ops.cc, core/util/tensor_bundle/tensor_bundle.cc",
        "copy variables/ of the same export, or export again",
    ),
    _warning(
        "M8",
        "An asset's name is used once: of several MetaGraphs with one name, only the first one's file is kept.",
        f"{NOBODY}; TF python/saved_model/builder_impl.py keeps the first",
        "give the files different names and export again",
    ),
    _warning(
        "M9",
        "No two MetaGraphs have the same tags: by tags every loader takes the first, and none the second.",
        f"{NOBODY}; TF cc/saved_model/reader.cc takes the first, python/saved_model/load.py wants tags if there are two",
        "remove one, or give it tags of its own",
    ),
    _error(
        "M10",
        "Every function that is called or named is in the library, once.",
        "TF core/framework/function.cc, core/common_runtime/function.cc; the same one twice: python/saved_model/function_deserialization.py",
        "export again: the library is of another graph",
    ),
    _error(
        "M11",
        "Every node has a name of its own, and all inputs that its op takes, of the right types and in no circle.",
        "TF core/common_runtime/graph_constructor.cc, core/common_runtime/function_def_utils.cc",
        "export again: the graph is not whole",
    ),
    _warning(
        "M12",
        "saved_model_schema_version is 1, the only one there is.",
        NOBODY,
        "export again: the file says that it is of another format",
    ),
    _note(
        "M13",
        "The producer says which TensorFlow it was, and it is one of those known here.",
        NOBODY,
        "upgrade savedmodel-compat if there is a newer one: it may not know what that release writes",
    ),
    _error(
        "M14",
        "The object graph holds together: every object and function that it names is there.",
        "TF python/saved_model/load.py, function_deserialization.py",
        "export again: the object graph is of another model",
    ),
    _warning(
        "M15",
        "Every attr is one that some TensorFlow knows for that op.",
        "TF core/framework/node_def_util.cc, up to 2.4; later ones ignore it",
        "if it is an op library's own, load it first; else export again",
    ),
    _error(
        "M16",
        "Every node that a collection names is in the graph, and the variables, savers and loops that it holds parse.",
        "TF python/framework/meta_graph.py (import_scoped_meta_graph); the C++ loader does not look",
        "export again: the collections are of another graph",
    ),
    _warning(
        "M17",
        "A Const has the value that it declares also where no loader minds: more values than its shape has are dropped, and what nothing reads may be anything.",
        f"{NOBODY}; TF core/framework/tensor.cc drops them, python/framework/tensor_util.py does not",
        "export again with the value and the shape that are meant",
    ),
    _error(
        "M18",
        "Every node has the attrs that its op requires, each of the kind that the op says.",
        "TF core/framework/node_def_util.cc, core/framework/attr_value_util.cc",
        "export again: attrs are lost, or of another op",
    ),
    _error(
        "M19",
        "Every device of a node can be read, such as /job:localhost/device:CPU:0.",
        "TF core/common_runtime/placer.cc, core/util/device_name_utils.cc, python/framework/device_spec.py",
        "export again with tf.device names that TensorFlow writes, or with clear_devices=True",
    ),
    _error(
        "M20",
        "The tensor of each asset is in the graph, and no two assets are fed to one: C++ feeds a tensor once.",
        "TF cc/saved_model/loader.cc (AddAssetsTensorsToInputs), core/graph/subgraph.cc; python/saved_model/loader_impl.py",
        "export again with one asset a tensor",
    ),
    _error(
        "S1",
        "Every tensor of a signature is in the graph, an input's with the dtype and a shape that the signature says, a v1 output's with such a shape.",
        "TF core/common_runtime/direct_session.cc, executor.cc; python/saved_model/load_v1_in_v2.py for outputs' shapes",
        "export again with the signature made from the graph's own tensors",
    ),
    _error(
        "S2",
        "A default value has the dtype and shape of its input.",
        "TF cc/saved_model/util.cc, TFS servables/tensorflow/predict_util.cc",
        "export again with the default that is meant",
    ),
    _warning(
        "S3",
        "A classify signature takes one string input 'inputs' and gives 'classes' (string), 'scores' (float32) or both, of rank 2.",
        "TFS servables/tensorflow/classifier.cc",
        "build it with classification_signature_def, or make it a predict signature",
    ),
    _warning(
        "S4",
        "A regress signature takes one string input 'inputs' and gives one 'outputs' (float32) of shape [n] or [n, 1].",
        "TFS servables/tensorflow/regressor.cc",
        "build it with regression_signature_def, or make it a predict signature",
    ),
    _warning(
        "S5",
        "There is a 'serving_default', for requests that name no signature, and every method name is one of TensorFlow's.",
        "TFS servables/tensorflow/predict_util.cc",
        "export with a signature 'serving_default' and with the method name that is meant",
    ),
    _note(
        "S6",
        "No string output has an alias that ends in _bytes, which the REST API encodes in base64.",
        "TFS util/json_tensor.cc",
        "rename the output if it is text, or tell the clients",
    ),
    _warning(
        "S7",
        "There is a signature: without one, neither TensorFlow Serving nor Java, Go or C++ clients can ask anything.",
        "TFS servables/tensorflow/predict_util.cc",
        "export with signatures=",
    ),
    _note(
        "S8",
        "Every output depends on an input, and every input reaches an output.",
        NOBODY,
        "check that the signature names the tensors that are meant",
    ),
    _warning(
        "S9",
        "A signature has outputs.",
        "TFS servables/tensorflow/predict_util.cc",
        "export it with the outputs that are meant",
    ),
    _error(
        "S10",
        "A signature's inputs are different tensors, and none of them is an output: a C++ session feeds a tensor once and does not fetch it.",
        "TF core/graph/subgraph.cc",
        "export again with tf.identity between input and output",
    ),
    _warning(
        "S11",
        "An output is of the dtype, and of a shape, that the signature says, by which clients decode it.",
        f"{NOBODY}; TF core/common_runtime/direct_session.cc gives what the graph has",
        "export again with the signature made from the graph's own tensors",
    ),
    _warning(
        "S12",
        "A default value is of an input of its signature; of another it is never used.",
        "TF cc/saved_model/util.cc looks for the inputs of the signature only",
        "export again with the default under the name of its input",
    ),
    _error(
        "V1",
        "variables.index is a whole sorted table of a version that TensorFlow reads: every block's checksum is right, every entry parses.",
        "TF core/lib/io/table.cc, core/util/tensor_bundle/tensor_bundle.cc",
        "copy variables/ again, whole",
    ),
    _error(
        "V2",
        "Every tensor lies within its shard, has the size of its dtype and shape, and shares its bytes with none.",
        "TF core/util/tensor_bundle/tensor_bundle.cc",
        "copy variables/ again: index and data are of different exports",
    ),
    _error(
        "V3",
        "Every tensor's bytes have the checksum that the index says.",
        "TF core/util/tensor_bundle/tensor_bundle.cc",
        "copy variables/ again: the data are damaged, or of another export",
    ),
    _error(
        "V4",
        "The slices of a partitioned variable cover it, once.",
        "TF core/util/tensor_bundle/tensor_bundle.cc, core/util/tensor_slice_set.cc",
        "export again with all partitions",
    ),
    _note(
        "V5",
        "Every tensor of the checkpoint is restored by some MetaGraph.",
        NOBODY,
        "export without what only training needs, such as the optimizer's slots",
    ),
    _error(
        "V6",
        "The object graph of the checkpoint parses and names only tensors that the checkpoint holds.",
        "TF python/checkpoint/restore.py",
        "copy variables/ again, or export again",
    ),
    _warning(
        "V7",
        "Every byte of a shard belongs to a tensor.",
        NOBODY,
        "copy variables/ again: index and data may be of different exports",
    ),
    _warning(
        "V8",
        "The checkpoint is little-endian and of format version 1.",
        "TF core/util/tensor_bundle/tensor_bundle.cc",
        "export on a little-endian machine, or load it with 2.4 or later, which swaps bytes",
    ),
    _error(
        "V9",
        "Every variable that a signature reads is assigned by the restore op, the init op or a signature.",
        "TF cc/saved_model/loader.cc; python/saved_model/load.py restores by the object graph instead",
        "export again; a Keras 3 model with model.export(FOLDER), not with tf.saved_model.save",
    ),
    _error(
        "W1",
        "tf_serving_warmup_requests is a TFRecord file, whole: every length and checksum is right.",
        "TF core/lib/io/record_reader.cc",
        "write it again with tf.io.TFRecordWriter",
    ),
    _error(
        "W2",
        "tf_serving_warmup_requests holds at most 1000 records, each a PredictionLog of a kind that Serving replays.",
        "TFS servables/tensorflow/saved_model_warmup.cc, saved_model_warmup_util.cc",
        "log predict, classify, regress or multi-inference requests, at most 1000",
    ),
    _error(
        "W3",
        "Every warm-up request is one that a signature of the model takes.",
        "TFS servables/tensorflow/saved_model_warmup.cc, predict_util.cc",
        "record the requests anew against this model",
    ),
    _warning(
        "W4",
        "Every warm-up record holds one log, of a size that is looked at: of several Serving sees the last, and one without it passes over.",
        "TFS servables/tensorflow/saved_model_warmup.cc",
        "write one PredictionLog with one request a record",
    ),
    _error(
        "T1",
        "Each target release loads the model and runs its signatures.",
        "TF cc/saved_model/loader.cc, core/framework/node_def_util.cc, core/framework/op_kernel.cc",
        "strip it, export it otherwise, or upgrade the consumer: the advice says what helps",
    ),
    _error(
        "T2",
        "No target release leaves out an attr that has another value than its default, where it is run.",
        "TF core/framework/node_def_util.cc (ValidateNodeDef), from 2.5 on",
        "upgrade the consumer, or export with the release that serves",
    ),
    _note(
        "T3",
        "What a target release does can be told from the model.",
        "enforced by nobody",
        "try it: savedmodel-compat run MODEL --on RELEASE",
    ),
)

BY_ID: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in RULES})
