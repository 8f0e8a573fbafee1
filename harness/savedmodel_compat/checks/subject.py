"""What the rules look at: one model, each of its parts read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from savedmodel_compat.errors import SavedModelCompatError
    from savedmodel_compat.model.checkpoint import Checkpoint
    from savedmodel_compat.model.tree import Tree
    from savedmodel_compat.model.values import SavedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model as far as it could be read.

    Args:
        root: its folder.
        tree: every entry below it.
        saved: what its graph file holds; None if that does not parse.
        damage: why it does not parse; None if it does.
        checkpoint: its variables; None if there is no ``variables.index``, or it does not parse.
        checkpoint_damage: why ``variables.index`` does not parse; None if it does, or there is none.
        tensor_data: whether the data of the tensors is to be read and verified.
        progress: told of every stretch of data that was verified, in bytes.
    """

    root: Path
    tree: Tree
    saved: SavedModel | None
    damage: SavedModelCompatError | None
    checkpoint: Checkpoint | None
    checkpoint_damage: SavedModelCompatError | None
    tensor_data: bool = True
    progress: Callable[[int], None] = field(default=lambda size: None)  # noqa: ARG005

    @property
    def graph_file(self) -> str:
        """The name of the graph file, for findings; the usual one if there is none."""
        return self.saved.file.name if self.saved else "saved_model.pb"
