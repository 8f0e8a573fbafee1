"""Files that Git LFS has not fetched: a few lines of text stand in their place."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from savedmodel_compat.checks._many import counted, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.damage import LFS_POINTER
from savedmodel_compat.model.tree import Kind

if TYPE_CHECKING:
    from savedmodel_compat.checks.subject import Subject
    from savedmodel_compat.model.tree import Entry, Tree

_FOLDERS = ("assets", "assets.extra", "debug", "variables")
_FINGERPRINT = "fingerprint.pb"
_INDEX = "variables/variables.index"
# A pointer is shorter than this, says Git LFS's docs/spec.md.
_SIZE = 1024
# So many files are opened at most; a model with more such small ones has hardly a pointer behind them.
_MOST = 1000


def check(subject: Subject) -> Iterator[Finding]:
    """Yield L22."""
    # Of the index its own rule says what it is, as of the graph file.
    names = sorted(pointers(subject) - {subject.tree.resolve(_INDEX)})
    return limited(
        (
            found(
                "L22",
                name,
                f"is a Git LFS pointer of {counted(subject.tree.entries[name].size, 'byte')}: the file"
                " itself was not fetched",
                file=name,
            )
            for name in names
        ),
        "L22",
        ".",
    )


def pointers(subject: Subject) -> frozenset[str]:
    """Return the files of a model, not its graph file, in whose place there is a Git LFS pointer.

    Args:
        subject: the model; of its links, those that stay in it are followed.
    """
    names: set[str] = set()
    for entry in islice(_small(subject.tree), _MOST):
        try:
            with (subject.root / entry.name).open("rb") as file:
                if file.read(len(LFS_POINTER)) == LFS_POINTER:
                    names.add(entry.name)
        except OSError:
            continue
    return frozenset(names)


def _small(tree: Tree) -> Iterator[Entry]:
    # They may be mounted as links to folders of the model, as Kubernetes does.
    folders = tuple(f"{resolved}/" for name in _FOLDERS if (resolved := tree.resolve(name)))
    fingerprint = tree.resolve(_FINGERPRINT)
    for entry in tree.entries.values():
        is_small = entry.kind is Kind.FILE and len(LFS_POINTER) <= entry.size < _SIZE
        if is_small and (entry.name == fingerprint or entry.name.startswith(folders)):
            yield entry
