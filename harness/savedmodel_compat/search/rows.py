"""Rows of a batch, which are to know nothing of each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from savedmodel_compat.matrix.inputs import wanted
from savedmodel_compat.matrix.judge import one_line
from savedmodel_compat.model.values import Encoding
from savedmodel_compat.search._hypothesis import st
from savedmodel_compat.search.asking import Arrays, counted, demand_no_state, edges_of, feeds
from savedmodel_compat.search.engine import Property, search
from savedmodel_compat.search.subject import BrokenError, DoesNotApplyError, Tally

if TYPE_CHECKING:
    from savedmodel_compat.runtimes.verdicts import Answer
    from savedmodel_compat.search.subject import Asked

# Each row is asked alone, so that most batches are small; what kernels divide into blocks takes more than 64.
_BATCHES = st.one_of(
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 17),
    st.integers(0, 17),
    st.integers(0, 130),
)


def rows_are_independent(asked: Asked) -> Tally:
    """See `savedmodel_compat.properties.rows_are_independent`."""
    demand_no_state(asked)
    _demand_batched(asked)
    loaded = asked.subject.load(asked.case)
    defaults = set(asked.signature.defaults)

    def holds(feed: Arrays, tally: Tally) -> None:
        count = {array.shape[0] for alias, array in feed.items() if alias not in defaults}
        if len(count) != 1:
            return
        [rows] = count
        [whole] = loaded.ask([feed])
        singles = loaded.ask([_rows(feed, [row], defaults) for row in range(rows)])
        if not counted(whole, tally):
            _demand_a_reason(whole, singles)
            return
        assert whole.outputs is not None
        for alias, array in whole.outputs.items():
            if array.shape[:1] != (rows,):
                raise BrokenError(
                    f"output '{alias}' of {rows} rows has the shape {list(array.shape)}"
                )
        order = np.random.default_rng(rows).permutation(rows)
        [shuffled] = loaded.ask([_rows(feed, list(order), defaults)])
        _demand_rows(asked, whole, singles)
        different = asked.differences(_rows_of(whole, list(order)), shuffled)
        if different:
            raise BrokenError(f"its {rows} rows in another order: {different}")

    return search(
        Property(
            name="rows_are_independent",
            asked=asked,
            strategy=_BATCHES.flatmap(lambda rows: feeds(asked, edges=edges_of(asked), batch=rows)),
            holds=holds,
            loaded=[loaded],
            meant="batched=False",
        )
    )


def _demand_a_reason(whole: Answer, singles: list[Answer]) -> None:
    """Demand of a batch that is refused that one of its rows is."""
    if len(singles) > 1 and all(single.outputs is not None for single in singles):
        assert whole.failure is not None
        raise BrokenError(
            f"each of its {len(singles)} rows is answered alone, and together they are refused: "
            f"{one_line(whole.failure.text)}"
        )


def _demand_rows(asked: Asked, whole: Answer, singles: list[Answer]) -> None:
    for row, single in enumerate(singles):
        different = asked.differences(single, _rows_of(whole, [row]))
        if different:
            raise BrokenError(f"row {row} of {len(singles)} is not what it is alone: {different}")


def _rows(feed: Arrays, rows: list[int], defaults: set[str]) -> Arrays:
    return {alias: array if alias in defaults else array[rows] for alias, array in feed.items()}


def _rows_of(answer: Answer, rows: list[int]) -> Answer:
    assert answer.outputs is not None
    return replace(answer, outputs={n: array[rows] for n, array in answer.outputs.items()})


def _demand_batched(asked: Asked) -> None:
    """Demand an open first dimension of all that is fed and answered."""
    if not asked.subject.search.batched:
        raise DoesNotApplyError("it is said of the model that its rows depend on each other")
    signature = asked.signature
    needed = wanted(signature, asked.meta_graph)
    inputs = {alias: each.spec for alias, each in needed.items() if each.default is None}
    if not inputs:
        raise DoesNotApplyError("it has no inputs")
    for alias, spec in (*inputs.items(), *signature.outputs.items()):
        is_batch = spec.encoding is Encoding.DENSE and not spec.components and spec.shape
        if not is_batch or (spec.shape or (0,))[0] is not None:
            raise DoesNotApplyError(f"'{alias}' has no open first dimension")
