"""A cell and what became of it, as far as expectations and floors look: from a run, or from its JSON record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result

Claim = tuple["str | None", "str | None", "str | None", "tuple[str, ...]"]
"""Why a cell failed: the first cause, op, attr, and the other causes."""

UNKNOWN = "unknown"
"""What stands for a producer, or a way of stripping, that nothing tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One cell with its outcome, in plain words.

    Args:
        id: the cell's.
        path: the model's folder, which tells cells of one id apart.
        model: name of the model.
        tags: tag set of the MetaGraph; empty for an export that gave no model.
        strip: whether default-valued attrs were stripped; None if nothing tells.
        producer: release that wrote it; None if nothing tells.
        consumer: release that reads it.
        loader: which of its loaders.
        provider: what made the consumer ready.
        device: where it computed.
        signature: its key; None where the cell has none.
        outcome: what became of it, as records write it.
        started: whether its process was started.
        cause: the first cause of a failure.
        also: its other causes, in their order.
        op: what the cause is about, if it says so.
        attr: the same.
        why: the reason or the message, in one line.
        compared: number of outputs compared.
        expected: whether the record says that its failure was expected.
    """

    id: str
    path: str = ""
    model: str
    tags: tuple[str, ...]
    strip: bool | None
    producer: str | None
    consumer: str
    loader: str
    provider: str
    device: str
    signature: str | None
    outcome: str
    started: bool = True
    cause: str | None = None
    also: tuple[str, ...] = ()
    op: str | None = None
    attr: str | None = None
    why: str = ""
    compared: int = 0
    expected: bool = False

    @property
    def full_name(self) -> str:
        """The model's name with all folders above it, if it is named by its folder; else its name."""
        return _full_name(self.model, self.path)

    @property
    def failed(self) -> bool:
        """Whether it failed; of the other outcomes only a pass was run to its end."""
        return self.outcome == "fail"

    @property
    def ran(self) -> bool:
        """Whether it passed or failed."""
        return self.outcome in {"pass", "fail"}

    @property
    def claim(self) -> Claim:
        """Why it failed: the first cause, op, attr, and the other causes."""
        return self.cause, self.op or None, self.attr or None, self.also


# An export is named by its exporter: where it lies, in a cache, is no name of it.
@lru_cache(maxsize=4096)
def _full_name(model: str, path: str) -> str:
    folder = PurePath(path).as_posix()
    return folder if f"/{folder}".endswith(f"/{model}") else model


def ending(full_name: str, like: str) -> str:
    """Return the last parts of a model's full name, as many as another name has.

    Args:
        full_name: of the model.
        like: the other name, such as ``models/half_plus_two``, which has two.
    """
    return "/".join(full_name.split("/")[-like.count("/") - 1 :])


def of_result(result: Result) -> Seen:
    """Return what there is to see of a result."""
    cell = result.cell
    return Seen(
        id=cell.id,
        path=str(cell.path),
        model=cell.model,
        tags=cell.tags,
        strip=cell.strip,
        producer=cell.producer,
        consumer=cell.consumer,
        loader=cell.loader,
        provider=cell.provider,
        device=cell.device,
        signature=cell.signature,
        outcome=result.outcome.value,
        started=result.stage is not None,
        cause=result.cause,
        also=result.causes[1:],
        op=result.detail.op,
        attr=result.detail.attr,
        why=result.reason or result.message,
        compared=result.compared,
        expected=result.expected,
    )


def of_record(cell: Mapping[str, Any]) -> Seen:
    """Return what there is to see of a cell of a JSON record."""
    return Seen(
        id=cell["id"],
        path=cell["path"],
        model=cell["model"],
        tags=tuple(cell["tags"]),
        strip=cell["strip"],
        producer=cell["producer"],
        consumer=cell["consumer"],
        loader=cell["loader"],
        provider=cell["provider"],
        device=cell["device"],
        signature=cell["signature"],
        outcome=cell["outcome"],
        started=cell["stage"] is not None,
        cause=cell["cause"],
        also=tuple(cell["causes"][1:]),
        op=cell["detail"]["op"],
        attr=cell["detail"]["attr"],
        why=cell["reason"] or cell["message"],
        compared=cell["compared"],
        expected=cell["expected"],
    )
