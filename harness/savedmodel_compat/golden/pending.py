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
from dataclasses import replace
from pathlib import Path

from savedmodel_compat.errors import GoldenDamagedError, UsageError
from savedmodel_compat.golden import _folders, _proposals
from savedmodel_compat.golden._goldens import Golden, Key, files_of, write_files
from savedmodel_compat.golden._proposals import Proposal
from savedmodel_compat.golden.manifest import Event, Manifest
from savedmodel_compat.golden.store import PENDING as FOLDER
from savedmodel_compat.golden.store import Store

__all__ = [
    "FOLDER",
    "Proposal",
    "accept",
    "groups",
    "leave",
    "listing",
    "proposals",
    "reject",
    "reject_damaged",
]

# An accept that was begun; what it says is done, or was not, when somebody finds it.
_ACCEPTING = "accepting.json"
_SHOWN_DIGITS = 12


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
        GoldenDamagedError: its place is reached by a symbolic link.
        InfrastructureError: it cannot be written.
    """
    if not label.strip():
        raise UsageError(
            f"a proposal for {golden.key} has no label: name the consumer that left it"
        )
    files = files_of(golden)
    pending = store.root / FOLDER
    place = _proposals.place_of(pending, golden.key, label)
    with _locked(store):
        _folders.check_inside(store.root, place)
        _folders.settle(place)
        base = _digest(store.manifest_there(golden.key))
        there = _there(store, place)
        if there is not None and (there.digest, there.base) == (files.digest, base):
            return there
        _ignore(pending)
        with _folders.replacing(place, pending) as folder:
            write_files(folder, files)
            text = _proposals.text_of(label, base, summary)
            (folder / _proposals.NAME).write_text(text, encoding="utf-8")
        return _proposals.read(pending, place)


def proposals(store: Store) -> tuple[Proposal, ...]:
    """Return all proposals that are whole, by key and label; `listing` tells of the others, too.

    Raises:
        InfrastructureError: one cannot be read.
    """
    return listing(store)[0]


def listing(store: Store) -> tuple[tuple[Proposal, ...], tuple[GoldenDamagedError, ...]]:
    """Return all proposals by key and label, and what is wrong with those that are damaged.

    Of damage, ``path`` is what `reject_damaged` removes.

    Raises:
        GoldenDamagedError: an accept that was begun left no proper word of what it was about.
        InfrastructureError: one cannot be read.
    """
    if not os.path.lexists(_marker(store)):
        found = _proposals.read_all(store.root, store.root / FOLDER)
        if not found[1]:
            return found
        # Perhaps it is being replaced just now; under the lock nothing is.
    with store.locked():
        store.sweep()
        if not (store.root / FOLDER).is_symlink():
            _finish(store)
        return _proposals.read_all(store.root, store.root / FOLDER)


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


def reject_damaged(store: Store, path: Path) -> None:
    """Remove a proposal that is damaged, or a link among the proposals.

    Args:
        store: where it lies.
        path: as `listing` told it.

    Raises:
        UsageError: nothing is there, it is whole, or it is no proposal's place.
        GoldenDamagedError: a symbolic link leads to it.
        InfrastructureError: it cannot be removed.
    """
    pending = store.root / FOLDER
    with store.locked():
        top = pending / _proposals.TENSORS
        depth = len(path.relative_to(top).parts) if path.is_relative_to(top) else -1
        is_link = path.is_symlink() and (depth >= 0 or path == pending)
        if not is_link and depth != _proposals.DEPTH:
            raise UsageError(f"{path} is no place of a proposal in {pending}")
        _folders.check_inside(store.root, path.parent)
        if is_link:
            path.unlink()
            return
        _folders.settle(path)
        if not os.path.lexists(path):
            raise UsageError(f"{path} is gone since it was looked at")
        if whole := _there(store, path):
            raise UsageError(
                f"{path} is whole: the proposal of {whole.label} for {whole.key}",
                hint=f"savedmodel-compat golden reject {whole.key.name} --from {whole.label}",
            )
        _folders.remove(path, pending)


@contextmanager
def _locked(store: Store) -> Iterator[None]:
    with store.locked():
        _folders.check_inside(store.root, store.root / FOLDER / _proposals.TENSORS)
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
    _folders.check_inside(store.root, proposal.path)
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
    _folders.check_inside(store.root, place)
    if _digest(store.manifest_there(key)) == digest and place.exists():
        _folders.remove(place, store.root / FOLDER)
    path.unlink()


def _ignore(folder: Path) -> None:
    """Keep proposals out of version control."""
    ignore = folder / ".gitignore"
    if not ignore.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _folders.write_file(ignore, b"*\n")


def _there(store: Store, place: Path) -> Proposal | None:
    """Return the proposal at a place; one that is damaged counts for none."""
    try:
        return _proposals.read(store.root / FOLDER, place)
    except GoldenDamagedError:
        return None
