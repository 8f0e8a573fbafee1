"""Cells made by hand, and expectations about them: what the tests of the gate begin with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from savedmodel_compat.matrix.expectations import Expectation, Expectations, Judgement
from savedmodel_compat.matrix.gate import judge
from savedmodel_compat.matrix.releases import parse
from savedmodel_compat.matrix.seen import Seen
from savedmodel_compat.runtimes import pins

TABLE = pins.load()
DAY = date(2027, 1, 1)


def cell(
    model: str = "cnn", consumer: str = "2.4.4", *, producer: str | None = "2.11.1", **changes: Any
) -> Seen:
    """Make a cell; what is not given is that of one that passed."""
    facts: dict[str, Any] = {
        "tags": ("serve",),
        "strip": False,
        "loader": "c",
        "provider": "wheel",
        "device": "cpu",
        "signature": "serving_default",
        "outcome": "pass",
        "compared": 1,
    }
    facts |= changes
    names = (model, *facts["tags"], facts["strip"], producer, consumer, facts["loader"])
    names += (facts["provider"], facts["device"], facts["signature"])
    said = ":".join(map(str, names))
    return Seen(id=said, model=model, consumer=consumer, producer=producer, **facts)


def failing(model: str = "cnn", consumer: str = "2.4.4", **changes: Any) -> Seen:
    """Make a cell that does not load for an attr that its consumer does not know."""
    facts: dict[str, Any] = {
        "outcome": "fail",
        "cause": "attr-unknown",
        "op": "Conv2D",
        "attr": "explicit_paddings",
        "compared": 0,
    }
    return cell(model, consumer, **(facts | changes))


def expectation(**changes: Any) -> Expectation:
    """Make an expectation; what is not given is any, or fits `failing`."""
    facts: dict[str, Any] = {
        "place": "expectations.toml:1",
        "models": ("cnn",),
        "cause": "attr-unknown",
        "reason": "Conv2D.explicit_paddings came with 1.14",
        "owner": "ops",
        "expires": date(2027, 12, 31),
    }
    for name in ("producer", "consumer"):
        if isinstance(changes.get(name), str):
            changes[name] = parse(changes[name], TABLE)
    return Expectation(**(facts | changes))


def judged(expectations: Sequence[Expectation], cells: Sequence[Seen], **more: Any) -> Judgement:
    """Judge cells on the day of the tests."""
    file = Expectations(path=Path("expectations.toml"), entries=tuple(expectations))
    return judge(file, cells, **({"day": DAY} | more))
