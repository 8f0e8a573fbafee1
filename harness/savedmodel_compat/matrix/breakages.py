"""The breakages that are known from the field: which cause each is here, what shows it, and what to do.

The classes are those under which reports of failing SavedModels have been sorted; `docs/breakages.md` is made from them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Shown(enum.Enum):
    """What shows a breakage before its users do."""

    CHECK = "`check`"
    TARGET = "`check --target`"
    SERVING = "`check --serving`"
    RUN = "`run`"
    MATRIX = "`matrix`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """One class of reports.

    Args:
        name: of the class.
        causes: ids of the causes that a cell with it has; empty for what is no failure of a cell.
        instead: what it is, if it is none.
        shown: what shows it; empty for nothing here.
        rules: the rules of ``check`` that it breaks.
        fix: what to do about it.
    """

    name: str
    fix: str
    causes: tuple[str, ...] = ()
    instead: str | None = None
    shown: tuple[Shown, ...] = ()
    rules: tuple[str, ...] = ()


_EXPORT = "an exporter's failure: `infra-error`"
_CHECK, _TARGET, _SERVING = Shown.CHECK, Shown.TARGET, Shown.SERVING
_RUN, _MATRIX = Shown.RUN, Shown.MATRIX

BREAKAGES: tuple[Breakage, ...] = (
    Breakage(
        name="keras3_savedmodel_not_supported",
        causes=("keras-rejected",),
        shown=(_CHECK,),
        rules=("L10",),
        fix="load it with keras.layers.TFSMLayer or tf.saved_model.load, or save it again as .keras with Keras 2; Keras says the "
        "same of a path that is not there",
    ),
    Breakage(
        name="op_not_registered.third_party_library",
        causes=("op-not-registered",),
        shown=(_CHECK, _TARGET, _RUN),
        rules=("M5",),
        fix="load the op library before the model, or build it into the server; whose op it is stands below",
    ),
    Breakage(
        name="op_not_registered.core_op_newer_than_consumer",
        causes=("op-not-registered",),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="upgrade the consumer, or export with the oldest release that serves; for DisableCopyOnRead, which only the function "
        "that saves uses, export with 2.11 or older, or with SavedModelBuilder",
    ),
    Breakage(
        name="unknown_attr.hard_error",
        causes=("attr-unknown",),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="at its default: take it out with `savedmodel-compat strip`; else upgrade the consumer to 2.5 or later and compare its "
        "answers, or export with the release that serves",
    ),
    Breakage(
        name="unknown_attr.silently_ignored",
        causes=("attr-ignored",),
        shown=(_TARGET, _RUN),
        rules=("T2",),
        fix="upgrade the consumer, or export without the attr; the registries tell, as the log speaks once a process and of "
        "defaults too",
    ),
    Breakage(
        name="path.savedmodel_missing",
        causes=("file-missing",),
        shown=(_CHECK, _RUN),
        rules=("L1",),
        fix="name the folder that holds saved_model.pb, not the file nor the folder above its version",
    ),
    Breakage(
        name="api.user_object_missing_method",
        causes=("object-graph-rejected",),
        shown=(_RUN,),
        fix="call loaded.signatures[KEY] instead of the methods of the Keras model; for add_slot, save without the optimizer",
    ),
    Breakage(
        name="function.no_matching_signature",
        causes=("input-rejected",),
        shown=(_RUN,),
        fix="call the signature, with its dtypes and names; export with TensorSpecs that leave the batch open",
    ),
    Breakage(
        name="tags.not_found",
        causes=("tags-not-found", "not-a-savedmodel"),
        shown=(_CHECK, _RUN),
        rules=("L1", "M1"),
        fix="ask for the tags that `savedmodel-compat inspect` lists; a frozen graph under this name is no SavedModel: wrap it "
        "with SavedModelBuilder",
    ),
    Breakage(
        name="tags.ambiguous",
        causes=("tags-not-found",),
        shown=(_CHECK, _RUN),
        rules=("M1",),
        fix="name the tags: tf.saved_model.load(path, tags=[…]); here, --tags",
    ),
    Breakage(
        name="keras.custom_object_or_unknown_layer",
        causes=("keras-rejected",),
        shown=(_RUN,),
        fix="register the class, or pass custom_objects; for answers only, call the signatures of tf.saved_model.load",
    ),
    Breakage(
        name="serving.no_versions_or_path",
        causes=("file-missing",),
        shown=(_SERVING,),
        rules=("L8", "L20"),
        fix="put the model into a folder named by a number under the base path, and mount the base path",
    ),
    Breakage(
        name="serving.signature_mismatch",
        causes=("signature-missing", "input-rejected"),
        shown=(_CHECK, _RUN),
        rules=("S3", "S4", "S5", "W3"),
        fix="`savedmodel-compat diff OLD NEW --fail-on signature` before an upload; name inputs and outputs in the exporter",
    ),
    Breakage(
        name="kernel.missing_for_device",
        causes=("kernel-missing",),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="serve on the device that has the kernel, or export for the CPU; save the graph before TensorFlow optimises it",
    ),
    Breakage(
        name="device.pinned_gpu_on_cpu",
        causes=("device-not-available",),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="export with clear_devices=True, and pin nothing inside a tf.function, where it does not reach",
    ),
    Breakage(
        name="device.nchw_on_cpu",
        causes=("kernel-missing",),
        shown=(_RUN,),
        fix="export with channels last; a CPU build runs channels first only where oneDNN takes the op, from 2.9 on by default",
    ),
    Breakage(
        name="tables.not_initialized",
        causes=("init-failed", "variable-missing"),
        shown=(_RUN,),
        fix="give the builder main_op=tf.compat.v1.tables_initializer(); in TensorFlow 2, make the table an attribute of the module",
    ),
    Breakage(
        name="assets.missing_or_absolute_path",
        causes=("asset-missing",),
        shown=(_CHECK, _RUN),
        rules=("L4", "M20"),
        fix="copy assets/ along; a path that is no asset is shown by a run only: track the file with tf.saved_model.Asset, or in the collection ASSET_FILEPATHS",
    ),
    Breakage(
        name="checkpoint.corrupt_or_incomplete",
        causes=("file-damaged", "file-missing", "variable-missing"),
        shown=(_CHECK, _RUN),
        rules=("L3", "L22", "V1", "V2", "V3", "M7"),
        fix="copy variables/ again, whole; `savedmodel-compat check` verifies every checksum without TensorFlow",
    ),
    Breakage(
        name="variables.uninitialized_resource",
        causes=("variable-missing",),
        shown=(_CHECK, _RUN),
        rules=("L3", "V9"),
        fix="copy variables/ along: the C++ loader takes a missing index for a model without variables; track what functions read",
    ),
    Breakage(
        name="python_function_in_graph",
        causes=("function-missing", "op-not-registered", "kernel-missing"),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="write the step with TensorFlow's ops, or do it before the model: the function stayed in the process that exported",
    ),
    Breakage(
        name="keras.metadata_missing",
        causes=("keras-rejected",),
        shown=(_RUN,),
        fix="save with model.save, or load with tf.saved_model.load",
    ),
    Breakage(
        name="keras.config_drift_between_minors",
        causes=("keras-rejected",),
        shown=(_RUN,),
        fix="pin Keras where it is loaded, or load with tf.saved_model.load, which runs the graph and not the layers' code",
    ),
    Breakage(
        name="export.untracked_resource",
        instead=_EXPORT,
        shown=(_MATRIX,),
        fix="make what the function reads an attribute of the object that is saved",
    ),
    Breakage(
        name="export.dictwrapper_py312",
        instead=_EXPORT,
        shown=(_MATRIX,),
        fix="export with CPython 3.11, or with 2.17 and later; the shipped pins do",
    ),
    Breakage(
        name="frozen_graph.ref_or_resource_mismatch",
        causes=("node-inputs-changed",),
        shown=(_CHECK, _RUN),
        rules=("M11",),
        fix="export in inference mode, and freeze with convert_variables_to_constants_v2",
    ),
    Breakage(
        name="attr_value.not_allowed",
        causes=("attr-value-not-allowed",),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="upgrade the consumer, or cast before the op; some ops have lost types since 2.10, so a newer one may not do either",
    ),
    Breakage(
        name="shape_fn_tightened",
        causes=("shape-rejected",),
        shown=(_RUN,),
        fix="export what serves and not what trains; without _output_shapes nothing is compared",
    ),
    Breakage(
        name="graphdef.version_gate",
        causes=("version-gate",),
        shown=(_CHECK, _TARGET, _RUN),
        rules=("M6", "T1"),
        fix="upgrade the consumer, or export without the removed op; tf.saved_model.load looks at no such version, the other loaders do",
    ),
    Breakage(
        name="graphdef.forward_compat_hint",
        causes=("version-gate",),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="mend the error that it quotes, which is the cause of the cell; only where that one is not known is the age itself told",
    ),
    Breakage(
        name="lambda_marshal_python_version",
        causes=("keras-rejected",),
        shown=(_RUN,),
        fix="give the layer a named function; tf.saved_model.load does not read the stored bytecode",
    ),
    Breakage(
        name="proto.two_gb_limit",
        instead=f"{_EXPORT}; a file that is too large is a finding",
        shown=(_CHECK, _MATRIX),
        rules=("L19",),
        fix="keep weights in variables instead of constants",
    ),
    Breakage(
        name="filesystem.scheme_not_implemented",
        causes=("file-missing",),
        shown=(_RUN,),
        fix="copy the model to a disk first, or import tensorflow_io; from 2.6 on the builds read neither s3 nor hdfs",
    ),
    Breakage(
        name="filesystem.non_ascii_windows",
        instead="a matter of Windows, where nothing is run",
        fix="keep to ASCII in the path",
    ),
    Breakage(
        name="tpu_or_distribution_strategy",
        causes=("op-not-registered", "kernel-missing", "object-graph-rejected"),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="export outside the strategy, or the graph for the CPU",
    ),
    Breakage(
        name="xla.platform_not_available",
        causes=("kernel-missing",),
        shown=(_RUN,),
        fix="export without jit_compile, or serve with a build that has XLA for the device",
    ),
    Breakage(
        name="xla_call_module.version_or_platform",
        causes=("attr-value-not-allowed", "device-not-available", "op-not-registered"),
        shown=(_TARGET, _RUN),
        rules=("T1",),
        fix="name the serving platforms in native_serialization_platforms, lower native_serialization_version, or upgrade the "
        "consumer; a registry tells the op, a run the version and the platform",
    ),
    Breakage(
        name="tensorrt_engine",
        causes=("op-not-registered", "kernel-missing"),
        shown=(_CHECK, _TARGET, _RUN),
        rules=("M5",),
        fix="serve the model as it was before TF-TRT, or convert it on the machine that serves",
    ),
    Breakage(
        name="variant_const_decode",
        causes=("kernel-missing", "crashed"),
        shown=(_RUN,),
        fix="save the graph before constants are folded; up to 2.5 such a constant ends the process",
    ),
    Breakage(
        name="control_flow",
        causes=("node-inputs-changed", "file-damaged"),
        shown=(_CHECK, _RUN),
        rules=("M11",),
        fix="export again with one flavour of control flow; do not import one frame twice",
    ),
    Breakage(
        name="numerics.cross_machine_drift",
        causes=("output-mismatch",),
        shown=(_RUN, _MATRIX),
        fix="compare with goldens and a tolerance for the dtype; what TF_ENABLE_ONEDNN_OPTS=0 removes is rounding",
    ),
    Breakage(
        name="environment.cpu_isa",
        causes=("crashed",),
        shown=(_RUN,),
        fix="take a build for the processor, or a machine that has AVX",
    ),
    Breakage(
        name="serving.warmup_failure",
        causes=("file-damaged", "init-failed"),
        shown=(_CHECK,),
        rules=("W1", "W2", "W3"),
        fix="record the requests anew against this model, at most 1000",
    ),
    Breakage(
        name="hub.cache_incomplete",
        causes=("file-missing",),
        shown=(_CHECK,),
        rules=("L1",),
        fix="remove the folder from the cache of TensorFlow Hub and let it come again",
    ),
    Breakage(
        name="shape.fixed_batch_or_state",
        causes=("run-failed", "input-rejected"),
        shown=(_RUN,),
        fix="export with the batch left open, and without state between calls; `run` tries batches of 1 and 3",
    ),
    Breakage(
        name="node_missing_attr",
        causes=("attr-missing",),
        shown=(_CHECK, _TARGET, _RUN),
        rules=("M18", "T1"),
        fix="export with the release that serves, or put the defaults back with `savedmodel-compat strip --put-back`",
    ),
    Breakage(
        name="tfsm_layer.endpoint",
        causes=("signature-missing",),
        fix="name the signature: TFSMLayer(path, call_endpoint='serving_default')",
    ),
    Breakage(
        name="export.namespace_whitelist",
        instead=_EXPORT,
        shown=(_MATRIX,),
        fix="add the namespace to SaveOptions",
    ),
    Breakage(
        name="loader.invalid_const",
        causes=("shape-rejected", "attr-missing", "file-damaged"),
        shown=(_CHECK, _RUN),
        rules=("M2",),
        fix="export again: the graph was damaged, or edited by hand",
    ),
    Breakage(
        name="custom_op.abi",
        causes=("op-not-registered",),
        fix="build the op library for each minor of TensorFlow that loads it",
    ),
)
"""All of them, the most frequent first."""
