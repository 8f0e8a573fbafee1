"""Tests of the causes: what each release said when something was wrong, and what is made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from savedmodel_compat.matrix.causes import BY_ID, CAUSES, explain
from savedmodel_compat.matrix.cells import Detail, Stage

LOAD, RUN, COMPARE = Stage.LOAD, Stage.RUN, Stage.COMPARE

CLOSED = {
    LOAD: "file-missing file-damaged not-a-savedmodel tags-not-found op-not-registered attr-unknown "
    "attr-missing attr-value-not-allowed node-inputs-changed kernel-missing device-not-available "
    "version-gate function-missing shape-rejected variable-missing asset-missing init-failed "
    "object-graph-rejected keras-rejected",
    RUN: "signature-missing input-rejected run-failed",
    COMPARE: "output-names-differ output-dtype-differs output-shape-differs output-mismatch attr-ignored",
    None: "crashed timed-out out-of-memory unclassified",
}
MUL = "Op<name=Mul; signature=x:T, y:T -> z:T; attr=T:type,allowed=[DT_FLOAT, DT_DOUBLE]>"
OLDER = (
    "Converting GraphDef to Graph has failed with an error: '{}' The binary trying to import the "
    "GraphDef was built when GraphDef version was 561. The GraphDef was produced by a binary built "
    "when GraphDef version was 1286."
)


@dataclass(frozen=True, slots=True)
class Said:
    """A text that was seen, and what it means.

    Args:
        text: what a loader or TensorFlow said, shortened in the middle where it was long.
        cause: id of its cause.
        detail: what it is about.
        stage: where it came.
    """

    text: str
    cause: str
    detail: Detail
    stage: Stage = LOAD


def said(
    cause: str,
    text: str,
    *,
    stage: Stage = LOAD,
    op: str | None = None,
    attr: str | None = None,
    node: str | None = None,
    function: str | None = None,
) -> Said:
    """Return a text that was seen."""
    return Said(text, cause, Detail(op=op, attr=attr, node=node, function=function), stage)


SEEN = [
    said("out-of-memory", "MemoryError: Traceback (most recent call last):"),
    said(
        "out-of-memory",
        "OOM when allocating tensor with shape[1024,1024,1024] and type float on "
        "/job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu\n\t [[{{node Fill}}]]",
        stage=RUN,
        node="Fill",
    ),
    said("out-of-memory", "terminate called after throwing an instance of 'std::bad_alloc'"),
    said("out-of-memory", "ResourceExhaustedError: failed to allocate memory [Op:Mul]", stage=RUN),
    said(
        "op-not-registered",
        "NOT_FOUND: Op type not registered 'DisableCopyOnRead' in binary running on vm. Make sure "
        "the Op and Kernel are registered in the binary running in this process.",
        op="DisableCopyOnRead",
    ),
    said(
        "op-not-registered",
        OLDER.format("Op type not registered 'TFRA>CuckooHashTableOfTensors' in binary running on"),
        op="TFRA>CuckooHashTableOfTensors",
    ),
    said(
        "op-not-registered",
        "Op type not registered 'ParseExampleV2' in binary running on vm.\n"
        "\t [[{{node StatefulPartitionedCall}}]]",
        stage=RUN,
        op="ParseExampleV2",
        node="StatefulPartitionedCall",
    ),
    said(
        "op-not-registered",
        "ValueError: No op named ParseExampleV2 in defined operations.",
        op="ParseExampleV2",
    ),
    said("op-not-registered", "KeyError: 'CaseFoldUTF8'", op="CaseFoldUTF8"),
    said("op-not-registered", "KeyError: u'InfeedEnqueueTuple'", op="InfeedEnqueueTuple"),
    said(
        "attr-unknown",
        f"NodeDef mentions attr 'no_such' not in {MUL}; NodeDef: {{{{node a/b}}}}. (Check whether "
        "your GraphDef-interpreting binary is up to date with your GraphDef-generating binary.).",
        op="Mul",
        attr="no_such",
        node="a/b",
    ),
    said(
        "attr-unknown",
        f"NodeDef mentions attr 'no_such' not in {MUL}; NodeDef: y = Mul[T=DT_FLOAT](x, x)",
        op="Mul",
        attr="no_such",
        node="y",
    ),
    said(
        "attr-missing",
        "NodeDef missing attr 'shape' from Op<name=VariableV2; signature= -> ref:Ref(dtype); "
        "attr=shape:shape>; NodeDef: {{node a}}\n\t [[a]]",
        op="VariableV2",
        attr="shape",
        node="a",
    ),
    said(
        "attr-missing",
        "NodeDef missing attrs 'T', 'shape' from Op<name=Placeholder; signature= -> output:dtype>",
        op="Placeholder",
        attr="T",
    ),
    said(
        "attr-missing",
        "No attr named 'T' in NodeDef:\n\t [[{{node Mul}}]]\n\t [[Mul]]",
        attr="T",
        node="Mul",
    ),
    said(
        "attr-missing",
        'Saved model contains node "save/Const" which is a constant tensor but no value has been '
        "provided",
        op="Const",
        attr="value",
        node="save/Const",
    ),
    said(
        "attr-value-not-allowed",
        "Value for attr 'T' of string is not in the list of allowed values: float, double\n"
        f"\t; NodeDef: {{{{node Mul}}}}; {MUL}",
        op="Mul",
        attr="T",
        node="Mul",
    ),
    said(
        "attr-value-not-allowed",
        "InvalidArgumentError: Value for attr 'T' of bfloat16 is not in the list of allowed values: "
        "float, double",
        attr="T",
    ),
    said(
        "attr-value-not-allowed",
        "Value for attr 'N' of 0 must be at least minimum 1\n\t; NodeDef: {{node packed}}; "
        "Op<name=Pack; signature=values:N*T -> output:T; attr=N:int,min=1>",
        op="Pack",
        attr="N",
        node="packed",
    ),
    said(
        "attr-value-not-allowed",
        "AttrValue had value with type 'string' when 'type' expected\n\t for attr 'T'\n"
        f"\t; NodeDef: {{{{node Mul}}}}; {MUL}",
        op="Mul",
        attr="T",
        node="Mul",
    ),
    said(
        "attr-value-not-allowed",
        "AttrValue must not have reference type value of float_ref\n\t for attr 'T'\n"
        f"\t; NodeDef: {{{{node Mul}}}}; {MUL}",
        op="Mul",
        attr="T",
        node="Mul",
    ),
    said(
        "attr-value-not-allowed",
        "AttrValue has invalid DataType enum: 33\n\t for attr 'dtype'\n\t; NodeDef: {{node x}}",
        attr="dtype",
        node="x",
    ),
    said(
        "node-inputs-changed",
        "NodeDef expected inputs 'float, float' do not match 1 inputs specified; "
        f"{MUL}; NodeDef: {{{{node Mul}}}}",
        op="Mul",
        node="Mul",
    ),
    said(
        "node-inputs-changed",
        "Input 0 of node bn/AssignMovingAvg was passed float from bn/AssignMovingAvg/Switch:1 "
        "incompatible with expected float_ref.",
        node="bn/AssignMovingAvg",
    ),
    said(
        "node-inputs-changed",
        OLDER.format("Input 2 of node Mul does not exist. Node only has 2 inputs."),
        node="Mul",
    ),
    said(
        "node-inputs-changed",
        "Node 'gradients/while_grad': Connecting to invalid output 4 of source node while which has "
        "4 outputs.",
        node="while",
    ),
    said("node-inputs-changed", "Node 'Mul': Unknown input node 'nowhere'", node="Mul"),
    said(
        "node-inputs-changed",
        "Expected input[1] == 'Stack/element_shape:output:0' to be a control input.\n\tIn {{node "
        "Stack}}\n\t [[{{node lstm/PartitionedCall}}]]",
        stage=RUN,
        node="Stack",
    ),
    said(
        "kernel-missing",
        "No OpKernel was registered to support Op 'BoostedTreesBucketize' used by {{node bucket}} "
        "with these attrs: [num_features=1]\nRegistered devices: [CPU]\nRegistered kernels:\n  <no "
        "registered kernels>\n",
        op="BoostedTreesBucketize",
        node="bucket",
    ),
    said(
        "kernel-missing",
        "No OpKernel was registered to support Op 'NcclAllReduce' used by node Mul (defined at "
        "site-packages/tensorflow_core/python/framework/ops.py:1748) with these attrs: []",
        op="NcclAllReduce",
        node="Mul",
    ),
    said(
        "kernel-missing",
        "No registered '_FusedMatMul' OpKernel for CPU devices compatible with node {{node fused}}",
        op="_FusedMatMul",
        node="fused",
    ),
    said("kernel-missing", "NotFoundError: Could not find valid device for node.", stage=RUN),
    said(
        "kernel-missing",
        "UnimplementedError: The Conv2D op currently only supports the NHWC tensor format on the "
        "CPU. The op was given the format: NCHW\n\t [[{{node conv}}]]",
        stage=RUN,
        node="conv",
    ),
    said(
        "device-not-available",
        "Cannot assign a device for operation Mul: {{node Mul}} was explicitly assigned to "
        "/device:GPU:0 but available devices are [ /job:localhost/replica:0/task:0/device:CPU:0 ].",
        node="Mul",
    ),
    said(
        "device-not-available",
        "{{node Mul}} was explicitly assigned to /device:GPU:0 but available devices are [ ]",
        node="Mul",
    ),
    said(
        "device-not-available",
        "Cannot assign a device to node 'save_1/ShardedFilename_1': Could not satisfy explicit "
        "device specification '/device:GPU:0' because no devices matching",
        node="save_1/ShardedFilename_1",
    ),
    said(
        "device-not-available",
        "Could not satisfy explicit device specification '/device:GPU:0'",
    ),
    said(
        "device-not-available",
        "Malformed device specification 'rubbish' in node: {name:'Mul' id:11 op device:{} "
        "def:{{{node Mul}} = Mul[T=DT_FLOAT](x, a)}}\n\t [[Mul]]",
        node="Mul",
    ),
    said("device-not-available", "ValueError: Unknown attribute: 'rubbish' in 'rubbish'"),
    said(
        "device-not-available",
        "ValueError: Unknown attribute 'rubbish' is encountered while parsing the device spec: "
        "'rubbish'.",
    ),
    said(
        "version-gate",
        "GraphDef min consumer version 99999 above current version 27 for TensorFlow 1.12.3.  "
        "Please upgrade TensorFlow.",
    ),
    said(
        "version-gate",
        "GraphDef disallows consumer version 2474.  Please upgrade TensorFlow: this version is "
        "likely buggy.",
    ),
    said(
        "version-gate",
        "GraphDef producer version -1 below min producer 0 supported by TensorFlow 2.4.4.  Please "
        "regenerate your graph.",
    ),
    said(
        "version-gate",
        "Op SelfAdjointEig is not available in GraphDef version 1286. It has been removed in version "
        "11. Use SelfAdjointEigV2 instead..",
        op="SelfAdjointEig",
    ),
    said(
        "function-missing",
        'Failed to find function "__inference_signature_wrapper_123" in function library: ',
        function="__inference_signature_wrapper_123",
    ),
    said("function-missing", 'Function "cond_true" is not defined.', function="cond_true"),
    said(
        "function-missing",
        "KeyError: '__inference_signature_wrapper_123'",
        function="__inference_signature_wrapper_123",
    ),
    said(
        "function-missing",
        "InvalidArgumentError: ValueError: callback pyfunc_0 is not found",
        stage=RUN,
        function="pyfunc_0",
    ),
    said(
        "tags-not-found",
        "Could not find meta graph def matching supplied tags: { serve }. To inspect available "
        "tag-sets in the SavedModel, please use the SavedModel CLI: `saved_model_cli`",
    ),
    said(
        "tags-not-found",
        "RuntimeError: MetaGraphDef associated with tags 'serve' could not be found in SavedModel, "
        "with available tags '[{'train'}]'.",
    ),
    said(
        "variable-missing",
        "Key dense/kernel not found in checkpoint\n\t [[{{node save/RestoreV2}}]]",
        node="dense/kernel",
    ),
    said(
        "variable-missing",
        "Attempting to use uninitialized value b\n\t [[{{node b/read}}]]",
        stage=RUN,
        node="b",
    ),
    said(
        "variable-missing",
        "Error while reading resource variable dense_bias from Container: localhost. This could mean "
        "that the variable was uninitialized.",
        stage=RUN,
        node="dense_bias",
    ),
    said(
        "variable-missing",
        "Could not find variable dense_bias. This could mean that the variable has been deleted.\n"
        "\t [[{{function_node __inference_serve_51}}{{node BiasAdd_2/ReadVariableOp}}]]",
        stage=RUN,
        node="dense_bias",
        function="__inference_serve_51",
    ),
    said(
        "variable-missing",
        'Tensor name "w" not found in checkpoint files /m/variables/variables',
        node="w",
    ),
    said(
        "asset-missing",
        "/m/assets/static_hashtable_asset.txt; No such file or directory\n"
        "\t [[{{node text_file_init/InitializeTableFromTextFileV2}}]]",
        node="text_file_init/InitializeTableFromTextFileV2",
    ),
    said(
        "asset-missing",
        "/home/train/vocab/dictionary/vocab_dict.txt; No such file or directory\n"
        "\t [[{{node InitializeTableFromTextFileV2}}]]",
        node="InitializeTableFromTextFileV2",
    ),
    said(
        "file-missing",
        "/srv/assets/m/variables/variables.data-00000-of-00001; No such file or directory\n"
        "\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said(
        "file-missing",
        "Could not find SavedModel .pb or .pbtxt at supplied export directory path: /m. Check that "
        "the directory exists and that you have the right permissions for accessing it.",
    ),
    said(
        "file-missing",
        "OSError: SavedModel file does not exist at: /m/{saved_model.pbtxt|saved_model.pb}",
    ),
    said("file-missing", "SavedModel not found in export directory: /m"),
    said(
        "file-missing",
        "ValueError: The passed save_path is not a valid checkpoint: /m/variables/variables",
    ),
    said(
        "file-missing",
        "Unsuccessful TensorSliceReader constructor: Failed to find any matching files for "
        "/m/variables/variables\n You may be trying to load on a different device",
    ),
    said("file-missing", "/m/variables; No such file or directory"),
    said(
        "file-damaged",
        "Unable to read file (/m/variables/variables.index). Perhaps the file is corrupt or was "
        "produced by a newer version of TensorFlow with format changes (failed to seek to header "
        "entry): corrupted compressed block contents",
    ),
    said("file-damaged", "Can't parse /m/saved_model.pb as binary proto"),
    said(
        "file-damaged",
        "Cannot parse file b'/m/saved_model.pb': Error parsing message with type "
        "'tensorflow.SavedModel'.",
    ),
    said(
        "file-damaged",
        "TensorBundle at /m/variables/variables shard 0 (4 bytes): Checksum does not match: stored "
        "647446098 vs. calculated on the restored bytes 3079804410\n\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said("file-damaged", "DataLossError: corrupted record at 0"),
    said(
        "file-damaged",
        "file is too short to be an sstable\n\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said("file-damaged", "block checksum mismatch"),
    said(
        "file-damaged", "Error parsing text-format tensorflow.SavedModel: 1:9: Expected identifier"
    ),
    said(
        "file-damaged",
        "OUT_OF_RANGE: Read less bytes than requested\n\t [[{{node save/RestoreV2}}]]",
        node="save/RestoreV2",
    ),
    said("file-damaged", OLDER.format("2 nodes in a cycle")),
    said("file-damaged", "Node 'Mul' is not unique"),
    said("file-damaged", "Node '?? bad': Node name contains invalid characters"),
    said(
        "shape-rejected",
        "Shape must be rank 2 but is rank 1 for 'MatMul' (op: 'MatMul') with input shapes: [8], "
        "[784,10].",
        node="MatMul",
    ),
    said(
        "shape-rejected",
        "Dimensions must be equal, but are 784 and 10 for '{{node MatMul}} = MatMul[T=DT_FLOAT]"
        "(Reshape, dense_matrix/read)' with input shapes: [?,784], [784,10].",
        node="MatMul",
    ),
    said(
        "shape-rejected",
        "ValueError: Node 'FusedBatchNormGradV3' has an _output_shapes attribute inconsistent with "
        "the GraphDef for output #3: Dimension 0 must match",
    ),
    said(
        "shape-rejected",
        "Shape [-2] is not fully defined for 'a/initial_value' (op: 'Const') with input shapes: .",
        node="a/initial_value",
    ),
    said(
        "shape-rejected",
        'Saved model contains node "c" (op "Const") which initializes from a tensor with -2 elements',
        op="Const",
        node="c",
    ),
    said(
        "keras-rejected",
        "ValueError: File format not supported: filepath=my_model. Keras 3 only supports V3 `.keras` "
        "files and legacy H5 format files (`.h5` extension).",
    ),
    said(
        "keras-rejected",
        "ValueError: Unable to create a Keras model from SavedModel at /m. This SavedModel was "
        "exported with `tf.saved_model.save`, and lacks the Keras metadata file.",
    ),
    said("keras-rejected", "ValueError: Unknown layer: Custom>TFBertMainLayer"),
    said(
        "object-graph-rejected",
        "AttributeError: '_UserObject' object has no attribute 'add_slot'",
    ),
    said(
        "object-graph-rejected",
        "ValueError: Unable to restore custom object of type _tf_keras_rnn_layer currently.",
    ),
    said(
        "object-graph-rejected",
        "AssertionError: Unresolved object in checkpoint (root).w: attributes { }",
    ),
    said(
        "object-graph-rejected",
        "ValueError: Trying to load a model of incompatible/unknown type. '/m' contains neither "
        "'saved_model.pb' nor 'saved_model.pbtxt'.",
    ),
    said(
        "object-graph-rejected",
        "ValueError: A SavedModel signature needs an input for each placeholder the signature's "
        "outputs use. Unable to lift tensor <tf.Tensor 'y:0' shape=(None, 1) dtype=float32>",
    ),
    said(
        "init-failed",
        "HashTable has different value for same key. Key emerson has 1 and trying to add value 2\n"
        "\t [[{{node key_value_init}}]]",
        node="key_value_init",
    ),
    said("init-failed", "Table was already initialized with different data."),
    said(
        "init-failed",
        "FAILED_PRECONDITION: Table not initialized.\n\t [[{{node hash_table_Lookup_1}}]]",
        stage=RUN,
        node="hash_table_Lookup_1",
    ),
    said("init-failed", "PruneForTargets: Some target nodes not found: nowhere ", node="nowhere"),
    said(
        "init-failed",
        "KeyError: \"The name 'nowhere' refers to an Operation not in the graph.\"",
        node="nowhere",
    ),
    said(
        "init-failed",
        "assertion failed: [seeded refusal]\n\t [[{{node Assert/Assert}}]]",
        node="Assert/Assert",
    ),
    said(
        "signature-missing",
        "tensor 'gone:0' of the signature: node 'gone' is not in the graph",
        stage=RUN,
        node="gone",
    ),
    said(
        "signature-missing",
        "KeyError: \"The name 'y:4' refers to a Tensor which does not exist. The operation, 'y', "
        'exists but only has 1 outputs."',
        node="y",
    ),
    said(
        "signature-missing",
        "FeedInputs: unable to find feed output gone:0",
        stage=RUN,
        node="gone:0",
    ),
    said("signature-missing", "FetchOutputs node gone:0: not found", stage=RUN, node="gone:0"),
    said(
        "signature-missing",
        "Tensor gone:0, specified in either feed_devices or fetch_devices was not found in the Graph",
        stage=RUN,
        node="gone:0",
    ),
    said(
        "signature-missing",
        "KeyError: \"signature 'train' is not among the loaded object's\"",
        stage=RUN,
        node="train",
    ),
    said(
        "input-rejected",
        "You must feed a value for placeholder tensor 'x' with dtype float and shape [?,1]\n"
        "\t [[{{node x}}]]",
        stage=RUN,
        node="x",
    ),
    said("input-rejected", "Could not parse example input, value: 'abc'", stage=RUN),
    said("input-rejected", "Expects arg[0] to be float but int32 is provided", stage=RUN),
    said(
        "input-rejected",
        "ValueError: Could not find matching concrete function to call loaded from the SavedModel. "
        "Got:\n  Positional arguments (1 total):",
        stage=RUN,
    ),
    said(
        "input-rejected",
        "cannot compute __inference_pruned_99 as input #0(zero-based) was expected to be a float "
        "tensor but is a int32 tensor [Op:__inference_pruned_99]",
        stage=RUN,
    ),
    said(
        "input-rejected",
        "ValueError: Cannot feed value of shape (2,) for Tensor 'x:0', which has shape '(?, 1)'",
        stage=RUN,
    ),
    said(
        "run-failed",
        "Invalid input_h shape: [1,33,16] [1,32,16]\n"
        "\t [[{{function_node __inference_f_1}}{{node rnn}}]]",
        stage=RUN,
        node="rnn",
        function="__inference_f_1",
    ),
    said(
        "run-failed",
        "assertion failed: [seeded refusal]\n\t [[{{node Assert/Assert}}]]",
        stage=RUN,
        node="Assert/Assert",
    ),
    said(
        "run-failed",
        "indices[0] = 9 is not in [0, 3)\n\t [[node gather (defined at lib/ops.py:1748) ]]",
        stage=RUN,
        node="gather",
    ),
    said(
        "run-failed",
        "indices[0] = 9 is not in [0, 3)\n\t [[Node: gather = Gather[T=DT_FLOAT](x, y)]]",
        stage=RUN,
        node="gather",
    ),
    said("unclassified", "File system scheme 's3' not implemented (file: 's3://some-s3-path')"),
]


@pytest.mark.parametrize("seen", SEEN, ids=lambda seen: f"{seen.cause}:{seen.text[:40]}")
def test_what_was_seen(seen: Said) -> None:
    """Each text has its cause, and the names that it gives."""
    explanation = explain(seen.text, seen.stage)
    assert explanation.cause.id == seen.cause
    assert explanation.detail == seen.detail


@pytest.mark.parametrize(
    ("cause", "pattern"),
    [(cause.id, pattern) for cause in CAUSES for pattern in cause.patterns],
)
def test_every_pattern_was_seen(cause: str, pattern: str) -> None:
    """No pattern is there that no text was seen for."""
    compiled = re.compile(pattern, re.DOTALL | re.MULTILINE)
    texts = [seen.text for seen in SEEN if seen.cause == cause]
    assert any(compiled.search(text) for text in texts)


def test_the_list_is_closed() -> None:
    """The causes are those that the record promises, each at its stage."""
    stages = {cause: stage for stage, causes in CLOSED.items() for cause in causes.split()}
    assert {cause.id: cause.stage for cause in BY_ID.values()} == stages


@pytest.mark.parametrize("cause", BY_ID.values(), ids=lambda cause: cause.id)
def test_every_cause_says_what_it_means_and_what_to_do(cause: object) -> None:
    """Meaning and fix are one sentence each, and no pattern captures what the detail does not have."""
    found = BY_ID[cause.id]  # type: ignore[attr-defined]
    assert found.meaning.endswith(".")
    assert found.fix
    groups = {name for pattern in found.patterns for name in re.compile(pattern).groupindex}
    assert groups <= {"op", "attr", "node", "function"}


def test_a_fix_names_what_it_is_about() -> None:
    """The names that the text gave stand in the fix."""
    explanation = explain("Op type not registered 'SentencepieceOp' in binary", LOAD)
    assert "if 'SentencepieceOp' comes from a library" in explanation.fix


def test_a_fix_without_names() -> None:
    """A fix whose names the text does not give still reads."""
    fixes = [explain(seen.text, seen.stage).fix for seen in SEEN]
    assert not [fix for fix in fixes if "{" in fix or "}" in fix]


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\x1b[31m\ud800",
        "{{node ",
        "{{function_node f}}",
        "{{node }}",
        "'" * 1000,
        "Op type not registered '",
        "No OpKernel was registered to support Op '",
        "NodeDef: " * 500,
        "Value for attr 'T' of x is not in the list of allowed values" + "\n" * 500,
        "{op} {0} %s {}",
    ],
)
def test_any_text_is_explained(text: str, stage: Stage) -> None:
    """Whatever a process says, there is a cause, and a fix that formats."""
    explanation = explain(text, stage)
    assert explanation.cause.id in BY_ID
    assert isinstance(explanation.fix, str)


def test_names_with_braces_do_not_break_a_fix() -> None:
    """A name is put into the fix as it is, whatever it looks like."""
    assert "'{op}'" in explain("Op type not registered '{op}' in binary", LOAD).fix


def test_a_run_cause_is_no_cause_of_a_load() -> None:
    """At load nobody fed anything, so a text about inputs is not taken for one."""
    text = "You must feed a value for placeholder tensor 'x' with dtype float"
    assert explain(text, LOAD).cause.id == "unclassified"
