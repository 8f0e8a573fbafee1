"""What tells two SavedModels apart: for clients, for consumers, and in the numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import files
from savedmodel_compat.model._changes import Change, change
from savedmodel_compat.model._graph_changes import GraphDifference, compare_graphs
from savedmodel_compat.model.checkpoint import read_index
from savedmodel_compat.model.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from savedmodel_compat.model.checkpoint import Checkpoint, TensorEntry
    from savedmodel_compat.model.values import MetaGraph, SavedModel

__all__ = ["Change", "Difference", "GraphDifference", "compare", "compare_paths"]

_INDEX = "variables/variables.index"
_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How model B differs from model A.

    Args:
        a: folder of A.
        b: folder of B.
        tags: the tag sets of MetaGraphs that only one of them has.
        meta_graphs: the pairs that have the same tags, in the order of A.
        variables: names, dtypes, shapes and checksums of the tensors in the checkpoints.
        assets: names and content of the files in ``assets/``.
        notes: what could not be compared, in words.
    """

    a: Path
    b: Path
    tags: tuple[Change, ...]
    meta_graphs: tuple[GraphDifference, ...]
    variables: tuple[Change, ...]
    assets: tuple[Change, ...]
    notes: tuple[str, ...] = ()

    def parts(self) -> frozenset[str]:
        """Return which parts differ.

        These are ``signature`` (a tag set that only one has counts, too), ``ops`` (attrs and the
        number of functions count, too), ``variables``, ``constants``, ``assets`` and ``producer``,
        and ``any`` beside any of them.
        """
        pairs = self.meta_graphs
        differs = {
            "signature": bool(self.tags) or any(pair.signatures for pair in pairs),
            "ops": any(pair.ops or pair.attrs or pair.functions for pair in pairs),
            "variables": bool(self.variables),
            "constants": any(pair.constants for pair in pairs),
            "assets": bool(self.assets),
            "producer": any(pair.producer for pair in pairs),
        }
        found = {part for part, yes in differs.items() if yes}
        return frozenset(found | {"any"} if found else found)


def compare_paths(a: Path | str, b: Path | str) -> Difference:
    """Return how the model at one path differs from that at another.

    Args:
        a: a folder that `read` takes.
        b: a folder that `read` takes.

    Raises:
        NotASavedModelError: one of them is no SavedModel, or does not parse.
    """
    models = (read(a), read(b))
    notes: list[str] = []
    checkpoints = [_checkpoint(model, notes) for model in models]
    return compare(*models, *checkpoints, notes=tuple(notes))


def compare(
    a: SavedModel,
    b: SavedModel,
    checkpoint_a: Checkpoint | None = None,
    checkpoint_b: Checkpoint | None = None,
    *,
    notes: tuple[str, ...] = (),
) -> Difference:
    """Return how model B differs from model A.

    Args:
        a: what was read of A, with its tensor data.
        b: what was read of B, with its tensor data.
        checkpoint_a: its variables; None if there are none.
        checkpoint_b: its variables; None if there are none.
        notes: what could not be compared, in words.
    """
    of_a, of_b = (_by_tags(model) for model in (a, b))
    return Difference(
        a=a.path,
        b=b.path,
        tags=tuple(_tag_changes(of_a, of_b)),
        meta_graphs=tuple(compare_graphs(of_a[tags], of_b[tags]) for tags in of_a if tags in of_b),
        variables=tuple(_variable_changes(checkpoint_a, checkpoint_b)),
        assets=tuple(_asset_changes(a.path, b.path)),
        notes=notes,
    )


def _checkpoint(model: SavedModel, notes: list[str]) -> Checkpoint | None:
    index = model.path / _INDEX
    if not index.is_file():
        return None
    try:
        return read_index(files.inside(model.path, index))
    except SavedModelCompatError as error:
        notes.append(f"the variables of {model.path} were left out: {error.message}")
        return None


def _by_tags(model: SavedModel) -> dict[frozenset[str], MetaGraph]:
    found: dict[frozenset[str], MetaGraph] = {}
    for meta_graph in model.meta_graphs:
        found.setdefault(frozenset(meta_graph.tags), meta_graph)
    return found


def _tag_changes(
    a: Mapping[frozenset[str], MetaGraph], b: Mapping[frozenset[str], MetaGraph]
) -> Iterator[Change]:
    for tags in sorted(a.keys() ^ b.keys(), key=sorted):
        yield change(
            "MetaGraph",
            f"[{', '.join(sorted(tags))}]",
            _signature_count(a[tags]) if tags in a else None,
            _signature_count(b[tags]) if tags in b else None,
            "a loader that asks for these tags fails" if tags in a else "",
        )


def _signature_count(meta_graph: MetaGraph) -> str:
    return f"{sum(not s.is_internal for s in meta_graph.signatures.values())} signatures"


def _variable_changes(a: Checkpoint | None, b: Checkpoint | None) -> Iterator[Change]:
    of_a, of_b = ({} if checkpoint is None else checkpoint.tensors for checkpoint in (a, b))
    for name in sorted((of_a.keys() | of_b.keys()) - {_OBJECT_GRAPH}):
        before, after = of_a.get(name), of_b.get(name)
        old, new = (None if entry is None else _entry_text(entry) for entry in (before, after))
        if old != new:
            yield change("variable", name, old, new)
        elif before is not None and after is not None and _data(before) != _data(after):
            yield change("data", name, _data_text(before), _data_text(after))


def _entry_text(entry: TensorEntry) -> str:
    return f"{entry.dtype} {list(entry.shape)}"


def _data(entry: TensorEntry) -> object:
    """Return what is equal for equal data: the checksums in the index, which cost nothing."""
    parts = sorted((part.extents, part.entry and part.entry.crc32c) for part in entry.slices)
    return parts or entry.crc32c


def _data_text(entry: TensorEntry) -> str:
    return f"{len(entry.slices)} slices" if entry.slices else f"crc32c {entry.crc32c:08x}"


def _asset_changes(a: Path, b: Path) -> Iterator[Change]:
    of_a, of_b = (_assets(root) for root in (a, b))
    for name in sorted(of_a.keys() | of_b.keys()):
        if of_a.get(name) != of_b.get(name):
            yield change("asset", name, of_a.get(name), of_b.get(name))


def _assets(root: Path) -> dict[str, str]:
    folder = root / "assets"
    if folder.is_symlink() or not folder.is_dir():
        return {}
    return {
        file.name: f"{file.size} bytes, sha256 {file.sha256}"
        if file.sha256
        else f"a link to {file.target}"
        for file in files.manifest(folder)
    }
