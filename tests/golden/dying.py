"""A process whose children die at every place where they touch the disk, one place after the other.

``python -m tests.golden.dying FOLDER ACTION swap|rename`` prints what was found after each death, as JSON. What must hold
whatever happened is asserted here; what must have happened at all is asserted by the test.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.golden import stored
from tests.golden.stored import factor_of, golden, key

from savedmodel_compat.golden import frozen, pending
from savedmodel_compat.golden.store import Store

_TOUCHES = frozenset(
    ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir")
)
_DEAD = 9
_MOST = 2000


def main(folder: Path, action: str, way: str) -> None:
    """Let children die at the first touch of the disk, at the second, and so on to the last.

    Args:
        folder: an empty one.
        action: what the children do.
        way: whether folders change places in one step, or one makes room for the other.
    """
    if way == "rename":
        stored.never_swap()
    prepare, do, look = ACTIONS[action]
    pristine = folder / "pristine"
    pristine.mkdir()
    prepare(pristine)
    found: Counter[str] = Counter()
    for place in range(_MOST):
        root = folder / "golden"
        shutil.copytree(pristine, root)
        died = _dies(place, partial(do, root))
        found[look(root)] += 1
        _check_swept(root, look)
        shutil.rmtree(root)
        if not died:
            break
    sys.stdout.write(json.dumps(found))


def _dies(place: int, do: Callable[[], None]) -> bool:
    """Do something in a child that dies at one touch of the disk; tell whether it came so far."""
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in {0, _DEAD}, status
        return status == _DEAD
    left = place

    def hook(event: str, _: Any) -> None:
        nonlocal left
        if event in _TOUCHES:
            left -= 1
            if left < 0:
                os._exit(_DEAD)

    try:
        sys.addaudithook(hook)
        do()
    except BaseException:  # noqa: BLE001 - whatever it is, this child ends here
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def _check_swept(root: Path, look: Callable[[Path], str]) -> None:
    """What the dead left is gone when the next writer has written, and nothing else has changed."""
    seen = look(root)
    other = golden(key("other"))
    Store(root).write(other)
    pending.reject(Store(root), pending.leave(Store(root), other, "other", summary=""))
    frozen.freeze(root, "next", _model(root), producer="1.15.5", source=stored.SOURCE, why="next")
    left = [str(path) for path in root.rglob(".*") if path.name != ".gitignore"]
    assert left == [], left
    Store(root).remove(key("other"))
    assert look(root) == seen


def _write_old(root: Path) -> None:
    Store(root).write(golden())


def _nothing(root: Path) -> None:
    """Begin with an empty folder."""


def _look(root: Path) -> str:
    """Return which golden there is; all that is there must be whole, however it is looked at."""
    store = Store(root)
    assert store.verify() == ()
    if not store.has(key()):
        assert store.keys() == ()
        return "none"
    assert store.keys() == (key(),)
    return {1.0: "old", 2.0: "new"}[factor_of(store)]


def _leave_both(root: Path) -> None:
    store = Store(root)
    store.write(golden(overrides=(stored.OVERRIDE,)))
    pending.leave(store, golden(factor=2), "2.5.3-wheel-c-cpu", summary="y is off")
    pending.leave(store, golden(factor=3), "1.15.5-venv-v1-cpu", summary="y is off")


def _accept(root: Path) -> None:
    store = Store(root)
    proposal = next(one for one in pending.proposals(store) if one.label.startswith("2.5.3"))
    assert pending.accept(store, proposal, reason="a bug was mended") == key()


def _look_at_proposals(root: Path) -> str:
    """Return the golden and how many proposals there are for it."""
    count = len(pending.proposals(Store(root)))
    which = _look(root)
    if which != "none" and Store(root).manifest(key()).overrides:
        events = [event.what for event in Store(root).manifest(key()).history]
        assert events == ["recorded", "accepted"][: 2 if which == "new" else 1]
    return f"{which}, {count} proposals"


def _leave(root: Path) -> None:
    pending.leave(Store(root), golden(factor=2), "2.5.3-wheel-c-cpu", summary="y is off")


def _model(root: Path) -> Path:
    folder = root.parent / "model"
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"index")
    return folder


def _freeze(root: Path) -> None:
    frozen.freeze(root, "first", _model(root), producer="1.15.5", source=stored.SOURCE, why="old")


def _look_at_frozen(root: Path) -> str:
    names = frozen.names(root)
    assert all(frozen.verify(root, name) == () for name in names)
    return "frozen" if "first" in names else "none"


def _remove(root: Path) -> None:
    Store(root).remove(key())


def _new(root: Path) -> None:
    Store(root).write(golden(factor=2))


_Action = tuple[Callable[[Path], None], Callable[[Path], None], Callable[[Path], str]]
ACTIONS: Mapping[str, _Action] = {
    "replace": (_write_old, _new, _look),
    "record": (_nothing, _new, _look),
    "remove": (_write_old, _remove, _look),
    "accept": (_leave_both, _accept, _look_at_proposals),
    "leave": (_write_old, _leave, _look_at_proposals),
    "freeze": (_nothing, _freeze, _look_at_frozen),
}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
