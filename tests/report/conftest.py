"""Results made by hand: what the reports are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.matrix.cells import Cell, Detail, Outcome, Result, Stage


@pytest.fixture
def result() -> Callable[..., Result]:
    """Make a result; what is not given is that of a cell that passed."""

    def make(
        *,
        model: str = "cnn",
        consumer: str = "2.4.4",
        producer: str | None = "2.11.1",
        strip: bool | None = False,
        signature: str | None = "serving_default",
        loader: str = "c",
        tags: tuple[str, ...] = ("serve",),
        **changes: Any,
    ) -> Result:
        cell = Cell(
            model=model,
            path=Path("/models") / model,
            model_sha256="ab" * 32,
            tags=tags,
            strip=strip,
            producer=producer,
            consumer=consumer,
            provider="wheel",
            loader=loader,
            signature=signature,
        )
        passed: dict[str, Any] = {
            "outcome": Outcome.PASS,
            "stage": Stage.COMPARE,
            "reference": "export",
            "compared": 2,
            "seconds": 0.0512345,
            "tensorflow_version": consumer,
        }
        return Result(cell=cell, **(passed | changes))

    return make


@pytest.fixture
def failed(result: Callable[..., Result]) -> Callable[..., Result]:
    """Make the result of a cell that does not load."""

    def make(**changes: Any) -> Result:
        facts: dict[str, Any] = {
            "outcome": Outcome.FAIL,
            "stage": Stage.LOAD,
            "causes": ("attr-unknown",),
            "message": "NodeDef mentions attr 'explicit_paddings' not in Op<name=Conv2D; signature=input:T -> output:T; "
            "attr=T:type>; NodeDef: {{node conv}}. (Check whether your GraphDef-interpreting binary is up to date with "
            "your GraphDef-generating binary.).",
            "detail": Detail(op="Conv2D", attr="explicit_paddings", node="conv"),
            "fix": "strip it",
            "reference": None,
            "compared": 0,
            "signature": None,
            "log": "line one\n\nline two\n",
        }
        return result(**(facts | changes))

    return make
