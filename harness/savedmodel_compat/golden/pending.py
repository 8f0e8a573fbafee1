"""Proposals: what a consumer answered instead of a golden, left for a person to accept or reject.

A proposal is a golden of its own, below ``pending/`` in the folder of its golden, one for each consumer that left one. It
remembers the golden that it was compared with: if that is another one by now, the proposal says nothing of it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from savedmodel_compat.errors import GoldenDamagedError, UnsupportedError, UsageError
from savedmodel_compat.golden import _folders
from savedmodel_compat.golden._fields import FieldError, parse
from savedmodel_compat.golden._goldens import Golden, Key, files_of, read_files, write_files
from savedmodel_compat.golden._manifest_read import text_at
from savedmodel_compat.golden._manifest_text import document_text
from savedmodel_compat.golden._names import escape
from savedmodel_compat.golden.manifest import Event, Manifest
from savedmodel_compat.golden.store import PENDING as FOLDER
from savedmodel_compat.golden.store import Store

_NAME = "proposal.json"
_SCHEMA = 1
# An accept that was begun; what it says is done, or was not, when somebody finds it.
_ACCEPTING = "accepting.json"
_TENSORS = "tensors"
# tensors/MODEL/TAGS/SIGNATURE/LABEL
_DEPTH = 4
_SHOWN_DIGITS = 12


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


def leave(store: Store, golden: Golden, label: str, *, summary: str) -> Proposal:
    """Leave a proposal, in the place of one that the same consumer left before.

    One with the same tensors, about the same golden, stays as it is.

    Args:
        store: where it is to be a golden.
        golden: what it would be.
        label: the consumer.
        summary: how it differs from the golden that is there.

    Raises:
        UsageError: the golden does not hold together, or there is no label.
        UnsupportedError: a tensor is of a type that cannot be kept.
        InfrastructureError: it cannot be written.
    """
    if not label.strip():
        raise UsageError(
            f"a proposal for {golden.key} has no label: name the consumer that left it"
        )
    files = files_of(golden)
    place = _place(store, golden.key, label)
    with _locked(store):
        _folders.settle(place)
        base = _digest(store.manifest_there(golden.key))
        there = _there(store, place)
        if there is not None and (there.digest, there.base) == (files.digest, base):
            return there
        _folders.check_inside(store.root, place)
        _ignore(store.root / FOLDER)
        with _folders.replacing(place, store.root / FOLDER) as folder:
            write_files(folder, files)
            (folder / _NAME).write_text(_text(label, base, summary), encoding="utf-8")
        return _read(store, place)


def proposals(store: Store) -> tuple[Proposal, ...]:
    """Return all proposals, by key and label.

    Raises:
        GoldenDamagedError: one is damaged.
        InfrastructureError: one cannot be read.
    """
    if not os.path.lexists(_marker(store)):
        try:
            return _listed(store)
        except GoldenDamagedError:
            pass  # Perhaps it is being replaced just now; under the lock nothing is.
    with _locked(store):
        store.sweep()
        return _listed(store)


def groups(found: Iterable[Proposal]) -> tuple[tuple[Proposal, ...], ...]:
    """Return proposals of one key and the same tensors together: to accept one is to accept all."""
    together: dict[tuple[Key, str], list[Proposal]] = {}
    for proposal in found:
        together.setdefault((proposal.key, proposal.digest), []).append(proposal)
    return tuple(tuple(group) for group in together.values())


def accept(store: Store, proposal: Proposal, *, reason: str) -> Key:
    """Make a proposal the golden, and remove all other proposals for it.

    Tolerances, checkers and history of the golden that was there are kept.

    Args:
        store: where the proposal was left.
        proposal: as `proposals` returned it.
        reason: why; it is kept in the golden's history.

    Raises:
        UsageError: there is no reason; the proposal is gone or another one by now; the golden has
            changed since it was left; or what is kept of the golden does not fit the proposal.
        GoldenDamagedError: the proposal, or the manifest of the golden, is damaged.
        InfrastructureError: the golden cannot be written.
    """
    if not reason.strip():
        raise UsageError(
            f"a golden is not replaced without a reason: {proposal.key}, {proposal.label}",
            hint="say why the new values are right: --reason TEXT",
        )
    with _locked(store):
        _check_still(store, proposal)
        there = store.manifest_there(proposal.key)
        _check_base(proposal, _digest(there))
        files = files_of(_accepted(proposal.golden, there, reason.strip()))
        _folders.write_file(_marker(store), _marker_text(proposal.key, files.digest).encode())
        store.put(files)
        _finish(store)
    return proposal.key


def reject(store: Store, proposal: Proposal) -> None:
    """Remove a proposal.

    Raises:
        UsageError: it is gone, or another one by now.
        InfrastructureError: it cannot be removed.
    """
    with _locked(store):
        _check_still(store, proposal)
        _folders.remove(proposal.path, store.root / FOLDER)


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    with store.locked():
        _folders.check_inside(store.root, store.root / FOLDER / _TENSORS)
        _finish(store)
        yield


def _accepted(proposed: Golden, there: Manifest | None, reason: str) -> Golden:
    manifest = proposed.manifest
    event = Event(
        date=dt.datetime.now(dt.timezone.utc).date().isoformat(),
        what="accepted",
        reason=reason,
        by=manifest.recorded_by,
    )
    kept = there or manifest
    manifest = replace(
        manifest,
        overrides=kept.overrides,
        checks=kept.checks,
        history=(*kept.history, event),
    )
    return Golden(key=proposed.key, manifest=manifest, data_sets=proposed.data_sets)


def _check_still(store: Store, proposal: Proposal) -> None:
    _folders.settle(proposal.path)
    there = _there(store, proposal.path) if os.path.lexists(proposal.path) else None
    if there is None or (there.digest, there.base) != (proposal.digest, proposal.base):
        now = "is gone" if there is None else "was replaced by another one"
        raise UsageError(
            f"the proposal of {proposal.label} for {proposal.key} {now} since it was looked at",
            hint="look at what there is now: savedmodel-compat golden status",
        )


def _check_base(proposal: Proposal, now: str | None) -> None:
    if now != proposal.base:
        raise UsageError(
            f"the golden of {proposal.key} has changed since {proposal.label} left its proposal: it was"
            f" {_short(proposal.base)} then and is {_short(now)} now, so that nobody has seen how the"
            " two differ",
            hint="run the cells again: they leave a proposal that is compared with the golden of now",
        )


def _short(digest: str | None) -> str:
    return "missing" if digest is None else f"{digest[:_SHOWN_DIGITS]}…"


def _digest(manifest: Manifest | None) -> str | None:
    return None if manifest is None else manifest.digest


def _place(store: Store, key: Key, label: str) -> Path:
    return store.root / FOLDER / key.folder / escape(label)


def _marker(store: Store) -> Path:
    return store.root / FOLDER / _ACCEPTING


def _marker_text(key: Key, digest: str) -> str:
    return json.dumps(
        {"model": key.model, "tags": key.tags, "signature": key.signature, "digest": digest}
    )


def _finish(store: Store) -> None:
    """End an accept: if the golden is the new one, its proposals go; if not, nothing has happened."""
    path = _marker(store)
    if not os.path.lexists(path):
        return
    try:
        document = json.loads(path.read_bytes())
        digest = document.pop("digest")
        key = Key(**document)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise GoldenDamagedError(
            f"it names no proposal that was being accepted: {error}", path=path, hint="remove it"
        ) from error
    place = store.root / FOLDER / key.folder
    if _digest(store.manifest_there(key)) == digest and place.exists():
        _folders.remove(place, store.root / FOLDER)
    path.unlink()


def _ignore(folder: Path) -> None:
    """Keep proposals out of version control."""
    ignore = folder / ".gitignore"
    if not ignore.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _folders.write_file(ignore, b"*\n")


def _text(label: str, base: str | None, summary: str) -> str:
    return document_text({"schema": _SCHEMA, "label": label, "base": base, "summary": summary})


def _listed(store: Store) -> tuple[Proposal, ...]:
    found = [store.root / FOLDER / _TENSORS]
    for _ in range(_DEPTH):
        found = [inner for folder in found for inner in _folders.entries(folder)]
        for entry in found:
            _folders.check_inside(store.root, entry)
    listed = [_read(store, place) for place in found]
    return tuple(sorted(listed, key=lambda proposal: (proposal.key, proposal.label)))


def _there(store: Store, place: Path) -> Proposal | None:
    """Return the proposal at a place; one that is damaged counts for none."""
    try:
        return _read(store, place)
    except (GoldenDamagedError, UnsupportedError):
        return None


def _read(store: Store, place: Path) -> Proposal:
    hint = "remove the folder, and run the cells again"
    if not place.is_dir():
        raise GoldenDamagedError("it lies among the proposals and is none", path=place, hint=hint)
    golden = read_files(place, besides={_NAME})
    label, base, summary = _said(place / _NAME)
    if place != _place(store, golden.key, label):
        raise GoldenDamagedError(
            f"it says that it is {label}'s proposal for {golden.key}: it was moved or edited by hand",
            path=place,
            hint=hint,
        )
    return Proposal(
        key=golden.key, label=label, path=place, golden=golden, summary=summary, base=base
    )


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
        raise GoldenDamagedError(
            str(error), path=path, hint="remove the folder, and run the cells again"
        ) from error
