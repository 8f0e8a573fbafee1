"""Why cells fail: the closed list of causes, what each means, how to mend it, and the words by which it is told.

Every release and loader says the same thing in other words; each pattern below was seen from at least one of them. The
order matters: a message is given to the first pattern that fits, and the most specific come first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.matrix.cells import Detail, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason for which a cell fails.

    Args:
        id: its name in records.
        stage: where it belongs; None for those that can come anywhere.
        meaning: one sentence.
        fix: what to do about it; may name ``{op}``, ``{attr}`` and ``{node}``.
        patterns: what is said when it happens; named groups ``op``, ``attr``, ``node``, ``function`` fill the detail.
    """

    id: str
    stage: Stage | None
    meaning: str
    fix: str
    patterns: tuple[str, ...] = ()


_OP = r"Op<name=(?P<op>[\w>]+);"
_UPGRADE = "upgrade the consumer, or export with the release that serves"

CAUSES: tuple[Cause, ...] = (
    Cause(
        id="out-of-memory",
        stage=None,
        meaning="The process needed more memory than the cell may use.",
        fix="raise --memory, or feed smaller inputs",
        patterns=(
            r"^MemoryError",
            r"OOM when allocating tensor",
            r"\bbad_alloc\b",
            r"failed to allocate memory",
        ),
    ),
    Cause(
        id="op-not-registered",
        stage=Stage.LOAD,
        meaning="The model uses an op that the consumer's build does not have.",
        fix=f"{_UPGRADE}; if '{{op}}' comes from a library of custom ops, load it first",
        patterns=(
            r"Op type not registered '(?P<op>[^']+)'",
            r"No op named (?P<op>\S+) in defined operations",
            r"KeyError: u?'(?P<op>[A-Z]\w+)'",
        ),
    ),
    Cause(
        id="attr-unknown",
        stage=Stage.LOAD,
        meaning="A node carries an attr that the consumer's op does not have; up to 2.4 that is an error.",
        fix="export with strip_default_attrs=True if the value is the op's default; else upgrade the consumer",
        patterns=(rf"NodeDef mentions attr '(?P<attr>[^']+)' not in {_OP}",),
    ),
    Cause(
        id="attr-missing",
        stage=Stage.LOAD,
        meaning="A node lacks an attr that the consumer's op needs and has no default for.",
        fix="export again with the release that serves; a graph edited by hand may have lost '{attr}'",
        patterns=(
            rf"NodeDef missing attrs? '(?P<attr>[^']+)'.*? from {_OP}",
            r"No attr named '(?P<attr>[^']+)' in NodeDef",
            r'node "(?P<node>[^"]+)" which is a (?P<op>const)ant tensor but no (?P<attr>value) has been provided',
        ),
    ),
    Cause(
        id="attr-value-not-allowed",
        stage=Stage.LOAD,
        meaning="An attr has a value that the consumer's op does not allow.",
        fix=f"{_UPGRADE}: it does not know this value of '{{attr}}'",
        patterns=(
            rf"Value for attr '(?P<attr>[^']+)' of \S.*? is not in the list of allowed values.*?(?:{_OP}|\Z)",
            r"Value for attr '(?P<attr>[^']+)' of \S+ must be at least.*?(?:Op<name=(?P<op>[\w>]+);|\Z)",
            rf"AttrValue (?:had value|must not have).*? for attr '(?P<attr>[^']+)'.*?(?:{_OP}|\Z)",
            r"AttrValue has invalid DataType enum: \d+\s+for attr '(?P<attr>[^']+)'",
        ),
    ),
    Cause(
        id="node-inputs-changed",
        stage=Stage.LOAD,
        meaning="A node's inputs or outputs do not fit the consumer's definition of its op.",
        fix=_UPGRADE,
        patterns=(
            rf"NodeDef expected inputs '[^']*' do not match \d+ inputs specified; {_OP}",
            r"Input \d+ of node '?(?P<node>\S+?)'? was passed \S+ from \S+ incompatible with expected",
            r"Input \d+ of node (?P<node>\S+) does not exist",
            r"Connecting to invalid output \d+ of source node (?P<node>\S+)",
            r"Node '(?P<node>[^']+)': Unknown input node",
            r"Expected input\[\d+\] == '[^']*' to be a control input",
        ),
    ),
    Cause(
        id="kernel-missing",
        stage=Stage.LOAD,
        meaning="The consumer knows the op but has no kernel for it on this device and with these types.",
        fix="use a build that has the kernel, another device, or another release",
        patterns=(
            r"No OpKernel was registered to support Op '(?P<op>[^']+)'(?: used by (?:\{\{)?node (?P<node>[^\s}(]+))?",
            r"No registered '(?P<op>[^']+)' OpKernel",
            r"Could not find valid device for node",
            r"only supports (?:the )?NHWC",
        ),
    ),
    Cause(
        id="device-not-available",
        stage=Stage.LOAD,
        meaning="A node is pinned to a device that the consumer does not have.",
        fix="export with clear_devices=True, or allow soft placement",
        patterns=(
            r"Cannot assign a device (?:for operation|to node) '?(?P<node>[^':]+)",
            r"was explicitly assigned to \S+ but available devices",
            r"Could not satisfy explicit device specification",
            r"Malformed device specification",
            r"Unknown attribute:? '[^']*' .*?(?:device spec|in ')",
        ),
    ),
    Cause(
        id="version-gate",
        stage=Stage.LOAD,
        meaning="The GraphDef's versions forbid this consumer.",
        fix="upgrade the consumer; the model says itself which it refuses",
        patterns=(
            r"GraphDef min consumer version \d+ above current version \d+",
            r"GraphDef disallows consumer version \d+",
            r"GraphDef producer version -?\d+ below min producer",
            r"Op (?P<op>\w+) is not available in GraphDef version \d+",
        ),
    ),
    Cause(
        id="function-missing",
        stage=Stage.LOAD,
        meaning="The graph calls a function that its library does not hold, or that the consumer cannot find.",
        fix="export again; a graph that was pruned or merged may have lost a function",
        patterns=(
            r"Failed to find function \"(?P<function>[^\"]+)\" in function library",
            r"[Ff]unction ['\"]?(?P<function>[^'\"\s]+)['\"]? is not defined",
            r"KeyError: '(?P<function>__(?:inference|forward|backward)_[^']+)'",
            r"callback (?P<function>pyfunc_\w+) is not found",
        ),
    ),
    Cause(
        id="tags-not-found",
        stage=Stage.LOAD,
        meaning="No MetaGraph has exactly this tag set.",
        fix="name the tags with --tags; `savedmodel-compat inspect` lists them",
        patterns=(
            r"Could not find meta graph def matching supplied tags",
            r"MetaGraphDef associated with tags .*? could not be found",
        ),
    ),
    Cause(
        id="variable-missing",
        stage=Stage.LOAD,
        meaning="The checkpoint lacks a variable that the graph restores, or was never restored.",
        fix="export again, and copy the whole variables/ folder",
        patterns=(
            r"Key (?P<node>\S+) not found in checkpoint",
            r"Attempting to use uninitialized value (?P<node>\S+)",
            r"Error while reading resource variable (?P<node>\S+)",
            r"Could not find variable (?P<node>\S+?)\.? This could mean",
            r"Tensor name \"(?P<node>[^\"]+)\" not found in checkpoint",
        ),
    ),
    Cause(
        id="asset-missing",
        stage=Stage.LOAD,
        meaning="A file under assets/ is not there.",
        fix="copy the whole model folder, assets/ included",
        patterns=(
            r"/assets/(?![^;]*/variables/)[^;]*; No such file",
            r"; No such file or directory.*InitializeTable",
        ),
    ),
    Cause(
        id="file-missing",
        stage=Stage.LOAD,
        meaning="A file of the model is not there.",
        fix="copy the whole model folder; variables/ needs its index and every shard",
        patterns=(
            r"Could not find SavedModel \.pb",
            r"SavedModel file does not exist at",
            r"SavedModel not found in export directory",
            r"is not a valid checkpoint",
            r"variables\.(?:data|index)\S*; No such file",
            r"Failed to find any matching files for",
            r"; No such file or directory",
        ),
    ),
    Cause(
        id="file-damaged",
        stage=Stage.LOAD,
        meaning="A file of the model is cut short, altered, or of a format that this release cannot read.",
        fix="if other releases read it, this one is too old for the file's format; else copy the model again and compare "
        "digests (`savedmodel-compat inspect --digest`)",
        patterns=(
            r"Perhaps the file is corrupt or was produced by a newer version of TensorFlow",
            r"Can't parse \S+ as binary proto",
            r"Cannot parse file",
            r"Checksum does not match",
            r"[Dd]ata ?loss|DataLossError",
            r"(?:not|to be) an sstable|block checksum mismatch|truncated block",
            r"Error parsing (?:text-format|message)",
            r"Read less bytes than requested",
            r"\d+ nodes in a cycle",
            r"Node '[^']+' is not unique",
            r"Node name contains invalid characters",
        ),
    ),
    Cause(
        id="shape-rejected",
        stage=Stage.LOAD,
        meaning="The consumer's shape function refuses shapes that the producer accepted.",
        fix=_UPGRADE,
        patterns=(
            r"Shape must be (?:at least |at most )?rank \d+",
            r"Dimensions? (?:must be|\d+ in both shapes must be) equal",
            r"_output_shapes attribute inconsistent",
            r"Shape \S+ is not fully defined",
            r"contains node \"(?P<node>[^\"]+)\" \(op \"(?P<op>\w+)\"\) which initializes from a tensor with -",
        ),
    ),
    Cause(
        id="keras-rejected",
        stage=Stage.LOAD,
        meaning="This Keras does not read this model.",
        fix="load it with tf.saved_model.load or keras.layers.TFSMLayer, or save it again as .keras",
        patterns=(
            r"Keras (?:3|Core) only supports",
            r"Unable to create a (?:TF-)?Keras model from",
            r"Unknown (?:layer|loss function|metric function|optimizer)",
        ),
    ),
    Cause(
        id="object-graph-rejected",
        stage=Stage.LOAD,
        meaning="tf.saved_model.load cannot rebuild the object graph, though the graph itself may be fine.",
        fix="load it with the v1 or the C++ loader, or with the producer's release",
        patterns=(
            r"'_?(?:UserObject|AutoTrackable|WrappedFunction)' object has no attribute",
            r"Unable to restore (?:custom )?object of (?:type|class)",
            r"Some objects had attributes which were not restored|Unresolved object in checkpoint",
            r"Trying to load a model of incompatible/unknown type",
            r"Unable to lift tensor",
        ),
    ),
    Cause(
        id="init-failed",
        stage=Stage.LOAD,
        meaning="The graph was built, and the initialisation that the model asks for failed.",
        fix="look at the message: tables and assets are filled there",
        patterns=(
            r"HashTable has different value",
            r"Table was already initialized with different data",
            r"Table not initialized",
            r"PruneForTargets: Some target nodes not found: (?P<node>\S+)",
            r"The name '(?P<node>[^']+)' refers to an Operation not in the graph",
        ),
    ),
    Cause(
        id="signature-missing",
        stage=Stage.RUN,
        meaning="The signature, or a tensor that it names, is not in the loaded graph.",
        fix="compare `savedmodel-compat inspect` with what the exporter meant",
        patterns=(
            r"of the signature: node '(?P<node>[^']+)'",
            r"The name '(?P<node>[^':]+)[^']*' refers to a Tensor",
            r"FeedInputs: unable to find feed output (?P<node>\S+)",
            r"FetchOutputs node (?P<node>\S+?): ",
            r"Tensor (?P<node>\S+), specified in either feed_devices or fetch_devices was not found",
            r"signature '(?P<node>[^']+)' is not among the loaded object's",
        ),
    ),
    Cause(
        id="input-rejected",
        stage=Stage.RUN,
        meaning="The consumer refuses inputs that the reference accepts.",
        fix="compare the signature's dtypes and shapes; give inputs with --inputs",
        patterns=(
            r"You must feed a value for placeholder tensor '(?P<node>[^']+)'",
            r"Could not parse example input",
            r"Expects arg\[\d+\] to be \w+ but \w+ is provided",
            r"Could not find matching (?:concrete )?function to call",
            r"cannot compute \S+ as input #",
            r"Cannot feed value of shape",
        ),
    ),
)

_OTHERS: tuple[Cause, ...] = (
    Cause(
        id="not-a-savedmodel",
        stage=Stage.LOAD,
        meaning="The file is no SavedModel, whatever its name.",
        fix="`savedmodel-compat inspect` says what it is",
    ),
    Cause(
        id="run-failed",
        stage=Stage.RUN,
        meaning="The model loads, and running it gives an error that the reference does not give.",
        fix="look at the message and the node that it names",
    ),
    Cause(
        id="output-names-differ",
        stage=Stage.COMPARE,
        meaning="The outputs do not have the reference's names.",
        fix="look whether this loader renames outputs, or the signature changed",
    ),
    Cause(
        id="output-dtype-differs",
        stage=Stage.COMPARE,
        meaning="An output has another element type than the reference.",
        fix="compare the signatures",
    ),
    Cause(
        id="output-shape-differs",
        stage=Stage.COMPARE,
        meaning="An output has another shape than the reference.",
        fix="compare the signatures, and the ops that make this output",
    ),
    Cause(
        id="output-mismatch",
        stage=Stage.COMPARE,
        meaning="An output has other values than the reference, beyond the tolerance.",
        fix="if the difference is rounding, widen --rtol/--atol; else look for ops that changed between the releases",
    ),
    Cause(
        id="attr-ignored",
        stage=Stage.COMPARE,
        meaning="The consumer drops an attr that it does not know, and its value is not the op's default.",
        fix=f"{_UPGRADE}: '{{attr}}' of {{op}} does nothing there",
    ),
    Cause(
        id="crashed",
        stage=None,
        meaning="The process ended by a signal, or without an answer.",
        fix="look at the log; an abort is a CHECK failure inside TensorFlow",
    ),
    Cause(
        id="timed-out",
        stage=None,
        meaning="The cell did not end in its time.",
        fix="raise --timeout, or look for a queue that nothing fills",
    ),
    Cause(
        id="unclassified",
        stage=None,
        meaning="None of the known texts; the message is kept.",
        fix="read the message; a report of it makes the harness better",
    ),
)

BY_ID = {cause.id: cause for cause in (*CAUSES, *_OTHERS)}

_PATTERNS = [
    (cause, re.compile(pattern, re.DOTALL | re.MULTILINE))
    for cause in CAUSES
    for pattern in cause.patterns
]
_NODE = re.compile(
    r"\{\{function_node (?P<function>[^}]+)\}\}\s*\{\{node (?P<node>[^}]+)\}\}"
    r"|NodeDef: (?:\{\{node )?(?P<bare>[^\s}]+)(?:\}\}| = )"
    r"|\{\{node (?P<last>[^}]+)\}\}"
    r"|\[\[node (?P<defined>\S+) \(defined at"
    r"|\[\[Node: (?P<old>\S+) = "
    r"| for '(?P<shaped>[^']+)' \(op: '"
)
# At load nothing runs but the restore op and the init op, and only the latter asserts.
_ASSERTION = re.compile("assertion failed")
# tf.saved_model.load makes the signatures' functions at load.
_ALSO_AT_LOAD = frozenset({"signature-missing"})
_SPELLING = {"const": "Const"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cause, and what in the model it is about."""

    cause: Cause
    detail: Detail

    @property
    def fix(self) -> str:
        """What to do about it, with the names filled in."""
        names = {"op": self.detail.op, "attr": self.detail.attr, "node": self.detail.node}
        return self.cause.fix.format(**{key: name or "?" for key, name in names.items()})


def explain(text: str, stage: Stage) -> Explanation:
    """Return why a loader or TensorFlow refused.

    Args:
        text: its message, whole.
        stage: the stage in which it came.

    Returns:
        The first cause whose pattern fits; else ``run-failed`` in stage run and ``unclassified`` in any other.
    """
    for cause, pattern in _candidates(stage):
        match = pattern.search(text)
        if match is not None:
            return Explanation(cause=cause, detail=_detail(match, text))
    if stage is Stage.LOAD and _ASSERTION.search(text):
        return Explanation(cause=BY_ID["init-failed"], detail=_node_of(text))
    return Explanation(
        cause=BY_ID["run-failed" if stage is Stage.RUN else "unclassified"],
        detail=_node_of(text),
    )


def _candidates(stage: Stage) -> Iterator[tuple[Cause, re.Pattern[str]]]:
    """Yield what may be said at this stage: a load cause can show at run, a run cause cannot at load."""
    for cause, pattern in _PATTERNS:
        if stage is not Stage.LOAD or cause.stage is not Stage.RUN or cause.id in _ALSO_AT_LOAD:
            yield cause, pattern


def _node_of(text: str) -> Detail:
    match = _NODE.search(text)
    if match is None:
        return Detail()
    said = match.groupdict()
    function = said.pop("function")
    return Detail(node=next(name for name in said.values() if name), function=function)


def _detail(match: re.Match[str], text: str) -> Detail:
    said = {key: value for key, value in match.groupdict().items() if value}
    where = _node_of(text)
    op = said.get("op")
    return Detail(
        op=_SPELLING.get(op, op) if op else None,
        attr=said.get("attr"),
        node=said.get("node") or where.node,
        function=said.get("function") or where.function,
    )
