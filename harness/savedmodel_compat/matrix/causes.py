"""Why cells fail: the closed list of causes, what each means, how to mend it, and the words by which it is told.

Every release and loader says the same thing in other words; each sign in the tables beside this file was provoked in at
least one of them, or stands in reports from the field. The order matters: a message is given to the first sign that fits, and the most specific come first.
The causes in the graph come before those of files, and both before those of a run: where a text holds the words of
several, such as that of a loader that wraps an error into a hint about versions, the inner one is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from savedmodel_compat.matrix._advice import about_op
from savedmodel_compat.matrix._cause import Cause, Sign
from savedmodel_compat.matrix._file_causes import FILE_CAUSES
from savedmodel_compat.matrix._graph_causes import GRAPH_CAUSES
from savedmodel_compat.matrix._other_causes import OTHER_CAUSES, OUT_OF_MEMORY, RUN_CAUSES
from savedmodel_compat.matrix.cells import Detail, Stage

__all__ = ["BY_ID", "CAUSES", "Cause", "Explanation", "Sign", "explain"]

CAUSES: tuple[Cause, ...] = (OUT_OF_MEMORY, *GRAPH_CAUSES, *FILE_CAUSES, *RUN_CAUSES, *OTHER_CAUSES)
"""All of them, in the order in which they are looked for."""

BY_ID: Mapping[str, Cause] = {cause.id: cause for cause in CAUSES}

_FLAGS = re.DOTALL | re.MULTILINE


class _Told(NamedTuple):
    cause: Cause
    sign: Sign
    pattern: re.Pattern[str]


def _told(cause_id: str, pattern: str) -> _Told:
    sign = Sign(pattern=pattern, stage=Stage.LOAD)
    return _Told(BY_ID[cause_id], sign, re.compile(pattern, _FLAGS))


# What is left at load if nothing else fits: only the restore op and the init op run there, and only the latter asserts;
# and a loader says of every error in a graph much newer than itself that its age may be the reason.
_LAST_RESORTS = (
    ("init-failed", r"assertion failed"),
    ("version-gate", r"larger than TensorFlow's forward compatibility guarantee"),
)

# Some errors of tf.saved_model.load have a name or two shapes and nothing more: what they are of stands in the line that
# raised them (python/saved_model/function_deserialization.py, load.py, load_v1_in_v2.py,
# python/framework/function_def_to_graph.py, python/ops/resource_variable_ops.py).
_TRACED = (
    (
        r"nested_to_flat_tensor_name|function_def_to_graph\.py\", line \d+, in <listcomp>",
        "node-inputs-changed",
        r"^KeyError: u?'(?P<node>[^':]*)",
    ),
    (r"functions\[[\w.]+\]", "function-missing", r"^KeyError: u?'(?P<function>[^']+)'"),
    (
        r"in (?:_extract_saver_restore|restore_variables)\b",
        "init-failed",
        r"^KeyError: .The name '(?P<node>[^':]+)",
    ),
    (
        r"in _get_element_from_tensor_info\b",
        "signature-missing",
        r"^KeyError: .The name '(?P<node>[^':]*)",
    ),
    (
        r"in shape_safe_assign_variable_handle\b",
        "variable-missing",
        r"^ValueError: Shapes \S+ and \S+ are incompatible",
    ),
    (r"in _initialize\b", "init-failed", r"^RuntimeError: RuntimeError"),
)

# Whatever else Python stumbles over in there, it does so while it puts the objects together.
_REBUILDING = re.compile(r"/saved_model/(?:load|function_deserialization)\.py\"")
_STUMBLES = re.compile(
    r"(?:Assertion|Attribute|Index|Key|NotImplemented|Runtime|Type|Value)Error: "
)
_IN_KERAS = re.compile(r"/keras/(?:\w+/)*\w+\.py\"")
_RAISED = re.compile(r"\w+(?:Error|Exception): ")

_NODE = re.compile(
    r"\{\{function_node (?P<function>[^}\n]{1,500})\}\}\s*\{\{node (?P<node>[^}\n]{1,500})\}\}"
    r"|NodeDef: (?:\{\{node )?(?P<bare>[^\s}]+)(?:\}\}| = )"
    r"|\{\{node (?P<last>[^}\n]{1,500})\}\}"
    r"|\[\[node (?P<defined>\S+) \(defined at"
    r"|\[\[Node: (?P<old>\S+) = "
    r"| for '(?P<shaped>[^']+)' \(op: '"
    r"|\tIn (?P<body>\S+) = \w"
)
# tf.saved_model.load makes the signatures' functions at load.
_ALSO_AT_LOAD = frozenset({"signature-missing"})
_SPELLING = {"const": "Const"}
# Longer texts hold graphs or stacks in their middle, and a pattern takes its time over them.
_HEAD, _TAIL = 24_000, 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cause, and what in the model it is about.

    Args:
        cause: the cause.
        detail: what it is about.
        advice: what to do about it, where the words that told it mean something else than the cause's own fix.
    """

    cause: Cause
    detail: Detail
    advice: str | None = None

    @property
    def fix(self) -> str:
        """What to do about it, with the names filled in."""
        special = about_op(self.cause.id, self.detail.op)
        if special is not None:
            return special
        names = {"op": self.detail.op, "attr": self.detail.attr, "node": self.detail.node}
        template = self.advice or self.cause.fix
        return template.format(**{key: name or "?" for key, name in names.items()})


def explain(text: str, stage: Stage, *, trace: str = "") -> Explanation:
    """Return why a loader or TensorFlow refused.

    Args:
        text: its message, whole; Python's behind the name of the exception.
        stage: the stage in which it came.
        trace: Python's traceback; it tells what an error is about that says no more than a name.

    Returns:
        The first cause that a sign of fits; else ``run-failed`` in stage run and ``unclassified`` in any other.
    """
    if len(text) > _HEAD + _TAIL:
        text = text[:_HEAD] + text[-_TAIL:]
    for told in _candidates(stage, trace):
        match = told.pattern.search(text)
        if match is not None:
            detail = _detail(match, text)
            return Explanation(cause=told.cause, detail=detail, advice=told.sign.fix)
    if stage is Stage.LOAD and _RAISED.match(text) and _by_keras(trace):
        return Explanation(cause=BY_ID["keras-rejected"], detail=_node_of(text))
    if stage is Stage.LOAD and _STUMBLES.match(text) and _REBUILDING.search(trace):
        return Explanation(cause=BY_ID["object-graph-rejected"], detail=_node_of(text))
    return Explanation(
        cause=BY_ID["run-failed" if stage is Stage.RUN else "unclassified"],
        detail=_node_of(text),
    )


def _by_keras(trace: str) -> bool:
    """Tell whether Keras was building what is its own: it called nothing more of what puts a SavedModel's objects together."""
    places = [match.end() for match in _IN_KERAS.finditer(trace)]
    return bool(places) and _REBUILDING.search(trace, places[-1]) is None


def _candidates(stage: Stage, trace: str) -> Iterator[_Told]:
    """Yield what may be said here, in order."""
    if trace and stage is Stage.LOAD:
        yield from (told for place, told in _traced() if place.search(trace))
    yield from _of_stage(stage)


# Compiled only when something failed: reports want the causes and no patterns.
@cache
def _traced() -> tuple[tuple[re.Pattern[str], _Told], ...]:
    return tuple((re.compile(place), _told(cause, text)) for place, cause, text in _TRACED)


@cache
def _of_stage(stage: Stage) -> tuple[_Told, ...]:
    """Return what may be said at this stage: a load cause can show at run, a run cause cannot at load."""
    told = tuple(
        _Told(cause, sign, re.compile(sign.pattern, _FLAGS))
        for cause in CAUSES
        if stage is not Stage.LOAD or cause.stage is not Stage.RUN or cause.id in _ALSO_AT_LOAD
        for sign in cause.signs
        if sign.stage in {None, stage}
    )
    return told + (tuple(_told(*last) for last in _LAST_RESORTS) if stage is Stage.LOAD else ())


def _node_of(text: str) -> Detail:
    match = _NODE.search(text)
    if match is None:
        return Detail()
    said = match.groupdict()
    function = said.pop("function")
    # What runs eagerly is a function of one op, which the model does not have.
    if function is not None and function.startswith("__wrapped__"):
        function = None
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
