"""The leg that an exporter cannot make, made from the one that it can: default-valued attrs taken out or put back.

``tf.saved_model.save`` always strips, and the ``SavedModelBuilder`` of releases before 1.6 never does.
"""

from __future__ import annotations

from pathlib import Path

from savedmodel_compat import model as saved_models
from savedmodel_compat.matrix._entries import content_digest
from savedmodel_compat.model import defaults
from savedmodel_compat.model.defaults import Direction
from savedmodel_compat.registry import snapshots

_WORDS = {
    Direction.STRIP: "default-valued attrs were taken out of the unstripped export",
    Direction.PUT_BACK: "the defaults were put back into the stripped export",
}


def derive(made: Path, destination: Path, *, strip: bool, why: str) -> str:
    """Make one leg of an export from the other, and return a note that says so.

    Args:
        made: what the exporter wrote for the other leg; the model is in it, or in a version folder.
        destination: a folder that does not exist; gets the same layout.
        strip: whether the leg is the stripped one.
        why: why the exporter cannot make it, in its own words.

    Raises:
        NotASavedModelError: the exporter wrote no SavedModel.
    """
    source = saved_models.locate(made)
    direction = Direction.STRIP if strip else Direction.PUT_BACK
    report = defaults.convert(
        source, destination / source.relative_to(made), direction, registry=snapshots
    )
    left = [
        graph.changes.unknown.total() + graph.changes.undecided.total()
        for graph in report.meta_graphs
    ]
    more = f"; {sum(left)} nodes or attrs were left as they are" if sum(left) else ""
    return f"{_WORDS[direction]}{more}, for: {why}"


def key(producer: str) -> dict[str, str]:
    """Return what a derived leg is made of besides the other leg: the code that makes it, and the OpDefs.

    Args:
        producer: the release that exports.
    """
    folder = Path(defaults.__file__).parent
    sources = {path.name: content_digest(path) for path in sorted(folder.glob("*default*.py"))}
    snapshot = snapshots.get(producer)
    return {**sources, "ops": snapshot.wheel_sha256 if snapshot else ""}
