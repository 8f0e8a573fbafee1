"""Causes that lie in the graph: ops, attrs, inputs, kernels, devices, versions, functions, shapes.

They come before those of files: a text may hold the words of several, and these name what is wrong.
"""

from __future__ import annotations

from savedmodel_compat.matrix._cause import UPGRADE, Cause, signs
from savedmodel_compat.matrix.cells import Stage

_OP = r"Op<name=(?P<op>[\w>]+);"
# Bounded, so that no text is gone through again and again; what lies between is a node with its attrs.
_THEN = r".{0,4000}?"
_WITH_OP = rf"(?:{_THEN}{_OP})?"
# What TensorFlow calls the functions that it makes of a model's Python code.
_TRACED = r"(?:__(?:inference|forward|backward)_|cond_(?:true|false)_|while_(?:cond|body)_)"
_STRIP = (
    "if the value is the op's default, take it out (`savedmodel-compat strip`, or export with strip_default_attrs=True); "
    "else upgrade the consumer"
)
_CHANNELS = (
    "export with channels last (NHWC); on a CPU only the builds with oneDNN switched on, by default from 2.9, "
    "run some ops with channels first"
)
_STABLEHLO = (
    "serve with a newer TensorFlow, or export with a lower native_serialization_version "
    "(jax2tf.convert): each release reads the module of an XlaCallModule up to a version of its own"
)

GRAPH_CAUSES: tuple[Cause, ...] = (
    Cause(
        id="op-not-registered",
        stage=Stage.LOAD,
        meaning="The model uses an op that the consumer's build does not have.",
        fix=f"{UPGRADE}; if '{{op}}' comes from a library of custom ops, load it first",
        signs=(
            *signs(
                rf"Op type not registered '(?!{_TRACED})(?P<op>[^']*)'",
                r"No op named (?P<op>\S*) in defined operations",
                r"Node '(?P<node>[^']+)' does not specify an operation",
                r"KeyError: u?'(?P<op>[A-Z]\w+)'",
            ),
            *signs(
                r"undefined symbol: _Z\w*10tensorflow",
                r"\.so[\d.]*: cannot open shared object file",
                fix="the op library is built for another TensorFlow: take, or build, the one for this release",
            ),
        ),
    ),
    Cause(
        id="attr-unknown",
        stage=Stage.LOAD,
        meaning="A node carries an attr that the consumer's op does not have; up to 2.4 that is an error.",
        fix=_STRIP,
        signs=signs(rf"NodeDef mentions attr '(?P<attr>[^']+)' not in {_OP}"),
    ),
    Cause(
        id="attr-missing",
        stage=Stage.LOAD,
        meaning="A node lacks an attr that the consumer's op needs and has no default for.",
        fix="export again with the release that serves; a graph edited by hand may have lost '{attr}'",
        signs=signs(
            rf"NodeDef missing attrs? '(?P<attr>[^']+)'{_THEN} from {_OP}",
            r"No attr named '(?P<attr>[^']+)' in NodeDef",
            r"(?:No attr named|Expected one attr with name) '(?P<attr>[^']+)' in name: \"(?P<node>[^\"]*)\"\s+op: \"(?P<op>\w+)\"",
            r"type attr not found: (?P<attr>\w+)",
            r'node "(?P<node>[^"]+)" which is a (?P<op>const)ant tensor but no (?P<attr>value) has been provided',
        ),
    ),
    Cause(
        id="attr-value-not-allowed",
        stage=Stage.LOAD,
        meaning="An attr has a value that the consumer's op does not allow.",
        fix=f"{UPGRADE}: it does not know this value of '{{attr}}'",
        signs=(
            *signs(
                rf"Value for attr '(?P<attr>[^']+)' of \S{_THEN} is not in the list of allowed values{_WITH_OP}",
                rf"Value for attr '(?P<attr>[^']+)' of \S+ must be at least{_WITH_OP}",
                rf"Length for attr '(?P<attr>[^']+)' of \d+ must be at least{_WITH_OP}",
                r"AttrValue has invalid DataType enum: \d+\s+for attr '(?P<attr>[^']+)'",
                rf"AttrValue (?:had value|must not have|missing value|has invalid DataType){_THEN} for attr '(?P<attr>[^']+)'{_WITH_OP}",
                r"was passed unknown dtype enum \(\d+\) from (?P<node>[^\s:]+)",
                r"expected type INVALID != ",
                r"Cannot convert \d+ to a dtype",
                r"Cannot convert (?:value|the argument `type_value`:) \d+ to a TensorFlow DType",
                r"is not an allowed (?P<attr>\w+) type for '(?P<node>[^']+)' \(op: '(?P<op>\w+)'",
                rf"\b(?P<op>\w+) requires the (?P<attr>\w+) attribute to contain \d+ values{_THEN} for '(?P<node>[^']+)'",
            ),
            *signs(
                r"(?P<op>XlaCallModule)(?:Op)? with (?P<attr>version) \d+ is not supported",
                r"Cannot deserialize (?:\w+ )?computation",
                fix=_STABLEHLO,
            ),
        ),
    ),
    Cause(
        id="node-inputs-changed",
        stage=Stage.LOAD,
        meaning="A node's inputs or outputs do not fit the consumer's definition of its op, or lead nowhere.",
        fix=f"{UPGRADE}; a graph that was frozen or edited by hand may have lost what '{{node}}' takes",
        signs=signs(
            rf"NodeDef expected inputs '[^']*' do not match \d+ inputs specified; {_OP}",
            r"Input \d+ of node '?(?P<node>\S+?)'? was passed \S+ from \S+ incompatible with expected",
            r"Input \d+ of node (?P<node>\S+) does not exist",
            r"Connecting to invalid output \d+ of source node (?P<node>\S+)",
            r"Node '(?P<node>[^']+)': Unknown input node",
            r"Node '(?P<node>[^']+)': Control dependencies must come after regular dependencies",
            r"Expected input\[\d+\] == '[^']*' to be a control input",
            r"graph_def is invalid at node u?'(?P<node>[^']+)'",
            r"input \S+ is not found: (?:\{\{node )?(?P<node>[^\s}]+)",
            r"input \w+\[\d+\] expected type \S+ != \S+, the type of",
            r"Attempt to access beyond input size: \d+",
            r"Return \S+ (?:missing|-> \S+ is not found)",
            r"Function instantiation included invalid input index",
            r"Wrong number of arguments to the op; function expects \d+",
            r"does not match declared output type \S+ for node (?:\{\{node |node )?(?P<node>[^\s}]+)",
            r"Cannot convert a tensor of type \w+ to an input of type",
        ),
    ),
    Cause(
        id="kernel-missing",
        stage=Stage.LOAD,
        meaning="The consumer knows the op but has no kernel for it on this device and with these types.",
        fix="use a build that has the kernel, another device, or another release",
        signs=(
            *signs(
                r"No OpKernel was registered to support Op '(?P<op>[^']+)'(?: used by (?:\{\{)?node (?P<node>[^\s}(]+))?",
                r"No registered '(?P<op>[^']+)' OpKernel",
                r"Could not find (?:valid )?device for node",
            ),
            *signs(
                r"The (?P<op>\w+) op currently only supports the NHWC",
                r"\b[Oo]nly support(?:s|ed)\b[^\n]{0,40}\bND?HWC\b",
                r"Only NHWC data_format supported",
                r"data_format == FORMAT_NHWC",
                fix=_CHANNELS,
            ),
            *signs(
                r"(?:of (?P<op>\w+) )?[Cc]urrently only supports dilated rates of 1",
                fix="on a CPU, only the builds with oneDNN switched on, by default from 2.9, take dilations of {op}: upgrade the consumer",
            ),
            *signs(
                r"[Cc]ould not find (?:registered )?(?:compiler|platform) (?:for platform|with id)",
                fix="this build was made without XLA for the device: export without jit_compile, or serve with one that has it",
            ),
            *signs(
                r"Could not decode variant with type_name",
                r"Cannot parse tensor from proto:.{0,40}?dtype: DT_VARIANT",
                fix="a constant holds a value, such as a TensorList, that this build cannot decode: save the graph before it is "
                "optimised, or serve with another build",
            ),
            *signs(
                r"engine plan file is (?:not compatible|generated)",
                fix="the TensorRT engine is of another TensorRT or card: convert the model again where it is served",
            ),
        ),
    ),
    Cause(
        id="device-not-available",
        stage=Stage.LOAD,
        meaning="A node is pinned to a device that the consumer does not have.",
        fix="export with clear_devices=True, or allow soft placement",
        signs=(
            *signs(
                r"Cannot assign a device (?:for operation|to node) '?(?P<node>[^':]+)",
                r"was explicitly assigned to \S+ but available devices",
                r"Could not satisfy explicit device specification",
                r"Malformed device specification",
                rf"Unknown attribute:? '[^']*' {_THEN}(?:device spec|in ')",
            ),
            *signs(
                r"The current platform \S+ is not among the platforms required by the module",
                fix="export with native_serialization_platforms (jax2tf.convert) naming the platform that serves",
            ),
        ),
    ),
    Cause(
        id="version-gate",
        stage=Stage.LOAD,
        meaning="The versions that the model carries forbid this consumer.",
        fix="upgrade the consumer; the model says itself which it refuses",
        signs=signs(
            r"(?:GraphDef|Checkpoint) min consumer version \d+ above current version \d+",
            r"(?:GraphDef|Checkpoint) disallows consumer version \d+",
            r"(?:GraphDef|Checkpoint) producer version -?\d+ below min producer",
            r"Op (?P<op>\w+) is not available in GraphDef version \d+",
        ),
    ),
    Cause(
        id="function-missing",
        stage=Stage.LOAD,
        meaning="The graph calls a function that its library does not hold, or that the consumer cannot find.",
        fix="export again; a graph that was pruned or merged may have lost a function",
        signs=(
            *signs(
                r"Failed to find function \"(?P<function>[^\"]+)\" in function library",
                r"[Ff]unction ['\"]?(?P<function>[^'\"\s]+)['\"]? is not defined",
                r"Failed to find definition for function \"(?P<function>[^\"]*)\"",
                r"FunctionDefLibrary missing '(?P<function>[^']+)' FunctionDef",
                rf"cyclic.dependency between functions{_THEN}Could not resolve \['(?P<function>[^']+)'",
                rf"Op type not registered '(?P<function>{_TRACED}[^']*)'",
                rf"KeyError: u?'(?P<function>{_TRACED}[^']*)'",
            ),
            *signs(
                r"callback (?P<function>pyfunc_\w+) is not found",
                r"Could not find callback with key=(?P<function>\w+)",
                r"KeyError: u?'(?P<function>pyfunc_\d+)'",
                r"Missing py trampoline",
                fix="it is a function of the Python process that exported the model (tf.py_function, tf.numpy_function), which no "
                "other has: write that step with TensorFlow's ops, or do it before the model",
            ),
        ),
    ),
    Cause(
        id="shape-rejected",
        stage=Stage.LOAD,
        meaning="The consumer's shape function refuses shapes that the producer accepted.",
        fix=UPGRADE,
        signs=(
            *signs(
                r"[Nn]ode '(?P<node>[^']+)' has (?:an _output_shapes attribute inconsistent|\d+ outputs but the _output_shapes)",
                rf"for '\{{\{{node (?P<node>[^}}\n]{{1,500}})\}}\}} = (?P<op>\w+)\b{_THEN} with input shapes: ",
                r"for '(?P<node>[^']+)' \(op: '(?P<op>\w+)'\) with input shapes: ",
                r"Shape must be (?:at least |at most )?rank \d+",
                r"Dimensions? (?:must be|\d+ in both shapes must be) equal",
                r"Shapes must be equal rank, but are \d+ and \d+",
                r"Shape \S+ is not fully defined",
                r"Shape \S+ is too large",
                r"contains node \"(?P<node>[^\"]+)\" \(op \"(?P<op>\w+)\"\) which initializes from a tensor with -",
                r"No shape inference function exists for op '(?P<op>\w+)'",
            ),
            *signs(
                r"Shapes \([^)]{0,400}\) and \([^)]{0,400}\) are (?:incompatible|not compatible)",
                r"Dimension -\d+ must be >= 0",
                stage=Stage.LOAD,
            ),
        ),
    ),
)
