"""Texts about graphs: what each release's loaders said when it was wrong."""

from __future__ import annotations

from tests.matrix.said import LOADING, MUL, OLDER, said

from savedmodel_compat.matrix.cells import Stage

RUN = Stage.RUN

GRAPHS = [
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
        op="Conv2D",
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
        "shape-rejected",
        "Shape must be rank 2 but is rank 1 for 'MatMul' (op: 'MatMul') with input shapes: [8], "
        "[784,10].",
        op="MatMul",
        node="MatMul",
    ),
    said(
        "shape-rejected",
        "Dimensions must be equal, but are 784 and 10 for '{{node MatMul}} = MatMul[T=DT_FLOAT]"
        "(Reshape, dense_matrix/read)' with input shapes: [?,784], [784,10].",
        op="MatMul",
        node="MatMul",
    ),
    said(
        "shape-rejected",
        "ValueError: Node 'FusedBatchNormGradV3' has an _output_shapes attribute inconsistent with "
        "the GraphDef for output #3: Dimension 0 must match",
        node="FusedBatchNormGradV3",
    ),
    said(
        "shape-rejected",
        "Shape [-2] is not fully defined for 'a/initial_value' (op: 'Const') with input shapes: .",
        op="Const",
        node="a/initial_value",
    ),
    said(
        "shape-rejected",
        'Saved model contains node "c" (op "Const") which initializes from a tensor with -2 elements',
        op="Const",
        node="c",
    ),
    said("op-not-registered", "Op type not registered '' in binary running on vm.", by="2.21.0 c"),
    said(
        "op-not-registered",
        "ValueError: Node 'mul' does not specify an operation",
        by="2.18.1 v1",
        node="mul",
    ),
    said("op-not-registered", "ValueError: No op named  in defined operations.", by="1.4.1 v1"),
    said(
        "op-not-registered",
        "NotFoundError: ./my_op.so: undefined symbol: _ZN10tensorflow12OpDefBuilder4AttrESs",
    ),
    said(
        "op-not-registered",
        "NotFoundError: libtensorflow_framework.so.2: cannot open shared object file: No such file",
    ),
    said(
        "attr-missing",
        'ValueError: Expected one attr with name \'DstT\' in name: "cast"\nop: "Cast"\ninput: "y"\n.',
        by="1.4.1 v1",
        op="Cast",
        attr="DstT",
        node="cast",
    ),
    said(
        "attr-missing",
        'ValueError: No attr named \'value\' in name: "a"\nop: "Const"\nattr {\n  key: "dtype"\n}\n',
        by="1.4.1 v1",
        op="Const",
        attr="value",
        node="a",
    ),
    said(
        "attr-missing",
        "NOT_FOUND: type attr not found: T\n\tIn {{node body}}",
        by="2.21.0 c",
        attr="T",
        node="body",
    ),
    said(
        "attr-missing",
        "NOT_FOUND: type attr not found: T\n\tIn {{node body}} = Mul[](t:0, t:0)\n\t [[{{node called}} "
        "= PartitionedCall[Tin=[DT_FLOAT], Tout=[DT_FLOAT], f=inner[]](y)]]",
        by="1.12.3 c",
        stage=RUN,
        attr="T",
        node="body",
    ),
    said(
        "attr-value-not-allowed",
        "INVALID_ARGUMENT: Length for attr 'ksize' of 2 must be at least minimum 4\n\t; NodeDef: "
        "{{node pool}}; Op<name=MaxPool; signature=input:T -> output:T; attr=ksize:list(int),min=4>",
        by="2.11.1 c",
        op="MaxPool",
        attr="ksize",
        node="pool",
    ),
    said(
        "attr-value-not-allowed",
        "ValueError: AttrValue has invalid DataType\n\t for attr 'T'\n\t; NodeDef: {{node mul}}; "
        + MUL,
        by="2.4.4 v1",
        op="Mul",
        attr="T",
        node="mul",
    ),
    said(
        "attr-value-not-allowed",
        "ValueError: AttrValue missing value with expected type 'type'\n\t for attr 'T'\n\t; NodeDef: "
        "{{node mul}} = Mul[T=<Unknown AttrValue type>](x, a); " + MUL,
        by="1.12.3 v1",
        op="Mul",
        attr="T",
        node="mul",
    ),
    said(
        "attr-value-not-allowed",
        "INVALID_ARGUMENT: Input 0 of node mul was passed unknown dtype enum (60) from x:0 "
        "incompatible with expected float.",
        by="1.4.1 c",
        node="x",
    ),
    said(
        "attr-value-not-allowed",
        "input x[0] expected type INVALID != float, the type of t[0]\n\tIn {{node body}}",
        by="2.21.0 c",
        node="body",
    ),
    said(
        "attr-value-not-allowed",
        "TypeError: Cannot convert 60 to a dtype. Cannot interpret '60' as a data type",
        by="1.4.1 v1",
    ),
    said(
        "attr-value-not-allowed",
        "FULL is not an allowed padding type for 'conv' (op: 'Conv2D') with input shapes: [1,1,?,3].",
        by="1.4.1 v1",
        op="Conv2D",
        attr="padding",
        node="conv",
    ),
    said(
        "attr-value-not-allowed",
        "ValueError: MaxPool requires the ksize attribute to contain 4 values, but got: 2 for 'pool' "
        "(op: 'MaxPool') with input shapes: [1,1,?,2].",
        by="1.4.1 v1",
        op="MaxPool",
        attr="ksize",
        node="pool",
    ),
    said(
        "attr-value-not-allowed",
        "XlaCallModuleOp with version 99 is not supported by this build. Must be <= 5\n\t [[{{node xc}}]]",
        by="2.13.1 c",
        stage=RUN,
        op="XlaCallModule",
        attr="version",
        node="xc",
    ),
    said(
        "attr-value-not-allowed",
        "INVALID_ARGUMENT: Cannot deserialize MHLO computation\n\n\t [[{{node xc}}]]\n\t [[xc]]",
        by="2.10.1 c",
        stage=RUN,
        node="xc",
    ),
    said(
        "attr-value-not-allowed",
        "INVALID_ARGUMENT: Cannot deserialize computation: UNKNOWN: <unknown>:0: error: failed to "
        "deserialize portable artifact using StableHLO_v1.12.1\n\t [[{{node xc}}]]",
        by="2.21.0 c",
        stage=RUN,
        node="xc",
    ),
    said(
        "node-inputs-changed",
        "Input 0 of node mul was passed float from x:0 incompatible with expected INVALID.",
        by="2.21.0 c",
        node="mul",
    ),
    said(
        "node-inputs-changed",
        "Node 'mul': Control dependencies must come after regular dependencies",
        by="2.21.0 c",
        node="mul",
    ),
    said(
        "node-inputs-changed",
        "ValueError: graph_def is invalid at node 'mul': Input tensor 's:0' Cannot convert a tensor "
        "of type string to an input of type float32.",
        by="1.4.1 v1",
        node="mul",
    ),
    said(
        "node-inputs-changed",
        "TypeError: Cannot convert a tensor of type float32 to an input of type float32_ref",
    ),
    said(
        "node-inputs-changed",
        "input nowhere is not found: body = Mul[T=DT_FLOAT](nowhere, t)\n\tIn body = "
        "Mul[T=DT_FLOAT](nowhere, t)\n\t [[Node: called = inner[](y)]]",
        by="1.4.1 c",
        stage=RUN,
        node="body",
    ),
    said(
        "node-inputs-changed",
        "input nowhere:output:0 is not found: {{node cond/mul}}\n\tIn {{node cond/mul}}",
        by="2.21.0 c",
        stage=RUN,
        node="cond/mul",
    ),
    said(
        "node-inputs-changed",
        "input x[0] expected type string != float, the type of t[0]\n\tIn {{node body}}",
        by="1.15.5 c",
        node="body",
    ),
    said(
        "node-inputs-changed",
        "Attempt to access beyond input size: 1 >= 1\n\tIn {{node mul}}",
        by="2.21.0 c",
        stage=RUN,
        node="mul",
    ),
    said("node-inputs-changed", "Return z missing.\n\tIn function output z:float", by="2.4.4 c"),
    said(
        "node-inputs-changed",
        "Return z -> nowhere:z:0 is not found.\n\tIn function output z:float",
        by="2.4.4 v1",
    ),
    said(
        "node-inputs-changed",
        "Function instantiation included invalid input index: 1 not in [0, 1).",
        by="2.21.0 v2",
    ),
    said(
        "node-inputs-changed",
        "Wrong number of arguments to the op; function expects 2 but PartitionedCall received 1\n"
        "\t [[{{node called}}]]",
        by="1.13.2 c",
        stage=RUN,
        node="called",
    ),
    said(
        "node-inputs-changed",
        "Output 0 of type float does not match declared output type int32 for node {{node called}}",
        by="2.21.0 c",
        stage=RUN,
        node="called",
    ),
    said(
        "node-inputs-changed",
        "Output 0 of type float does not match declared output type int32 for node node called "
        "(defined at lib/ops.py:1748) ",
        by="1.15.5 v1",
        stage=RUN,
        node="called",
    ),
    said(
        "node-inputs-changed",
        "KeyError: 'nowhere:z:0'",
        by="2.4.4 v2",
        trace=LOADING
        + "    nested_to_flat_tensor_name[fdef.ret[arg.name]]\nKeyError: 'nowhere:z:0'\n",
        node="nowhere",
    ),
    said(
        "node-inputs-changed",
        "KeyError: 'Identity'",
        trace=LOADING
        + "    node_def.input[i] = nested_to_flat_tensor_name[node_def.input[i]]\nKeyError: 'Identity'\n",
        node="Identity",
    ),
    said(
        "kernel-missing",
        "UNIMPLEMENTED: Generic conv implementation only supports NHWC tensor format for now.\n"
        "\t [[{{node conv}}]]",
        by="2.8.4 c",
        stage=RUN,
        node="conv",
    ),
    said(
        "kernel-missing",
        "UNIMPLEMENTED: Depthwise convolution on CPU is only supported for NHWC format\n\t [[{{node dw}}]]",
        by="2.8.4 c",
        stage=RUN,
        node="dw",
    ),
    said(
        "kernel-missing",
        "INVALID_ARGUMENT: Only NHWC data_format supported on CPU. Got NCHW\n\t [[{{node sd}}]]",
        by="2.0.4 c",
        stage=RUN,
        node="sd",
    ),
    said(
        "kernel-missing",
        "F ./tensorflow/core/kernels/conv_2d.h: Check failed: data_format == FORMAT_NHWC",
        stage=RUN,
    ),
    said(
        "kernel-missing",
        "UNIMPLEMENTED: Could not find compiler for platform CUDA: NOT_FOUND: could not find "
        "registered compiler for platform CUDA\n\t [[{{node PartitionedCall}}]]",
        stage=RUN,
        node="PartitionedCall",
    ),
    said(
        "kernel-missing",
        "NOT_FOUND: could not find registered platform with id: 0x55d0",
        stage=RUN,
    ),
    said(
        "kernel-missing",
        "INVALID_ARGUMENT: Cannot parse tensor from proto: goo.gle/debugstr  \ndtype: DT_VARIANT\n"
        "tensor_shape {\n}\n\n\t [[{{node tl}}]]",
        by="2.21.0 c",
        stage=RUN,
        node="tl",
    ),
    said(
        "kernel-missing",
        'Could not decode variant with type_name: "tensorflow::TensorList".  Perhaps you forgot',
        stage=RUN,
    ),
    said(
        "kernel-missing",
        "The engine plan file is not compatible with this version of TensorRT, expecting 7.2",
        stage=RUN,
    ),
    said(
        "device-not-available",
        "NOT_FOUND: The current platform CPU is not among the platforms required by the module: [TPU]\n"
        "\t [[{{node xc}}]]\n\t [[xc]]",
        by="2.13.1 c",
        stage=RUN,
        node="xc",
    ),
    said(
        "device-not-available",
        "Malformed device specification 'rubbish' in node: {name:'body' id:3 op device:{requested: "
        "'rubbish', assigned: ''} def:{{{node body}} = Mul[T=DT_FLOAT](t, t)}}\n\t [[body]]\n\t [[called]]",
        by="2.11.1 c",
        stage=RUN,
        node="body",
    ),
    said(
        "version-gate",
        "Checkpoint min consumer version 99 above current version 1 for TensorFlow 2.21.0.  Please "
        "upgrade TensorFlow.\n\t [[{{node save/RestoreV2}}]]",
        by="2.21.0 c",
        node="save/RestoreV2",
    ),
    said("version-gate", OLDER.format("something that nobody has seen")),
    said(
        "function-missing",
        "ValueError: FunctionDefLibrary missing 'gone' FunctionDef\nfunction {\n  signature {\n",
        by="2.11.1 v1",
        function="gone",
    ),
    said(
        "function-missing",
        "ValueError: ('There is a cyclic-dependency between functions. ', \"Could not resolve "
        "['__inference_predict_61', '__inference_signature_wrapper_75'].\")",
        by="2.4.4 v2",
        function="__inference_predict_61",
    ),
    said(
        "function-missing",
        'NotFoundError: Failed to find definition for function "absent"\n\t [[{{node n_d}}]]\n\t [[sig_call]]',
        by="2.3.4 v1",
        stage=RUN,
        function="absent",
        node="n_d",
    ),
    said(
        "attr-value-not-allowed",
        "TypeError: Cannot convert the argument `type_value`: 99 to a TensorFlow DType.",
        by="2.4.4 v1",
    ),
    said(
        "kernel-missing",
        "UNIMPLEMENTED: CPU implementation of Conv3D currently only supports dilated rates of 1.\n\t [[{{node conv}}]]",
        by="2.8.4 c",
        stage=RUN,
        op="Conv3D",
        node="conv",
    ),
    said(
        "attr-value-not-allowed",
        "TypeError: Cannot convert value 99 to a TensorFlow DType.",
        by="2.21.0 v2",
    ),
    said(
        "function-missing",
        "NOT_FOUND: Op type not registered 'cond_true_24' in binary running on vm. Make sure the Op and "
        "Kernel are registered\n\t [[{{node cond}}]]",
        by="2.0.4 c",
        stage=RUN,
        node="cond",
        function="cond_true_24",
    ),
    said(
        "function-missing",
        "KeyError: 'Inner'",
        by="2.18.1 v2",
        trace=LOADING
        + "    attr_value.func.name = functions[attr_value.func.name].name\nKeyError: 'Inner'\n",
        function="Inner",
    ),
    said(
        "function-missing",
        "KeyError: 'gone'",
        by="2.0.4 v2",
        trace=LOADING
        + "    concrete_function_objects.append(concrete_functions[concrete_function_name])\n",
        function="gone",
    ),
    said(
        "function-missing",
        "INVALID_ARGUMENT: Missing py trampoline. Most likely, it is a link error.\n\t [[{{node p}}]]",
        by="2.11.1 c",
        stage=RUN,
        node="p",
    ),
    said(
        "function-missing",
        "InvalidArgumentError: Graph execution error:\n\nDetected at node p_0 defined at (most recent "
        "call last):\n<stack traces unavailable>\nValueError: Could not find callback with key=pyfunc_7 "
        "in the registry.\n\t [[{{node p_0}}]]",
        by="2.21.0 v2",
        stage=RUN,
        node="p_0",
        function="pyfunc_7",
    ),
    said(
        "function-missing",
        "UnknownError: KeyError: 'pyfunc_7'\n\t [[Node: p = PyFunc[Tin=[DT_FLOAT], Tout=[DT_FLOAT]](x)]]",
        by="1.4.1 v1",
        stage=RUN,
        node="p",
        function="pyfunc_7",
    ),
    said(
        "shape-rejected",
        "Cannot reshape a tensor with 3 elements to shape [7] (7 elements) for '{{node rs}} = "
        "Reshape[T=DT_FLOAT, Tshape=DT_INT32](b, sh)' with input shapes: [3], [1] and with input "
        "tensors computed as partial shapes: input[1] = [7].",
        by="2.21.0 c",
        op="Reshape",
        node="rs",
    ),
    said(
        "shape-rejected",
        "Shape [?,3,-5,3] has dimensions with values below -1 (where -1 means unknown) for 'x' (op: "
        "'Placeholder') with input shapes: .",
        by="1.15.5 c",
        op="Placeholder",
        node="x",
    ),
    said(
        "shape-rejected",
        "Node 'y' has 1 outputs but the _output_shapes attribute specifies shapes for 2 outputs",
        by="1.4.1 c",
        node="y",
    ),
    said(
        "shape-rejected",
        "INVALID_ARGUMENT: No shape inference function exists for op 'XlaLaunch', did you forget",
        by="2.21.0 c",
        op="XlaLaunch",
    ),
    said(
        "shape-rejected", "ValueError: Shapes must be equal rank, but are 4 and 2", by="2.11.1 v2"
    ),
    said(
        "shape-rejected", "ValueError: Shapes (?, 3) and (7, 7) are not compatible", by="1.4.1 v1"
    ),
    said("shape-rejected", "ValueError: Dimension -2 must be >= 0", by="1.4.1 v1"),
    said(
        "shape-rejected",
        "ValueError: Shape [4611686018427387904,4611686018427387904] is too large (more than 2**63 - "
        "1 entries)",
        by="1.4.1 v1",
    ),
]
