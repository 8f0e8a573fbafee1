"""Where a file of a model belongs, and what is said of one that lies elsewhere or belongs nowhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from savedmodel_compat.checks._many import counted, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.model.locate import FILE_NAMES
from savedmodel_compat.model.tree import Entry, Kind, Tree

CHUNKED = "saved_model.cpb"
KERAS = "keras_metadata.pb"
_EXTRA = "assets.extra"
FOLDERS = ("assets", _EXTRA, "debug", "variables")
# Where a loader looks for a file, by its name; an empty folder is the model's own.
HOMES = {
    "saved_model.pb": "",
    "saved_model.pbtxt": "",
    CHUNKED: "",
    "fingerprint.pb": "",
    KERAS: "",
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
    # as atomic_write_string_to_file does, of python/lib/io/file_io.py
    (
        re.compile(rf"(?:{_PART}|checkpoint)\.tmp[0-9a-f]*"),
        "is what an export leaves that stopped while it wrote this file",
    ),
    # as BundleWriter does, of core/util/tensor_bundle/tensor_bundle.cc
    (
        re.compile(rf"{_PART}\.tempstate\d*"),
        "is what an export leaves that stopped while it wrote the variables",
    ),
    # as a sharded save on S3 does, of python/checkpoint/functional_saver.py
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
# As a sharded save elsewhere does: python/training/saver.py, python/checkpoint/functional_saver.py.
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


@dataclass(slots=True, kw_only=True)
class Places:
    """Whether each entry lies where it belongs: L2, L5, L14 and L15.

    Args:
        tree: the model's.
        told: names of which something is said, or that lie in a folder of which something is.
        listed: where the assets are that a MetaGraph lists; they may have any name.
    """

    tree: Tree
    told: set[str]
    listed: frozenset[str]
    _found: dict[str, list[Finding]] = field(default_factory=dict)
    _unknown: dict[str, Finding] = field(default_factory=dict)
    _explained: set[str] = field(default_factory=set)
    _counts: Counter[str] | None = None

    def findings(self) -> Iterator[Finding]:
        """Yield what was found; an unknown folder is not told if all that is in it was explained."""
        for rule, some in self._found.items():
            yield from limited(some, rule, ".")
        strange = (f for name, f in self._unknown.items() if name not in self._explained)
        yield from limited(strange, "L15", ".")

    def look(self, entry: Entry) -> None:
        """Judge an entry; folders come before what they hold."""
        if entry.name in self.told or entry.folder in self.told:
            self.told.add(entry.name)
            return
        top, _, rest = entry.name.partition("/")
        if _MOUNT.fullmatch(top) or entry.name in self.listed:
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
            count = self._held()[entry.name] if is_one else 0
            return count > 0 and self._say(
                "L2", entry, f"holds shards that were not merged (entries: {count})"
            )
        if entry.folder in ("assets", _EXTRA):
            return False
        for pattern, what in _LEFT:
            if pattern.fullmatch(entry.base):
                return self._say("L2", entry, what)
        return False

    def _held(self) -> Counter[str]:
        """Return how many entries each folder holds directly."""
        if self._counts is None:
            self._counts = Counter(entry.folder for entry in self.tree.entries.values())
        return self._counts

    def _serving(self, entry: Entry) -> bool:
        if entry.kind is Kind.FOLDER or (entry.folder == _EXTRA and entry.base in _SERVING):
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
        if entry.name in FOLDERS and entry.kind is Kind.FILE:
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
            return entry.name in FOLDERS or _home(entry.base) == ""
        if entry.name.startswith("assets/"):
            return True  # L13 speaks of them
        return _home(entry.base) == entry.folder or entry.name == _STATE


def _home(base: str) -> str | None:
    """Return the folder that a loader looks for a file of that name in; None if for no such file."""
    return "variables" if _SHARD.fullmatch(base) else HOMES.get(base)


def _unit(name: str) -> str:
    """Return what L15 names: an entry of the root, or of a folder that TensorFlow knows."""
    parts = name.split("/")
    return "/".join(parts[: 2 if parts[0] in FOLDERS else 1])


def _strange(tree: Tree, name: str) -> Finding:
    entry = tree.entries[name]
    if entry.kind is not Kind.FOLDER:
        message = f"belongs to no SavedModel ({counted(entry.size, 'byte')})"
    elif any(f"{name}/{graph}" in tree.entries for graph in FILE_NAMES):
        message = "is another SavedModel in this one's folder"
    else:
        message = "is a folder that belongs to no SavedModel"
    return found("L15", name, message, file=name)
