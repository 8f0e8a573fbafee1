"""The files of proposals: where each lies, what it says, and which of them are damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.errors import GoldenDamagedError, UnsupportedError
from savedmodel_compat.golden import _folders
from savedmodel_compat.golden._fields import FieldError, parse
from savedmodel_compat.golden._goldens import Golden, Key, read_files
from savedmodel_compat.golden._manifest_read import text_at
from savedmodel_compat.golden._manifest_text import document_text
from savedmodel_compat.golden._names import escape

NAME = "proposal.json"
TENSORS = "tensors"
# tensors/MODEL/TAGS/SIGNATURE/LABEL
DEPTH = 4
_SCHEMA = 1
_HINT = "remove the folder, and run the cells again"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Proposal:
    """A golden that somebody may accept.

    Args:
        key: which golden it would be.
        label: the consumer that left it, such as ``2.5.3-wheel-c-cpu``.
        path: its folder.
        golden: what it would be.
        summary: how it differs from the golden that was there.
        base: the digest of the golden that was there; None if there was none.
    """

    key: Key
    label: str
    path: Path
    golden: Golden
    summary: str
    base: str | None

    @property
    def digest(self) -> str:
        """The digest of its tensors."""
        return self.golden.manifest.digest


def place_of(pending: Path, key: Key, label: str) -> Path:
    """Return the folder of a proposal, whether it is there or not."""
    return pending / key.folder / escape(label)


def text_of(label: str, base: str | None, summary: str) -> str:
    """Return what a proposal says beside its golden."""
    return document_text({"schema": _SCHEMA, "label": label, "base": base, "summary": summary})


def read_all(
    root: Path, pending: Path
) -> tuple[tuple[Proposal, ...], tuple[GoldenDamagedError, ...]]:
    """Return all proposals by key and label, and what is wrong with the others, whose paths are their folders.

    Files beside the folders, such as a desktop leaves, are nobody's proposals.

    Raises:
        InfrastructureError: one cannot be read.
    """
    damage: list[GoldenDamagedError] = []
    places = _inside(root, [pending / TENSORS], damage)
    for _ in range(DEPTH):
        inner = [entry for place in places for entry in _folders.entries(place)]
        places = [entry for entry in _inside(root, inner, damage) if not entry.is_file()]
    found = []
    for place in places:
        try:
            found.append(read(pending, place))
        except GoldenDamagedError as error:
            damage.append(error)
    return tuple(sorted(found, key=lambda one: (one.key, one.label))), tuple(damage)


def read(pending: Path, place: Path) -> Proposal:
    """Return the proposal at a place.

    Raises:
        GoldenDamagedError: it is damaged, or cannot be read with what is installed here; its path is
            the place.
        InfrastructureError: it may not be read.
    """
    if not place.is_dir():
        raise GoldenDamagedError("it lies among the proposals and is none", path=place, hint=_HINT)
    try:
        golden = read_files(place, besides={NAME})
        label, base, summary = _said(place / NAME)
    except GoldenDamagedError as error:
        where = "" if error.path == place else f"{error.path.name}: "
        raise GoldenDamagedError(f"{where}{error.problem}", path=place, hint=_HINT) from error
    except UnsupportedError as error:
        raise GoldenDamagedError(error.message, path=place, hint=error.hint or _HINT) from error
    if place != place_of(pending, golden.key, label):
        raise GoldenDamagedError(
            f"it says that it is {label}'s proposal for {golden.key}: it was moved or edited by hand",
            path=place,
            hint=_HINT,
        )
    return Proposal(
        key=golden.key, label=label, path=place, golden=golden, summary=summary, base=base
    )


def _inside(root: Path, places: list[Path], damage: list[GoldenDamagedError]) -> list[Path]:
    """Return the places to which no link leads; the others are told as damage."""
    found = []
    for place in places:
        try:
            _folders.check_inside(root, place)
        except GoldenDamagedError as error:
            damage.append(error)
        else:
            found.append(place)
    return found


def _said(path: Path) -> tuple[str, str | None, str]:
    try:
        document = parse(text_at(path))
        document.known(("schema", "label", "base", "summary"))
        if document["schema"].integer() != _SCHEMA:
            document["schema"].fail(f"is not {_SCHEMA}")
        base = document["base"]
        return (
            document["label"].said(),
            None if base.is_null else base.sha256(),
            document["summary"].text(),
        )
    except FieldError as error:
        raise GoldenDamagedError(str(error), path=path) from error
