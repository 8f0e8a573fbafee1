"""Tests of the known breakages: each has its cause, from words like those that its reports quote."""

from __future__ import annotations

import re

import pytest

from savedmodel_compat.checks.rules import BY_ID as RULES
from savedmodel_compat.matrix.breakages import BREAKAGES, Breakage, Shown
from savedmodel_compat.matrix.causes import BY_ID, explain
from savedmodel_compat.matrix.cells import Detail, Stage

LOAD, RUN = Stage.LOAD, Stage.RUN
BY_NAME = {breakage.name: breakage for breakage in BREAKAGES}

# Class, stage, what is said, and what it names: the shape of the messages, with names of our own.
REPORTS: tuple[tuple[str, Stage, str, Detail], ...] = (
    (
        "keras3_savedmodel_not_supported",
        LOAD,
        "ValueError: File format not supported: filepath=half. Keras 3 only supports V3 `.keras` files",
        Detail(),
    ),
    (
        "op_not_registered.third_party_library",
        LOAD,
        "Op type not registered 'TFRA>RedisTableFind' in binary running on vm.",
        Detail(op="TFRA>RedisTableFind"),
    ),
    (
        "op_not_registered.third_party_library",
        LOAD,
        "KeyError: 'NormalizeUTF8'",
        Detail(op="NormalizeUTF8"),
    ),
    (
        "op_not_registered.core_op_newer_than_consumer",
        LOAD,
        (
            "Loading servable: {name: half version: 1} failed: Not found: Op type not registered "
            "'BatchMatMulV3' in binary running on host"
        ),
        Detail(op="BatchMatMulV3"),
    ),
    (
        "unknown_attr.hard_error",
        LOAD,
        "NodeDef mentions attr 'half_pixel_centers' not in Op<name=ResizeBilinear; signature=images:T",
        Detail(op="ResizeBilinear", attr="half_pixel_centers"),
    ),
    (
        "path.savedmodel_missing",
        LOAD,
        "OSError: SavedModel file does not exist at: half.h5/{saved_model.pbtxt|saved_model.pb}",
        Detail(),
    ),
    (
        "api.user_object_missing_method",
        RUN,
        "AttributeError: 'AutoTrackable' object has no attribute 'evaluate'",
        Detail(),
    ),
    (
        "function.no_matching_signature",
        RUN,
        "ValueError: Could not find matching function to call loaded from the SavedModel. Got:\n",
        Detail(),
    ),
    (
        "tags.not_found",
        LOAD,
        (
            "RuntimeError: MetaGraphDef associated with tags 'serve' could not be found in SavedModel, "
            "with available tags '[{'train'}]'."
        ),
        Detail(),
    ),
    (
        "tags.ambiguous",
        LOAD,
        (
            "ValueError: Importing a SavedModel with tf.saved_model.load requires a 'tags=' argument if "
            "there is more than one MetaGraph. Got 'tags=None'"
        ),
        Detail(),
    ),
    (
        "keras.custom_object_or_unknown_layer",
        LOAD,
        "ValueError: Unknown layer: 'PatchEncoder'. Please ensure",
        Detail(),
    ),
    (
        "serving.no_versions_or_path",
        LOAD,
        "No versions of servable half found under base path /models/half. Did you forget",
        Detail(),
    ),
    (
        "serving.signature_mismatch",
        RUN,
        "output tensor alias not found in signature: score Outputs expected to be in the set {y}.",
        Detail(node="score"),
    ),
    (
        "kernel.missing_for_device",
        LOAD,
        "No OpKernel was registered to support Op 'CudnnRNNV3' used by {{node lstm/rnn}} with these attrs",
        Detail(op="CudnnRNNV3", node="lstm/rnn"),
    ),
    (
        "device.pinned_gpu_on_cpu",
        LOAD,
        (
            "Cannot assign a device for operation tower_1/conv: {{node tower_1/conv}} was explicitly "
            "assigned to /device:GPU:1 but available devices are [ /device:CPU:0 ]."
        ),
        Detail(node="tower_1/conv"),
    ),
    (
        "device.nchw_on_cpu",
        RUN,
        "Default AvgPoolingOp only supports NHWC on device type CPU\n\t [[{{node pool}}]]",
        Detail(node="pool"),
    ),
    (
        "tables.not_initialized",
        RUN,
        "FAILED_PRECONDITION: Table not initialized.\n\t [[{{node lookup/find}}]]",
        Detail(node="lookup/find"),
    ),
    (
        "assets.missing_or_absolute_path",
        LOAD,
        "NotFoundError: /data/train/words.subwords; No such file or directory\n\t [[{{node table_init}}]]",
        Detail(node="table_init"),
    ),
    (
        "checkpoint.corrupt_or_incomplete",
        LOAD,
        "DataLossError: Checksum does not match: stored 1 vs. calculated on the restored bytes 2",
        Detail(),
    ),
    (
        "checkpoint.corrupt_or_incomplete",
        LOAD,
        "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for ram://m",
        Detail(),
    ),
    (
        "checkpoint.corrupt_or_incomplete",
        LOAD,
        "Key conv/kernel not found in checkpoint\n\t [[{{node save/RestoreV2}}]]",
        Detail(node="conv/kernel"),
    ),
    (
        "variables.uninitialized_resource",
        RUN,
        "Error while reading resource variable conv/bias from Container: localhost. This could mean",
        Detail(node="conv/bias"),
    ),
    (
        "python_function_in_graph",
        RUN,
        "InvalidArgumentError: ValueError: callback pyfunc_3 is not found",
        Detail(function="pyfunc_3"),
    ),
    (
        "python_function_in_graph",
        LOAD,
        "Not found: Op type not registered 'PyFunc' in binary running on host",
        Detail(op="PyFunc"),
    ),
    (
        "keras.metadata_missing",
        LOAD,
        "ValueError: Unable to create a Keras model from SavedModel at half.",
        Detail(),
    ),
    (
        "keras.config_drift_between_minors",
        LOAD,
        "ValueError: A total of 3 objects could not be loaded.",
        Detail(),
    ),
    (
        "frozen_graph.ref_or_resource_mismatch",
        LOAD,
        (
            "Input 0 of node bn/cond/ReadVariableOp/Switch was passed float from bn/gamma:0 incompatible "
            "with expected resource."
        ),
        Detail(node="bn/cond/ReadVariableOp/Switch"),
    ),
    (
        "attr_value.not_allowed",
        LOAD,
        "Value for attr 'Tindices' of int16 is not in the list of allowed values: int32, int64",
        Detail(attr="Tindices"),
    ),
    (
        "shape_fn_tightened",
        LOAD,
        (
            "ValueError: Node 'train/BatchNormGrad' has an _output_shapes attribute inconsistent with the "
            "GraphDef for output #3: Dimension 0 in both shapes must be equal, but are 0 and 64."
        ),
        Detail(node="train/BatchNormGrad"),
    ),
    (
        "graphdef.version_gate",
        LOAD,
        "ValueError: GraphDef min consumer version 2475 above current version 561 for TensorFlow 2.4.4.",
        Detail(),
    ),
    (
        "graphdef.forward_compat_hint",
        LOAD,
        (
            "Converting GraphDef to Graph has failed with an error: 'x' The binary trying to import the "
            "GraphDef was built when GraphDef version was 440. The GraphDef was produced by a binary built "
            "when GraphDef version was 527. The difference between these versions is larger than "
            "TensorFlow's forward compatibility guarantee"
        ),
        Detail(),
    ),
    ("lambda_marshal_python_version", LOAD, "XXX lineno: 3, opcode: 0", Detail()),
    (
        "filesystem.scheme_not_implemented",
        LOAD,
        "UNIMPLEMENTED: File system scheme 'hdfs' not implemented (file: 'hdfs://models')",
        Detail(),
    ),
    (
        "tpu_or_distribution_strategy",
        LOAD,
        "KeyError: 'InfeedEnqueue'",
        Detail(op="InfeedEnqueue"),
    ),
    (
        "tpu_or_distribution_strategy",
        LOAD,
        "AttributeError: 'TPUMirroredVariable' object has no attribute '_shared_name'",
        Detail(),
    ),
    (
        "xla.platform_not_available",
        RUN,
        "UNIMPLEMENTED: Could not find compiler for platform Host: NOT_FOUND",
        Detail(),
    ),
    (
        "xla_call_module.version_or_platform",
        RUN,
        "XlaCallModuleOp with version 9 is not supported by this build. Must be <= 7",
        Detail(op="XlaCallModule", attr="version"),
    ),
    (
        "xla_call_module.version_or_platform",
        RUN,
        "The current platform CPU is not among the platforms required by the module: [CUDA, TPU]",
        Detail(),
    ),
    (
        "tensorrt_engine",
        LOAD,
        "Not found: Op type not registered 'TRTEngineOp' in binary running on vm.",
        Detail(op="TRTEngineOp"),
    ),
    (
        "variant_const_decode",
        RUN,
        'Could not decode variant with type_name: "tensorflow::TensorList".',
        Detail(),
    ),
    (
        "control_flow",
        LOAD,
        "Node 'gradients/loop_grad': Connecting to invalid output 3 of source node loop which has 3 outputs.",
        Detail(node="loop"),
    ),
    (
        "control_flow",
        LOAD,
        'Invalid loop structure: Loop "loop/while_context" has more than one LoopCond node',
        Detail(),
    ),
    (
        "environment.cpu_isa",
        LOAD,
        "The TensorFlow library was compiled to use AVX instructions, but these aren't available on",
        Detail(),
    ),
    (
        "serving.warmup_failure",
        LOAD,
        "failed: Data loss: corrupted record at 0. Please verify your warmup data is in TFRecord format",
        Detail(),
    ),
    (
        "hub.cache_incomplete",
        LOAD,
        (
            "ValueError: Trying to load a model of incompatible/unknown type. '/tmp/hub/5e1 contains neither "
            "'saved_model.pb' nor 'saved_model.pbtxt'."
        ),
        Detail(),
    ),
    (
        "shape.fixed_batch_or_state",
        RUN,
        "INVALID_ARGUMENT: Invalid input_h shape: [1,2,16] [1,1,16]\n\t [[{{node lstm}}]]",
        Detail(node="lstm"),
    ),
    (
        "node_missing_attr",
        LOAD,
        "NodeDef missing attr 'mode' from Op<name=XlaAllReduce; signature=input:T",
        Detail(op="XlaAllReduce", attr="mode"),
    ),
    (
        "tfsm_layer.endpoint",
        LOAD,
        "ValueError: The endpoint 'call' is neither an attribute of the reloaded SavedModel",
        Detail(node="call"),
    ),
    (
        "loader.invalid_const",
        LOAD,
        'Saved model contains node "w" (op "Const") which initializes from a tensor with -4 elements',
        Detail(op="Const", node="w"),
    ),
    (
        "custom_op.abi",
        LOAD,
        "NotFoundError: ./_my_ops.so: undefined symbol: _ZN10tensorflow15OpDefBuilder5InputESs",
        Detail(),
    ),
)
# What no loader says: an exporter does, or a log, or nobody.
UNSAID = (
    "unknown_attr.silently_ignored",
    "export.untracked_resource",
    "export.dictwrapper_py312",
    "proto.two_gb_limit",
    "filesystem.non_ascii_windows",
    "numerics.cross_machine_drift",
    "export.namespace_whitelist",
)


@pytest.mark.parametrize(("name", "stage", "text", "detail"), REPORTS, ids=[r[0] for r in REPORTS])
def test_a_report_has_its_cause(name: str, stage: Stage, text: str, detail: Detail) -> None:
    """What a report quotes is one of the causes that its class has here, and names what it is about."""
    explanation = explain(text, stage)
    assert explanation.cause.id in BY_NAME[name].causes
    assert explanation.detail == detail


def test_every_class_has_a_report() -> None:
    """No class is there without words that it is told by, but for those that no loader says."""
    assert {name for name, *_ in REPORTS} | set(UNSAID) == set(BY_NAME)
    assert len(BREAKAGES) == len(BY_NAME) == 50


@pytest.mark.parametrize("breakage", BREAKAGES, ids=lambda breakage: breakage.name)
def test_a_class_says_what_it_is(breakage: Breakage) -> None:
    """Each has causes of the closed list, or says why none; rules that exist; and something to do."""
    assert bool(breakage.causes) != bool(breakage.instead)
    assert set(breakage.causes) <= set(BY_ID)
    assert set(breakage.rules) <= set(RULES)
    assert breakage.fix
    assert not breakage.rules or set(breakage.shown) & {Shown.CHECK, Shown.TARGET, Shown.SERVING}
    by_target = any(re.match(r"T\d", rule) for rule in breakage.rules)
    assert by_target <= (Shown.TARGET in breakage.shown)


@pytest.mark.parametrize(
    "text",
    [
        "AssertionError: Tried to export a function which references an 'untracked' resource.",
        "TypeError: this __dict__ descriptor does not support '_DictWrapper' objects",
        "ValueError: Message tensorflow.GraphDef exceeds maximum protobuf size of 2GB: 2237555411",
        "ValueError: Attempted to save ops from non-whitelisted namespaces to SavedModel: ['My>Op'].",
        "I tensorflow/core/util/port.cc:113] oneDNN custom operations are on. You may see slightly",
        (
            "E node_def_util.cc:676] NodeDef mentions attribute debug_name which is not in the op "
            "definition: Op<name=VarHandleOp; signature= -> r:resource> Unknown attributes will be ignored."
        ),
    ],
)
def test_what_is_no_cause_is_given_none(text: str) -> None:
    """What an exporter says, and what only a log says, is no cause of a load."""
    assert explain(text, LOAD).cause.id == "unclassified"
