"""What a prediction says."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Place(enum.Enum):
    """Which part of a model a node belongs to; the first that holds, of those that reach it."""

    INFERENCE = "inference"
    RESTORE = "restore"
    INIT = "init"
    SAVE = "save"
    NOWHERE = "nowhere"

    @property
    def words(self) -> str:
        """Return it as a part of a sentence: "node x, …"."""
        return _WORDS[self]


_WORDS = {
    Place.INFERENCE: "which signatures run",
    Place.RESTORE: "in the restore part, which every load runs",
    Place.INIT: "in the initialisation, which every load runs",
    Place.SAVE: "in the save part, which no signature reaches",
    Place.NOWHERE: "which no signature reaches",
}


class When(enum.Enum):
    """When a release comes upon something: the stage of a cell."""

    LOAD = "load"
    RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing in a model that a release does not take.

    Args:
        cause: its id in `matrix.causes`.
        op: the node's op; None if it is not about a node.
        attr: the attr; None if it is not about one.
        node: the first node that shows it.
        function: the library function whose body holds the node; None if the graph does.
        count: number of nodes that show it, in all places of this kind.
        place: which part of the model they belong to.
        when: whether the load or a run comes upon it.
        signatures: the signatures whose run fails, if it is a run.
        default: whether an unknown attr has its default value; None if it is no such thing, or if
            nobody tells the default.
        certain: False if it depends on something that the model does not tell.
        message: one sentence.
    """

    cause: str
    op: str | None = None
    attr: str | None = None
    node: str | None = None
    function: str | None = None
    count: int = 1
    place: Place = Place.NOWHERE
    when: When = When.LOAD
    signatures: tuple[str, ...] = ()
    default: bool | None = None
    certain: bool = True
    message: str = ""

    @property
    def where(self) -> str:
        """Return the node in words, such as ``node x in function f``."""
        if self.node is None:
            return "the model"
        return f"node {self.node}" + (f" in {self.function}" if self.function else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An attr that a release does not know and leaves out, without an error.

    Args:
        op: the nodes' op.
        attr: the attr's name.
        node: the first node that carries it, one that says most.
        function: the library function that holds the node; None if the graph does.
        count: number of nodes that carry it.
        default: whether it has its default value at every one of them; None if nobody tells.
        place: of that node.
        signatures: those that run a node that has another value than the default.
        value: the value at that node, in words; None if it is long.
        at_load: whether the restore op or the init op runs a node that has another value than the
            default: then it is told of every signature.
    """

    op: str
    attr: str
    node: str
    function: str | None
    count: int
    default: bool | None
    place: Place
    signatures: tuple[str, ...] = ()
    value: str | None = None
    at_load: bool = False

    @property
    def is_telling(self) -> bool:
        """Whether it makes a cell fail: not its default, where the load or a signature runs it."""
        return self.default is False and self.place in _RUNNING


_RUNNING = frozenset((Place.INFERENCE, Place.RESTORE, Place.INIT))


class Verdict(enum.Enum):
    """Yes, no, or what cannot be said."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"

    @property
    def as_json(self) -> bool | str:
        """Return it as records write it."""
        return {Verdict.YES: True, Verdict.NO: False}.get(self, "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one release does with one MetaGraph.

    Args:
        release: the consumer.
        loader: ``c``, ``v1`` or ``v2``.
        loads: whether it loads.
        reasons: why it does not load, or why a signature does not run; first those that are
            certain, the load's before the runs'.
        ignored: the attrs that it leaves out.
        runs: whether each signature runs once it is loaded; unknown for all if it does not load.
        doubt: why the answer is unknown, in words; None if it is not.
    """

    release: str
    loader: str
    loads: Verdict
    reasons: tuple[Reason, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    runs: Mapping[str, Verdict] = field(default_factory=dict)
    doubt: str | None = None

    @property
    def causes(self) -> tuple[str, ...]:
        """Return the causes of a load that fails, each once."""
        return tuple(
            dict.fromkeys(
                reason.cause
                for reason in self.reasons
                if reason.certain and reason.when is When.LOAD
            )
        )

    def run_causes(self, signature: str) -> tuple[str, ...]:
        """Return the causes for which a signature does not run once it is loaded, each once."""
        return tuple(
            dict.fromkeys(
                reason.cause
                for reason in self.reasons
                if reason.certain and reason.when is When.RUN and signature in reason.signatures
            )
        )

    def telling(self, signature: str) -> tuple[Ignored, ...]:
        """Return the ignored attrs that make a signature's cell fail."""
        return tuple(
            attr
            for attr in self.ignored
            if attr.is_telling and (signature in attr.signatures or attr.at_load)
        )
