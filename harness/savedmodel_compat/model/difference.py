"""What tells two SavedModels apart: for clients, for consumers, and in the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.model import _file_changes, _variable_changes, tree
from savedmodel_compat.model._changes import Change, change
from savedmodel_compat.model._file_changes import contents, file_changes, same_bytes
from savedmodel_compat.model._graph_changes import GraphDifference, compare_graphs
from savedmodel_compat.model.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from savedmodel_compat.model._variable_changes import Variables
    from savedmodel_compat.model.tree import Tree
    from savedmodel_compat.model.values import MetaGraph, SavedModel

__all__ = ["Change", "Difference", "GraphDifference", "compare", "compare_paths"]

# A set of tags, and which of the MetaGraphs that have it.
_Place = tuple[frozenset[str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How model B differs from model A.

    Args:
        a: folder of A.
        b: folder of B.
        tags: the MetaGraphs that only one of them has, by their tags.
        meta_graphs: the pairs that have the same tags, in the order of A.
        variables: names, dtypes, shapes and checksums of the tensors in the checkpoints, and the
            data files that are not what their index says.
        assets: names and content of the files in ``assets/``.
        extra_files: names and content of the files in ``assets.extra/``.
        files: names and content of all other files.
        notes: what could not be compared, in words.
    """

    a: Path
    b: Path
    tags: tuple[Change, ...]
    meta_graphs: tuple[GraphDifference, ...]
    variables: tuple[Change, ...]
    assets: tuple[Change, ...]
    extra_files: tuple[Change, ...] = ()
    files: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    def parts(self) -> frozenset[str]:
        """Return which parts differ.

        These are ``signature`` (what breaks clients of A, and nothing that was only added), ``ops``
        (attrs, the number of functions and what outputs compute count, too), ``variables``, ``constants``, ``assets``
        (those of ``assets.extra/`` count, too), ``files`` and ``producer``, and ``any`` if there is
        any change.
        """
        pairs = self.meta_graphs
        signatures = [change for pair in pairs for change in pair.signatures]
        differs = {
            "signature": any(change.breaks for change in (*self.tags, *signatures)),
            "ops": any(
                pair.ops or pair.attrs or pair.functions or pair.computations for pair in pairs
            ),
            "variables": bool(self.variables),
            "constants": any(pair.constants for pair in pairs),
            "assets": bool(self.assets or self.extra_files),
            "files": bool(self.files),
            "producer": any(pair.producer for pair in pairs),
        }
        differs["any"] = bool(self.tags or signatures) or any(differs.values())
        return frozenset(part for part, yes in differs.items() if yes)


def compare_paths(a: Path | str, b: Path | str) -> Difference:
    """Return how the model at one path differs from that at another.

    Args:
        a: a folder that `read` takes.
        b: a folder that `read` takes.

    Raises:
        NotASavedModelError: one of them is no SavedModel, or does not parse.
    """
    return compare(read(a), read(b))


def compare(a: SavedModel, b: SavedModel) -> Difference:
    """Return how model B differs from model A; their other files are read now.

    Args:
        a: what was read of A, with its tensor data.
        b: what was read of B, with its tensor data.
    """
    trees = tree.walk(a.path), tree.walk(b.path)
    variables = _variable_changes.look(a.path, trees[0]), _variable_changes.look(b.path, trees[1])
    left_out = _compared_otherwise(a, b, variables)
    files_a, files_b = contents(a.path, trees[0], left_out), contents(b.path, trees[1], left_out)
    assets, extra = _file_changes.ASSETS, _file_changes.EXTRA
    of_a, of_b = (_by_tags(model) for model in (a, b))
    tags = tuple(_tag_changes(of_a, of_b))
    pairs = tuple(compare_graphs(of_a[place], of_b[place]) for place in of_a if place in of_b)
    others = list(file_changes(files_a, files_b, what="file"))
    return Difference(
        a=a.path,
        b=b.path,
        tags=tags,
        meta_graphs=pairs,
        variables=tuple(_variable_changes.variable_changes(*variables)),
        assets=tuple(file_changes(files_a, files_b, what="asset", prefix=assets)),
        extra_files=tuple(file_changes(files_a, files_b, what="extra file", prefix=extra)),
        files=tuple(found for found in others if not _file_changes.is_of_the_export(found)),
        notes=(
            *_reading_notes((a, b), trees),
            *_variable_changes.notes(*variables, (a.path, b.path)),
            *(f"{f.name} is another" for f in others if _file_changes.is_of_the_export(f)),
            *_graph_notes(a, b, pairs, same=not tags and not any(map(_differs, pairs))),
        ),
    )


def _compared_otherwise(
    a: SavedModel, b: SavedModel, variables: tuple[Variables, Variables]
) -> set[str]:
    """Return the names of the files that are not compared byte by byte."""
    found = {name for side in variables for name in side.files}
    if not all(side.damage for side in variables):
        found.add(_variable_changes.INDEX)
    if a.file.name == b.file.name:
        found.add(a.file.name)
    return found


def _by_tags(model: SavedModel) -> dict[_Place, MetaGraph]:
    """Return the MetaGraphs by their tags, those that have the same tags in the order of the file."""
    found: dict[_Place, MetaGraph] = {}
    seen: dict[frozenset[str], int] = {}
    for meta_graph in model.meta_graphs:
        tags = frozenset(meta_graph.tags)
        seen[tags] = seen.get(tags, 0) + 1
        found[tags, seen[tags]] = meta_graph
    return found


def _tag_changes(a: Mapping[_Place, MetaGraph], b: Mapping[_Place, MetaGraph]) -> Iterator[Change]:
    for place in sorted(a.keys() ^ b.keys(), key=lambda found: (sorted(found[0]), found[1])):
        tags, number = place
        again = f", number {number} with these tags" if number > 1 else ""
        meaning = _meaning_of_tags(place, a, b)
        yield change(
            "MetaGraph",
            f"[{', '.join(sorted(tags))}]{again}",
            _signature_count(a[place]) if place in a else None,
            _signature_count(b[place]) if place in b else None,
            meaning,
            breaks=bool(meaning),
        )


def _meaning_of_tags(
    place: _Place, a: Mapping[_Place, MetaGraph], b: Mapping[_Place, MetaGraph]
) -> str:
    """Return what a MetaGraph that only one model has means for clients of A; empty if nothing."""
    if place in a:
        # No loader gets at the second of those that have the same tags.
        return "a loader that asks for these tags fails" if place[1] == 1 else ""
    if len(a) == 1 < len(b):
        # python/saved_model/load_v1_in_v2.py
        return "tf.saved_model.load without tags= refuses a model of several MetaGraphs"
    return ""


def _signature_count(meta_graph: MetaGraph) -> str:
    return f"{sum(not s.is_internal for s in meta_graph.signatures.values())} signatures"


def _differs(pair: GraphDifference) -> bool:
    return bool(
        pair.signatures
        or pair.ops
        or pair.attrs
        or pair.functions
        or pair.constants
        or pair.computations
        or pair.producer
    )


def _reading_notes(models: Sequence[SavedModel], trees: Sequence[Tree]) -> Iterator[str]:
    for model, found in zip(models, trees, strict=True):
        for note in model.notes:
            yield f"{model.path}: {note}"
        for name in found.unreadable:
            yield f"{model.path}: {name} cannot be looked at and was left out"
        if found.beyond is not None:
            yield f"{model.path} has {found.beyond}; what is beyond was left out"


def _graph_notes(
    a: SavedModel, b: SavedModel, pairs: Sequence[GraphDifference], *, same: bool
) -> Iterator[str]:
    for pair in pairs:
        if not pair.is_followed:
            yield (
                f"MetaGraph [{', '.join(pair.tags)}]: what its outputs compute was not compared:"
                " functions call functions too often"
            )
    if same and a.file.name == b.file.name and not same_bytes(a.file, b.file):
        yield (
            f"{a.file.name} has other bytes, in what is not compared: names and order of nodes, names"
            " of functions, collections, Python objects, what no signature reaches"
        )
