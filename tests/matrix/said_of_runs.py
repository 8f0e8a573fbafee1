"""Texts about runs, and about anything else: what each release's loaders said when it was wrong."""

from __future__ import annotations

from tests.matrix.said import said

from savedmodel_compat.matrix.cells import Stage

RUN = Stage.RUN

RUNS = [
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
    said(
        "signature-missing",
        "tensor '' of the signature: node '' is not in the graph",
        by="2.21.0 c",
        stage=RUN,
    ),
    said(
        "signature-missing",
        "ValueError: Fetch argument '' cannot be interpreted as a Tensor. (\"The name '' refers to an "
        'Operation not in the graph.")',
        by="2.4.4 v1",
        stage=RUN,
    ),
    said(
        "signature-missing",
        "TypeError: 'y' holds a NoneType, which is no tensor",
        by="2.18.1 v1",
        stage=RUN,
        node="y",
    ),
    said(
        "signature-missing",
        "KeyError: \"The name 'gone' refers to an Operation not in the graph.\"",
        by="2.4.4 v2",
        trace='File "load_v1_in_v2.py", line 1, in _get_element_from_tensor_info\n',
        node="gone",
    ),
    said("signature-missing", 'Serving signature key "score" not found.', stage=RUN, node="score"),
    said(
        "signature-missing",
        '{ "error": "Serving signature name: \\"serving_default\\" not found in signature def" }',
        stage=RUN,
        node="serving_default",
    ),
    said(
        "signature-missing",
        "input tensor alias not found in signature: input_1. Inputs expected to be in the set {x}.",
        stage=RUN,
        node="input_1",
    ),
    said(
        "signature-missing",
        "Expected classification signature method_name to be tensorflow/serving/classify. Was: x",
        stage=RUN,
    ),
    said(
        "signature-missing",
        "ValueError: The endpoint 'serve' is neither an attribute of the reloaded SavedModel, nor an "
        "entry in the `signatures` field",
        node="serve",
    ),
    said(
        "input-rejected",
        "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}.",
        stage=RUN,
    ),
    said(
        "input-rejected",
        "TypeError: signature_wrapper(*, x, scale) missing required arguments: scale, x.",
        by="2.11.1 v2",
        stage=RUN,
    ),
    said(
        "input-rejected",
        "TypeError: Binding inputs to tf.function failed due to `missing a required argument: 'scale'`.",
        by="2.21.0 v2",
        stage=RUN,
    ),
    said(
        "input-rejected",
        "ValueError: Python inputs incompatible with input_signature:\n  inputs: (tf.Tensor(1.0))",
        by="2.4.4 v2",
        stage=RUN,
    ),
    said("input-rejected", "JSON object: does not have named input: x", stage=RUN),
    said(
        "crashed",
        "F tensorflow/core/platform/cpu_feature_guard.cc:37] The TensorFlow library was compiled to "
        "use AVX instructions, but these aren't available on your machine.",
    ),
    said("crashed", "line 3:     6 Illegal instruction     (core dumped) tensorflow_model_server"),
    said("unclassified", "ValueError: something that nobody has seen"),
    said("unclassified", "ValueError: it has a file and a node {{node a}}", node="a"),
]
