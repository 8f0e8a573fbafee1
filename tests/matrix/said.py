"""A text that some release's loader said, and what it means."""

from __future__ import annotations

from dataclasses import dataclass

from savedmodel_compat.matrix.cells import Detail, Stage

MUL = "Op<name=Mul; signature=x:T, y:T -> z:T; attr=T:type,allowed=[DT_FLOAT, DT_DOUBLE]>"
OLDER = (
    "Converting GraphDef to Graph has failed with an error: '{}' The binary trying to import the "
    "GraphDef was built when GraphDef version was 561. The GraphDef was produced by a binary built "
    "when GraphDef version was 1286. The difference between these versions is larger than "
    "TensorFlow's forward compatibility guarantee, and might be the root cause."
)
IN_KERAS = 'File "/keras/saving/legacy/saved_model/load.py", line 143, in load\n'
LOADING = 'File "/tensorflow/python/saved_model/load.py", line 541, in load_internal\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A text that was seen, and what it means.

    Args:
        text: what a loader or TensorFlow said, shortened in the middle where it was long.
        cause: id of its cause.
        detail: what it is about.
        stage: where it came.
        by: release and loader that said it, such as ``2.4.4 v1``; None for a text that was not provoked.
        trace: Python's traceback, if it is needed to tell.
    """

    text: str
    cause: str
    detail: Detail
    stage: Stage = Stage.LOAD
    by: str | None = None
    trace: str = ""

    @property
    def id(self) -> str:
        """Return a name for the test of it."""
        return f"{self.cause} {self.by or 'unprovoked'} {' '.join(self.text.split())[:40]}"


def said(
    cause: str,
    text: str,
    *,
    stage: Stage = Stage.LOAD,
    by: str | None = None,
    trace: str = "",
    op: str | None = None,
    attr: str | None = None,
    node: str | None = None,
    function: str | None = None,
) -> Said:
    """Return a text that was seen."""
    detail = Detail(op=op, attr=attr, node=node, function=function)
    return Said(text=text, cause=cause, detail=detail, stage=stage, by=by, trace=trace)
