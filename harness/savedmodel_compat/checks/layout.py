"""Rules of the folder: the files are there, readable, where a loader looks, and nothing else is."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Iterator

from savedmodel_compat.checks import _assets, _pointers
from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks._places import CHUNKED, FOLDERS, HOMES, KERAS, Places
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model.locate import FILE_NAMES
from savedmodel_compat.model.parse import SIZE_LIMIT
from savedmodel_compat.model.tree import Entry, Kind, Tree


def check(subject: Subject) -> Iterator[Finding]:
    """Yield what breaks the rules of the folder."""
    graph = _graph(subject.tree)
    closed = [*_access(subject), *_links(subject, graph), *_limits(subject)]
    special = list(_kinds(subject.tree))
    unfetched = list(_pointers.check(subject))
    yield from (*closed, *special, *unfetched)
    told = {finding.where for finding in closed}
    yield from _graph_file(subject, told)
    told.update(finding.where for finding in special)
    places = Places(tree=subject.tree, told=told, listed=_assets.listed(subject))
    for entry in subject.tree.entries.values():
        places.look(entry)
    yield from places.findings()
    yield from _assets.check(subject, ignored=lambda entry: entry.name in places.told)
    yield from limited(_same_names(subject.tree), "L18", ".")
    if KERAS in subject.tree.entries:
        yield found("L10", KERAS, "Keras 2 saved this model", file=KERAS)


def _access(subject: Subject) -> Iterator[Finding]:
    return limited(_unreadable(subject), "L9", ".")


def _unreadable(subject: Subject) -> Iterator[Finding]:
    tree = subject.tree
    # Of what is in a closed folder nothing more is said.
    closed = {entry.name for entry in tree.entries.values() if _is_closed_folder(subject, entry)}
    for name in tree.unreadable:
        if name.rpartition("/")[0] not in closed and name not in closed:
            yield found("L9", name, "this process cannot look at it", file=_file(name))
    for entry in tree.entries.values():
        if entry.folder in closed:
            closed.add(entry.name)
        elif entry.name in closed or (
            entry.kind is Kind.FILE and not _may(subject, entry, 0o444, os.R_OK)
        ):
            who = "this process may not" if entry.mode & 0o444 else "nobody may"
            message = f"{who} read it (mode {_mode(entry)})"
            yield found("L9", entry.name, message, file=entry.name)


def _is_closed_folder(subject: Subject, entry: Entry) -> bool:
    return entry.kind is Kind.FOLDER and not _may(subject, entry, 0o555, os.R_OK | os.X_OK)


def _may(subject: Subject, entry: Entry, bits: int, access: int) -> bool:
    """Whether an entry can be used; root can use all, so what nobody else can is said of it too."""
    return bool(entry.mode & bits) and os.access(f"{subject.root}/{entry.name}", access)


def _mode(entry: Entry) -> str:
    return f"{entry.mode & 0o7777:04o}"


def _file(name: str) -> str:
    return "" if name == "." else name


def _links(subject: Subject, graph: str | None) -> Iterator[Finding]:
    """Yield L16 and L23, and L1 of a graph file that is a link out of the model: nothing else looks at it.

    Args:
        subject: the model.
        graph: the name of its graph file; None if there is none.
    """
    bad = list(_bad_links(subject))
    for rule in ("L16", "L23"):
        some = (finding for finding in bad if finding.rule == rule)
        yield from limited((f for f in some if rule == "L16" or f.where != graph), rule, ".")
    for finding in bad:
        if finding.rule == "L23" and finding.where == graph:
            message = f"{finding.message}, and not followed: nothing of the graph was checked"
            yield found("L1", finding.where, message, file=finding.file, fix=finding.fix)


def _bad_links(subject: Subject) -> Iterator[Finding]:
    tree = subject.tree
    for entry in tree.entries.values():
        if entry.target is None:
            continue
        words = f"is a link to {clipped(entry.target)}"
        if not entry.inside:
            if os.path.exists(f"{subject.root}/{entry.name}"):  # noqa: PTH110
                message = f"{words}, which is outside of the model"
                yield found("L23", entry.name, message, file=entry.name)
            else:
                message = f"{words}, where there is nothing"
                yield found("L16", entry.name, message, file=entry.name)
        elif _is_circle(tree, entry):
            yield found(
                "L16",
                entry.name,
                f"{words}, a folder that holds it: whoever walks through the model, as TensorFlow"
                " Serving does, goes round in circles",
                file=entry.name,
                fix="remove the link",
            )


def _is_circle(tree: Tree, link: Entry) -> bool:
    resolved = tree.resolve(link.name)
    return resolved is not None and (resolved == "" or f"{link.folder}/".startswith(f"{resolved}/"))


def _kinds(tree: Tree) -> Iterator[Finding]:
    return limited(
        (
            found("L17", entry.name, "is neither file nor folder nor link", file=entry.name)
            for entry in tree.entries.values()
            if entry.kind is Kind.OTHER
        ),
        "L17",
        ".",
    )


def _limits(subject: Subject) -> Iterator[Finding]:
    tree = subject.tree
    if tree.beyond is not None:
        yield found(
            "L19", ".", f"there are {tree.beyond}, and what is beyond that was not looked at"
        )
    graph = _graph(tree)
    real = tree.find(graph) if graph else None
    if real is not None and real.size > SIZE_LIMIT:
        yield found(
            "L19",
            str(graph),
            f"has {real.size} bytes; no loader reads a protocol buffer above {SIZE_LIMIT}",
            file=str(graph),
            fix="keep large values in variables, not in constants of the graph",
        )


def _graph(tree: Tree) -> str | None:
    """Return the name of the graph file, whatever it is; None if there is none."""
    return next((name for name in FILE_NAMES if name in tree.entries), None)


def _graph_file(subject: Subject, closed: set[str]) -> Iterator[Finding]:
    """Yield L1 and L11.

    Args:
        subject: the model.
        closed: places of which it was said already that they cannot be read.
    """
    tree = subject.tree
    graph = _graph(tree)
    real = tree.find(graph) if graph else None
    if graph in closed or "." in tree.unreadable:
        return
    if graph is not None and real is not None and real.kind is not Kind.FILE:
        what = "folder" if real.kind is Kind.FOLDER else "pipe, socket or device"
        yield found("L1", graph, f"is a {what}, and a loader looks for a file", file=graph)
    elif subject.saved is not None:
        binary, text = FILE_NAMES
        if binary in tree.entries and text in tree.entries:
            yield found("L11", text, f"{binary} is read, and this file is not", file=text)
    elif isinstance(subject.damage, DamagedModelError) or (subject.damage and not closed):
        file = graph or FILE_NAMES[0]
        message = subject.damage.message.replace(f"{subject.root / file} ", "the file ", 1)
        yield found("L1", file, message, file=file, fix=subject.damage.hint)
    elif subject.damage is None:
        yield _no_graph(tree)


def _no_graph(tree: Tree) -> Finding:
    if CHUNKED in tree.entries:
        return found(
            "L1",
            CHUNKED,
            "is all there is, a chunked SavedModel, which no open-source loader reads",
            file=CHUNKED,
            fix="export again without experimental_image_format",
        )
    others = [f"{name}/" if name in FOLDERS else name for name in _parts(tree)]
    told = f", though {', '.join(others)} {'is' if len(others) == 1 else 'are'}" if others else ""
    return found(
        "L1",
        FILE_NAMES[0],
        f"is not there{told}: it is written after variables and assets, so the export broke off,"
        " or the copy is not whole",
    )


def _parts(tree: Tree) -> list[str]:
    return [name for name in (*FOLDERS, *HOMES) if name in tree.entries]


def _same_names(tree: Tree) -> Iterator[Finding]:
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in tree.entries.values():
        groups.setdefault((entry.folder, _folded(entry.base)), []).append(entry.base)
    for (folder, _), names in groups.items():
        if len(names) > 1:
            place = f"{folder}/" if folder else ""
            yield found(
                "L18",
                f"{place}{names[0]}",
                f"{_listed(names)} are one name where case or the form of accents does not count",
                file=f"{place}{names[0]}",
            )


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    shown = [f"'{clipped(name)}'" for name in names[:5]]
    if len(names) > len(shown):
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
