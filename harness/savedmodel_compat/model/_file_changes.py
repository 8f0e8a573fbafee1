"""How the files of two models differ that neither the graph nor the variables are in."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.model import fingerprint
from savedmodel_compat.model._changes import change
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.model.tree import Kind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from savedmodel_compat.model._changes import Change
    from savedmodel_compat.model.tree import Entry, Tree

ASSETS, EXTRA = "assets/", "assets.extra/"
_BLOCK = 1 << 20
_MEANINGS = {
    "assets.extra/tf_serving_warmup_requests": "TensorFlow Serving replays it when it loads",
    "keras_metadata.pb": "Keras 2 reads it; TensorFlow and TensorFlow Serving do not",
}


def contents(root: Path, tree: Tree, left_out: Collection[str]) -> dict[str, str]:
    """Return what each file of a model holds, in words, by name; a link counts as the file of the model that it leads to.

    Args:
        root: the model's folder.
        tree: what is in it.
        left_out: names of the files that are compared otherwise.
    """
    # Where a folder is mounted as a link, its files have names of their own besides.
    left_out = {*left_out, *(tree.resolve(name) or name for name in left_out)}
    return {
        name: _content(root, tree, entry)
        for name, entry in tree.entries.items()
        if entry.kind is not Kind.FOLDER and name not in left_out
    }


def file_changes(
    a: Mapping[str, str], b: Mapping[str, str], *, what: str, prefix: str = ""
) -> Iterator[Change]:
    """Yield how the files of B differ from those of A.

    Args:
        a: what each file of A holds, by name.
        b: what each file of B holds, by name.
        what: what to call one of them.
        prefix: only files whose names begin so, which is not told; if empty, those that are neither
            in ``assets/`` nor in ``assets.extra/``.
    """
    for name in sorted(a.keys() | b.keys()):
        wanted = name.startswith(prefix) if prefix else not name.startswith((ASSETS, EXTRA))
        if wanted and a.get(name) != b.get(name):
            shown = name.removeprefix(prefix)
            yield change(what, shown, a.get(name), b.get(name), _MEANINGS.get(name, ""))


def is_of_the_export(found: Change) -> bool:
    """Return whether a change only says that the models were exported apart.

    The checksum of a fingerprint changes with the order of what is written, and each has a number
    of its own (``python/saved_model/fingerprinting.py``): it tells nothing that the rest does not.
    """
    return found.name == fingerprint.NAME and None not in (found.before, found.after)


def same_bytes(a: Path, b: Path) -> bool:
    """Return whether two files that can be read have the same content."""
    with open_regular(a) as of_a, open_regular(b) as of_b:
        while True:
            block = of_a.read(_BLOCK)
            if block != of_b.read(_BLOCK):
                return False
            if not block:
                return True


def _content(root: Path, tree: Tree, entry: Entry) -> str:
    file = entry if entry.target is None else tree.find(entry.name)
    if file is None or file.kind is not Kind.FILE:
        return "no regular file" if entry.target is None else f"a link to {entry.target}"
    size, total = 0, hashlib.sha256()
    try:
        with open_regular(root / file.name) as opened:
            while block := opened.read(_BLOCK):
                size += len(block)
                total.update(block)
    except (OSError, SavedModelCompatError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return f"cannot be read: {why}"
    return f"{size} bytes, sha256 {total.hexdigest()}"
