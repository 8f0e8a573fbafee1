"""What to do about an op that a consumer does not have, or cannot run: it depends on whose op it is."""

from __future__ import annotations

from functools import lru_cache

from savedmodel_compat.matrix._cause import UPGRADE

_ABOUT_OPS = frozenset({"op-not-registered", "kernel-missing"})
_NOTES = {
    "DisableCopyOnRead": "tf.saved_model.save from 2.12 on writes it into the function that saves variables, which serving "
    "never calls: export with 2.11 or older, or with SavedModelBuilder",
}


def about_op(cause: str, op: str | None) -> str | None:
    """Return what to do about an op that is not there, or has no kernel.

    Args:
        cause: the cause's id.
        op: the op's name; None if nobody tells.

    Returns:
        The advice; None where the cause's own is as good.
    """
    if not op or cause not in _ABOUT_OPS:
        return None
    # Late: who draws a report of a record needs no registry.
    from savedmodel_compat.registry.op_libraries import library_of

    library = library_of(op)
    if library is not None:
        return f"'{op}' belongs to {library.name}: {library.advice}"
    return _of_tensorflow(op) if cause == "op-not-registered" else None


def _of_tensorflow(op: str) -> str:
    from savedmodel_compat.registry import snapshots

    having = _releases_with(op)
    if not having:
        return (
            f"no TensorFlow that is known here has '{op}': load the op library that has it before the model "
            "(tf.load_op_library), or build it into the server"
        )
    newest = snapshots.releases()[-1]
    since = (
        f"TensorFlow has '{op}' from {having[0]} on" if having[-1] == newest else _gone(op, having)
    )
    return f"{since}: {_NOTES.get(op, UPGRADE)}"


def _gone(op: str, having: tuple[str, ...]) -> str:
    return f"TensorFlow had '{op}' from {having[0]} to {having[-1]}"


@lru_cache(maxsize=1024)
def _releases_with(op: str) -> tuple[str, ...]:
    """Return the pinned releases that have an op, oldest first."""
    from savedmodel_compat.registry import snapshots

    found = ((release, snapshots.get(release)) for release in snapshots.releases())
    return tuple(release for release, snapshot in found if snapshot is not None and op in snapshot)
