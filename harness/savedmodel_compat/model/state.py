"""Which signatures may answer otherwise from one call to the next: they write what a later call reads, or draw at random.

It is read from the names of the ops: what each does to a variable, a table, a queue or a generator is said by their kernels
in ``core/kernels``, and by nothing that a model carries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from savedmodel_compat.model.graph import ops_used, reachable, walk

if TYPE_CHECKING:
    from savedmodel_compat.model.values import MetaGraph, Signature

_WRITES = (
    r"Assign(Add|Sub)?(VariableOp|VariableXlaConcatND)?",
    r"(Resource)?(Sparse)?Apply\w+",
    r"(Resource)?Scatter(Nd)?(Add|Sub|Mul|Div|Min|Max|Update)",
    r"(Resource)?StridedSliceAssign",
    r"(Resource)?CountUpTo",
    r"LookupTable(Insert|Remove|Import)(V2)?",
    r"Queue(Enqueue|EnqueueMany|Dequeue|DequeueMany|DequeueUpTo|Close)(V2)?",
    r"Barrier(InsertMany|TakeMany|Close)",
    r"(OrderedMap|Map)(Stage|Unstage|UnstageNoKey|Clear)|Stage|Unstage|StageClear",
    r"IteratorGetNext(AsOptional|Sync)?|MakeIterator|MultiDeviceIteratorGetNextFromShard",
    r"Reader(Read|ReadUpTo|Reset|RestoreState)(V2)?",
    r"Rng(Skip|ReadAndSkip)|RngReadAndSkip",
    r"(Resource|Sparse)?Accumulator(ApplyGradient|TakeGradient|SetGlobalStep)",
    r"TensorForestTree\w*|BoostedTreesUpdate\w+",
)
_DRAWS = (
    r"Random(Uniform|UniformInt|StandardNormal|Gamma|Poisson|PoissonV2|Shuffle|Crop)",
    r"(Parameterized)?TruncatedNormal|Multinomial",
    r"Stateful(Uniform\w*|StandardNormal(V2)?|TruncatedNormal|RandomBinomial)",
    r"\w*CandidateSampler|SampleDistortedBoundingBox(V2)?|Skipgram",
    r"(Experimental)?RandomDataset(V2)?|Shuffle(AndRepeat)?Dataset(V2|V3)?",
    r"NonDeterministicInts|Timestamp|(Anonymous)?(Random)?SeedGenerator",
)
_WRITING = re.compile("|".join(_WRITES))
_DRAWING = re.compile("|".join(_DRAWS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A node that makes a later call answer otherwise.

    Args:
        op: its op.
        node: its name.
        function: the library function that holds it; None if the graph does.
        draws: whether it draws at random; else it writes what a later call may read.
    """

    op: str
    node: str
    function: str | None
    draws: bool

    def __str__(self) -> str:
        """Return it in words."""
        does = "draws at random" if self.draws else "writes what a later call may read"
        where = f" of function {self.function}" if self.function else ""
        return f"{self.op} at node {self.node}{where} {does}"


def changes(meta_graph: MetaGraph, signature: Signature) -> tuple[Change, ...]:
    """Return what may make a signature answer otherwise from one call to the next, in the order of the file.

    What is written and never read counts, and so does what stands in a branch that is never taken: an empty answer says
    that the same inputs have the same answer, another one only that they may not.

    Args:
        meta_graph: the MetaGraph.
        signature: one of its signatures.
    """
    telling = frozenset(op for op in ops_used(meta_graph.proto) if _kind(op) is not None)
    if not telling:
        return ()
    outputs = [name for spec in signature.outputs.values() for name in spec.tensors()]
    inputs = [name for spec in signature.inputs.values() for name in spec.tensors()]
    reached = reachable(meta_graph.proto, outputs, fed=inputs)
    return tuple(
        Change(
            op=found.node.op,
            node=found.node.name,
            function=found.function,
            draws=bool(_kind(found.node.op)),
        )
        for found in walk(meta_graph.proto)
        if found.node.op in telling and (found.function, found.node.name) in reached
    )


@lru_cache(maxsize=4096)
def _kind(op: str) -> bool | None:
    """Return whether an op draws at random; None if it neither does that nor writes."""
    if _DRAWING.fullmatch(op):
        return True
    return False if _WRITING.fullmatch(op) else None
