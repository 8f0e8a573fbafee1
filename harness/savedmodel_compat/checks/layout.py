"""Rules of the folder: the files are there, readable, where a loader looks, and nothing else is."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from savedmodel_compat.checks import _assets
from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model.locate import FILE_NAMES
from savedmodel_compat.model.parse import SIZE_LIMIT
from savedmodel_compat.model.tree import Entry, Kind, Tree

_CHUNKED = "saved_model.cpb"
_KERAS = "keras_metadata.pb"
_EXTRA = "assets.extra"
_FOLDERS = ("assets", _EXTRA, "debug", "variables")
# Where a loader looks for a file, by its name; an empty folder is the model's own.
_HOMES = {
    "saved_model.pb": "",
    "saved_model.pbtxt": "",
    _CHUNKED: "",
    "fingerprint.pb": "",
    _KERAS: "",
    "tfhub_module.pb": "",
    "saved_model_debug_info.pb": "debug",
    "variables.index": "variables",
}
_SHARD = re.compile(r"variables\.data-\d{5}-of-\d{5}")
_STATE = "variables/checkpoint"
_WARMUP = "tf_serving_warmup_requests"
_SERVING = (_WARMUP, "saved_model_config.pb")

_PART = r"(?:saved_model(?:_debug_info)?\.pb(?:txt)?|fingerprint\.pb|variables\.(?:index|data-\d{5}-of-\d{5}))"
_LEFT = (
    # python/lib/io/file_io.py (atomic_write_string_to_file)
    (
        re.compile(rf"(?:{_PART}|checkpoint)\.tmp[0-9a-f]*"),
        "is what an export leaves that stopped while it wrote this file",
    ),
    # core/util/tensor_bundle/tensor_bundle.cc (BundleWriter)
    (
        re.compile(rf"{_PART}\.tempstate\d*"),
        "is what an export leaves that stopped while it wrote the variables",
    ),
    # python/checkpoint/functional_saver.py, on S3
    (
        re.compile(r"variables\.part-\d{5}-of-\d{5}\..+"),
        "is a shard that was not merged with the others",
    ),
    (
        re.compile(
            rf"\.{_PART}\.[A-Za-z0-9]{{6}}|{_PART}(?:_\.gstmp|\.part|\.partial|\.filepart|\.crdownload)"
        ),
        "is what a copy leaves that broke off",
    ),
)
# python/training/saver.py in 1.x, python/checkpoint/functional_saver.py
_UNMERGED = re.compile(r"variables_temp(?:_[0-9a-f]*)?")
_LITTER = (
    (re.compile(r"\.DS_Store|\._.*|__MACOSX|\.Spotlight-V100|\.Trashes|\.fseventsd"), "macOS"),
    (re.compile(r"Thumbs\.db|desktop\.ini|\$RECYCLE\.BIN", re.IGNORECASE), "Windows"),
    (re.compile(r"\.ipynb_checkpoints"), "Jupyter"),
    (re.compile(r"\.git|\.gitattributes|\.gitignore|\.gitkeep"), "Git"),
    (re.compile(r"\.nfs[0-9a-f]+|lost\+found"), "the file system"),
    (re.compile(r".*~|\..*\.sw[a-p]"), "an editor"),
)
# Of Kubernetes' volumes (pkg/volume/util/atomic_writer.go), which swaps one link to replace all files at once.
_MOUNT = re.compile(r"\.\.(?:data|data_tmp|\d{4}_\d\d_\d\d_.*)")


def check(subject: Subject) -> Iterator[Finding]:
    """Yield what breaks the rules of the folder."""
    closed = [*_access(subject), *_links(subject), *_kinds(subject.tree), *_limits(subject)]
    yield from closed
    yield from _graph_file(subject, {finding.where for finding in closed})
    places = _Places(tree=subject.tree)
    for entry in subject.tree.entries.values():
        places.look(entry)
    yield from places.findings()
    yield from _assets.check(subject, ignored=lambda entry: entry.name in places.told)
    yield from limited(_same_names(subject.tree), "L18", ".")
    if _KERAS in subject.tree.entries:
        yield found("L10", _KERAS, "Keras 2 saved this model", file=_KERAS)


def _access(subject: Subject) -> Iterator[Finding]:
    return limited(_unreadable(subject), "L9", ".")


def _unreadable(subject: Subject) -> Iterator[Finding]:
    tree = subject.tree
    closed = set(tree.unreadable)
    for name in tree.unreadable:
        if name.rpartition("/")[0] not in closed:
            entry = tree.entries.get(name)
            mode = f" (mode {_mode(entry)})" if entry else ""
            yield found("L9", name, f"this process cannot look into it{mode}", file=_file(name))
    for entry in tree.entries.values():
        if entry.kind not in (Kind.FILE, Kind.FOLDER) or entry.name in closed:
            continue
        needed = 0o444 if entry.kind is Kind.FILE else 0o555
        if not entry.mode & needed:
            why = "nobody may read it"
        elif not os.access(
            f"{subject.root}/{entry.name}",
            os.R_OK if entry.kind is Kind.FILE else os.R_OK | os.X_OK,
        ):
            why = "this process may not read it"
        else:
            continue
        if entry.kind is Kind.FOLDER:
            closed.add(entry.name)
        if entry.folder not in closed:
            yield found("L9", entry.name, f"{why} (mode {_mode(entry)})", file=entry.name)


def _mode(entry: Entry) -> str:
    return f"{entry.mode & 0o7777:04o}"


def _file(name: str) -> str:
    return "" if name == "." else name


def _links(subject: Subject) -> Iterator[Finding]:
    return limited(_bad_links(subject), "L16", ".")


def _bad_links(subject: Subject) -> Iterator[Finding]:
    tree = subject.tree
    for entry in tree.entries.values():
        if entry.target is None:
            continue
        target = clipped(entry.target)
        if not entry.inside:
            there = os.path.exists(f"{subject.root}/{entry.name}")  # noqa: PTH110
            why = "which is outside of the model" if there else "and there is nothing"
            yield found("L16", entry.name, f"is a link to {target}, {why}", file=entry.name)
        elif _is_circle(tree, entry):
            yield found(
                "L16",
                entry.name,
                f"is a link to {target}, a folder that it is in itself: who walks through the model,"
                " as TensorFlow Serving does, goes round in circles",
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
    both = [name for name in FILE_NAMES if name in tree.entries]
    if subject.saved is not None and len(both) > 1:
        yield found("L11", both[1], f"{both[0]} is read, and this file is not", file=both[1])
    if subject.saved is not None or graph in closed or "." in closed:
        return
    if isinstance(subject.damage, DamagedModelError) or (subject.damage and not closed):
        error = subject.damage
        yield found("L1", str(graph), error.message, file=str(graph), fix=error.hint)
    elif subject.damage is None:
        yield _no_graph(tree, graph)


def _no_graph(tree: Tree, graph: str | None) -> Finding:
    if graph is not None:
        return found("L1", graph, "is a folder, and a loader looks for a file", file=graph)
    if _CHUNKED in tree.entries:
        return found(
            "L1",
            _CHUNKED,
            "is all there is, a chunked SavedModel, which no open-source loader reads",
            file=_CHUNKED,
            fix="export again without experimental_image_format",
        )
    others = [f"{name}/" if name in _FOLDERS else name for name in _parts(tree)]
    told = f", though {', '.join(others)} {'is' if len(others) == 1 else 'are'}" if others else ""
    return found(
        "L1",
        FILE_NAMES[0],
        f"is not there{told}: it is written after variables and assets, so the export broke off,"
        " or the copy is not whole",
    )


def _parts(tree: Tree) -> list[str]:
    return [name for name in (*_FOLDERS, *_HOMES) if name in tree.entries]


@dataclass(slots=True, kw_only=True)
class _Places:
    """Whether each entry lies where it belongs: L2, L5, L14 and L15.

    Args:
        tree: the model's.
        told: names of which something is said, or that lie in a folder of which something is.
    """

    tree: Tree
    told: set[str] = field(default_factory=set)
    _found: dict[str, list[Finding]] = field(default_factory=dict)
    _unknown: dict[str, Finding] = field(default_factory=dict)
    _explained: set[str] = field(default_factory=set)

    def findings(self) -> Iterator[Finding]:
        """Yield what was found; an unknown folder is not told if all that is in it was explained."""
        for rule, some in self._found.items():
            yield from limited(some, rule, ".")
        strange = (f for name, f in self._unknown.items() if name not in self._explained)
        yield from limited(strange, "L15", ".")

    def look(self, entry: Entry) -> None:
        """Judge an entry; folders come before what they hold."""
        if entry.folder in self.told:
            self.told.add(entry.name)
            return
        top, _, rest = entry.name.partition("/")
        if _MOUNT.fullmatch(top):
            return
        if top == _EXTRA and rest:
            self._serving(entry)
            return
        if self._litter(entry) or self._left(entry) or self._serving(entry) or self._astray(entry):
            self.told.add(entry.name)
            self._explained.add(_unit(entry.name))
        elif not self._is_known(entry):
            self._unknown.setdefault(_unit(entry.name), _strange(self.tree, _unit(entry.name)))

    def _say(self, rule: str, entry: Entry, message: str, fix: str | None = None) -> bool:
        some = self._found.setdefault(rule, [])
        some.append(found(rule, entry.name, message, file=entry.name, fix=fix))
        return True

    def _litter(self, entry: Entry) -> bool:
        for pattern, who in _LITTER:
            if pattern.fullmatch(entry.base):
                message = f"is what {who} leaves behind, and no part of a model"
                return self._say("L15", entry, message, "remove it")
        return False

    def _left(self, entry: Entry) -> bool:
        if entry.kind is Kind.FOLDER:
            is_one = entry.folder == "variables" and _UNMERGED.fullmatch(entry.base)
            prefix = f"{entry.name}/"
            count = sum(name.startswith(prefix) for name in self.tree.entries) if is_one else 0
            return count > 0 and self._say(
                "L2", entry, f"holds {count} files of shards that were not merged"
            )
        if entry.folder in ("assets", _EXTRA):
            return False
        for pattern, what in _LEFT:
            if pattern.fullmatch(entry.base):
                return self._say("L2", entry, what)
        return False

    def _serving(self, entry: Entry) -> bool:
        if entry.kind is Kind.FOLDER or entry.folder == _EXTRA and entry.base in _SERVING:
            return False
        if entry.base in _SERVING:
            return self._say(
                "L5", entry, f"TensorFlow Serving looks for it in {_EXTRA}/ and nowhere else"
            )
        if entry.base.startswith(_WARMUP[:-1]) and f"{_EXTRA}/{_WARMUP}" not in self.tree.entries:
            return self._say(
                "L5",
                entry,
                f"TensorFlow Serving reads {_EXTRA}/{_WARMUP}, and no file of another name",
                f"rename it to {_WARMUP}",
            )
        return False

    def _astray(self, entry: Entry) -> bool:
        if entry.name in _FOLDERS and entry.kind is Kind.FILE:
            return self._say(
                "L14", entry, "is a file, and a loader looks for a folder", "remove or rename it"
            )
        home = _home(entry.base)
        if home is None or entry.folder == home or entry.kind is Kind.FOLDER:
            return False
        right = f"{home}/{entry.base}" if home else entry.base
        known = entry.folder in ("", "assets", "debug", "variables")
        if right in self.tree.entries and not known:
            return False  # a copy in a folder of its own, of which L15 speaks
        place = f"{home}/" if home else "the model's own folder"
        return self._say("L14", entry, f"a loader looks for it in {place}")

    def _is_known(self, entry: Entry) -> bool:
        if entry.folder == "":
            return entry.name in _FOLDERS or _home(entry.base) == ""
        if entry.name.startswith("assets/"):
            return True  # L13 speaks of them
        return _home(entry.base) == entry.folder or entry.name == _STATE


def _home(base: str) -> str | None:
    """Return the folder that a loader looks for a file of that name in; None if for no such file."""
    return "variables" if _SHARD.fullmatch(base) else _HOMES.get(base)


def _unit(name: str) -> str:
    """Return what L15 names: an entry of the root, or of a folder that TensorFlow knows."""
    parts = name.split("/")
    return "/".join(parts[: 2 if parts[0] in _FOLDERS else 1])


def _strange(tree: Tree, name: str) -> Finding:
    entry = tree.entries[name]
    if entry.kind is not Kind.FOLDER:
        message = f"belongs to no SavedModel ({entry.size} bytes)"
    elif any(f"{name}/{graph}" in tree.entries for graph in FILE_NAMES):
        message = "is another SavedModel in this one's folder"
    else:
        message = "is a folder that belongs to no SavedModel"
    return found("L15", name, message, file=name)


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
