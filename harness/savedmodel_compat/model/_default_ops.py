"""The default values of a producer's attrs: whose OpDefs tell them, and where those do not agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from savedmodel_compat.model.schema import AttrValue, MetaGraphDef, OpDef

# Before, Python had a registry of its own, which no internal op was in (python/framework/op_def_registry.py).
_ONE_REGISTRY = Version("2.1")
_INTERNAL = "_"
OWN = "the model's own list"


class Ops(Protocol):
    """The ops that one release knows."""

    def op(self, name: str, /) -> OpDef | None:
        """Return an op's definition; None if the release has none."""


class Registry(Protocol):
    """The ops of the releases that are known; the module ``registry.snapshots`` is one."""

    def get(self, release: str, /) -> Ops | None:
        """Return the ops of a release; None if they are not known."""

    def releases(self) -> tuple[str, ...]:
        """Return the releases whose ops are known, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Default:
    """The default value of an attr.

    Args:
        value: the value; not to be changed.
        serialized: its bytes, maps in order.
    """

    value: AttrValue
    serialized: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What is known of the attrs of one op.

    Args:
        values: the defaults, by attr.
        partial: attrs of ``values`` that some of the OpDefs do not have: the producer's own may be one of those.
        disputed: attrs whose default is not the same in all OpDefs that have them.
        source: whose OpDefs they are, in words.
    """

    values: Mapping[str, Default]
    partial: frozenset[str]
    disputed: frozenset[str]
    source: str


class ProducerOps:
    """The OpDefs that were registered where a MetaGraph was exported, as far as that can be known.

    They are those of the very release. Of an op that it lacks, such as a custom one, it is the OpDef in the
    MetaGraph's own list, which the exporting process wrote; else that of the nearest release of the same minor;
    else what the nearest older and newer releases agree on. Where the MetaGraph's own list does not agree with the
    release that it names, an attr is disputed.

    Args:
        meta_graph: the MetaGraph.
        registry: the releases whose ops are known.
    """

    def __init__(self, meta_graph: MetaGraphDef, registry: Registry) -> None:
        info = meta_graph.meta_info_def
        self.release = str(info.tensorflow_version)
        self._version = _version(self.release)
        self._own = {op.name: op for op in info.stripped_op_list.op}
        self._functions = frozenset(
            function.signature.name for function in meta_graph.graph_def.library.function
        )
        # What is no version is the name of no release, but may be that of a path.
        self._exact = registry.get(self.release) if self._version else None
        self._nearest = () if self._exact else tuple(_nearest(self._version, registry))
        self._found: dict[str, Defaults | None] = {}

    def is_function(self, op: str) -> bool:
        """Return whether a node with this op calls a function of the MetaGraph's library."""
        return op in self._functions

    def defaults(self, op: str) -> Defaults | None:
        """Return what is known of an op that is no function; None if nothing is."""
        if op not in self._found:
            self._found[op] = self._look_up(op)
        return self._found[op]

    def sources(self) -> Mapping[str, int]:
        """Return whose OpDefs were used, and of how many ops, the most first."""
        used = Counter(found.source for found in self._found.values() if found is not None)
        return dict(used.most_common())

    def _look_up(self, op: str) -> Defaults | None:
        if op.startswith(_INTERNAL) and self._version is not None and self._version < _ONE_REGISTRY:
            return None
        own = self._own.get(op)
        exact = self._exact.op(op) if self._exact else None
        if exact is not None:
            return _merged([exact] if own is None else [exact, own], self.release)
        if own is not None:
            return _merged([own], OWN)
        for releases in self._nearest:
            found = {name: ops.op(op) for name, ops in releases.items()}
            told = {name: definition for name, definition in found.items() if definition}
            if told:
                return _merged(list(told.values()), " and ".join(told))
        return None


def _version(release: str) -> Version | None:
    try:
        return Version(release)
    except ValueError:
        # InvalidVersion is one, and so is a number with thousands of digits.
        return None


def _nearest(version: Version | None, registry: Registry) -> Iterator[dict[str, Ops]]:
    """Yield the releases to ask in the place of one that is not known; those of one step are asked together."""
    if version is None:
        return
    known = [(Version(release), release) for release in registry.releases()]
    same = [k for k in known if k[0].release[:2] == version.release[:2]]
    # What a nightly build of a minor knows lies somewhere between this minor and the one before.
    if same and not version.is_devrelease:
        yield _ops([min(same, key=lambda k: abs(k[0].micro - version.micro))[1]], registry)
    older = [release for number, release in known if number < version]
    newer = [release for number, release in known if number > version]
    yield _ops([*older[-1:], *newer[:1]], registry)


def _ops(releases: Sequence[str], registry: Registry) -> dict[str, Ops]:
    found = {release: registry.get(release) for release in releases}
    return {release: ops for release, ops in found.items() if ops is not None}


def _merged(definitions: Sequence[OpDef], source: str) -> Defaults:
    """Return what OpDefs of one op, each of which may be the producer's, say together."""
    values: dict[str, Default] = {}
    told: dict[str, list[bytes | None]] = {}
    for definition in definitions:
        for attr in definition.attr:
            default = _default(attr)
            told.setdefault(attr.name, []).append(default.serialized if default else None)
            if default:
                values.setdefault(attr.name, default)
    disputed = frozenset(name for name in values if len(set(told[name])) > 1)
    kept = {name: default for name, default in values.items() if name not in disputed}
    return Defaults(
        values=kept,
        partial=frozenset(name for name in kept if len(told[name]) < len(definitions)),
        disputed=disputed,
        source=source,
    )


def _default(attr: Any) -> Default | None:
    """Return the default of an ``OpDef.AttrDef``; None if it has none."""
    if not attr.HasField("default_value"):
        return None
    value = attr.default_value
    return Default(value=value, serialized=value.SerializeToString(deterministic=True))
