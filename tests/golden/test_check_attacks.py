"""Tests of answers that are made to pass a checker and are wrong, and of right ones that must not break it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden._check_ranks import top_k
from savedmodel_compat.golden.compare import Difference, compare
from savedmodel_compat.golden.tolerances import Check, Override, Policy

Array = np.ndarray[Any, Any]


def check(checker: str, *outputs: str, **options: Any) -> Check:
    """Return a check with a reason."""
    return Check(checker=checker, outputs=outputs, options=options, reason="a test")


def agrees(expected: Any, actual: Any, one: Check, *overrides: Override) -> bool:
    """Tell whether outputs agree under a check."""
    policy = Policy(checks=(one,), overrides=overrides)
    return not compare(expected, actual, policy).differences


TOP = check("top-k", "values", "indices", values="values", indices="indices")
SCORED = check("top-k", "values", "indices", values="values", indices="indices", of="scores")


def top(values: Any, indices: Any, dtype: Any = np.float32, **more: Any) -> dict[str, Array]:
    """Return what a top-k gives."""
    arrays = {"values": np.array(values, dtype), "indices": np.array(indices, np.int32)}
    return arrays | {name: np.array(value, dtype) for name, value in more.items()}


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (top([0.9], [3]), top([0.9], [-7])),
        (top([0.9, 0.5, 0.5], [3, 1, 2]), top([0.9, 0.5, 0.5], [3, 10**9, -1])),
        (top([[9.0], [8.0]], [[3], [1]]), top([[9.0], [8.0]], [[3], [-1]])),
    ],
    ids=["the only one", "a tie for the last place", "of a batch"],
)
def test_a_negative_index_is_none(expected: Any, actual: Any) -> None:
    """Whatever ties for the last place has an index, and no index is negative."""
    assert not agrees(expected, actual, TOP)
    assert agrees(expected, expected, TOP)


def test_rows_that_are_filled_up_with_negative_indices() -> None:
    """Where the reference itself has -1 the cell has it, too, and ties beside it still change places."""
    expected = top([9, 5, 5, 0], [3, 1, 2, -1])
    assert agrees(expected, top([9, 5, 5, 0], [3, 2, 1, -1]), TOP)
    assert not agrees(expected, top([9, 5, 5, 0], [3, 2, 1, -2]), TOP)


def test_an_index_that_is_told_by_its_value() -> None:
    """A value that is not the last has one index, the reference's."""
    assert not agrees(top([9, 5, 2], [3, 1, 0]), top([9, 5, 2], [3, 7, 0]), TOP)
    assert agrees(top([9, 5, 2], [3, 1, 0]), top([9, 5, 2], [3, 1, 7]), TOP)


def judged(expected: Any, actual: Any, *, rtol: float | None = None) -> Difference | None:
    """Return what a top-k that knows the scores says."""
    return top_k(expected, actual, Policy(rtol=rtol), SCORED)


SCORES = [0.1, 0.9, 0.5, 0.9]


@pytest.mark.parametrize(
    ("index", "is_right"), [(1, True), (3, True), (0, False), (2, False), (4, False), (-1, False)]
)
def test_top_k_that_knows_the_scores(index: int, is_right: bool) -> None:
    """Each index has to be in range and point at its value, also where k is 1."""
    expected = top([0.9], [1], scores=SCORES)
    said = judged(expected, top([0.9], [index], scores=SCORES))
    assert (said is None) == is_right
    if said is not None:
        assert f"at [] {{{index}: " in said.text
        assert "the reference has {1: " in said.text


def test_top_k_is_told_of_its_scores_by_an_option() -> None:
    """A manifest names the scores; what they say is judged beside them."""
    expected = top([0.9], [1], scores=SCORES)
    assert agrees(expected, top([0.9], [3], scores=SCORES), SCORED)
    assert not agrees(expected, top([0.9], [2], scores=SCORES), SCORED)
    assert agrees(expected, top([0.9], [2], scores=SCORES), TOP)


def test_top_k_of_a_batch_that_knows_the_scores() -> None:
    """Each row has scores of its own, and the row that is off is told."""
    expected = top([[[9], [8]]], [[[1], [0]]], np.int32, scores=[[[7, 9, 9], [8, 8, 9]]])
    assert (
        judged(expected, top([[[9], [8]]], [[[2], [1]]], np.int32, scores=expected["scores"]))
        is None
    )
    said = judged(expected, top([[[9], [8]]], [[[2], [2]]], np.int32, scores=expected["scores"]))
    assert said is not None
    assert "1 of 2 rows" in said.text
    assert "at [0, 1] {2: 8}, the reference has {0: 8}" in said.text
    nothing = top(np.zeros((0, 1)), np.zeros((0, 1)), scores=np.zeros((0, 3)))
    assert judged(nothing, nothing) is None


def test_top_k_that_follows_scores_which_are_wrong() -> None:
    """Two that nearly tie change places; one that is large in the cell's scores only is not among the largest."""
    expected = top([1.0], [0], np.float64, scores=[1.0, 0.9999994, 0.2])
    near = top([1.0000008], [1], np.float64, scores=[1.0, 1.0000008, 0.2])
    assert judged(expected, near, rtol=1.5e-6) is None
    far = top([1.0], [2], np.float64, scores=[1.0, 0.9999994, 1.0])
    assert judged(expected, far, rtol=1.5e-6) is not None


@pytest.mark.parametrize(
    "scores", [np.zeros(3, np.float64), np.zeros((1, 3), np.float32), np.array(0, np.float32)]
)
def test_scores_of_another_top_k(scores: Array) -> None:
    """Scores of another type, or other rows, are refused by name."""
    outputs = top([0.9], [1]) | {"scores": scores}
    with pytest.raises(UsageError, match="output 'scores' .* does not hold the scores"):
        judged(outputs, outputs)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [([1j], [2j]), ([b"a"], [b"b"]), ([True], [False])],
    ids=["complex", "strings", "bools"],
)
def test_values_without_an_order(theirs: list[Any], ours: list[Any]) -> None:
    """Of what is neither a float nor an integer nothing is the largest: the check is refused."""
    kind = object if isinstance(theirs[0], bytes) else None
    sides = [
        {"values": np.array(values, kind), "indices": np.array([0])} for values in (theirs, ours)
    ]
    with pytest.raises(UsageError, match="output 'values' .* neither floats nor integers"):
        agrees(sides[0], sides[1], TOP)


ARGMAX = check("argmax", "p", of="s")


def ranked(scores: Any, index: Any) -> dict[str, Array]:
    """Return scores and the index chosen by them."""
    return {"s": np.array(scores, np.float32), "p": np.array(index)}


@pytest.mark.parametrize("checker", ["argmax", "argmin"])
def test_scores_of_no_batch(checker: str) -> None:
    """The index of one row of scores is a scalar."""
    one = check(checker, "p", of="s")
    best, worst = (1, 0) if checker == "argmax" else (0, 1)
    assert agrees(ranked([1, 5, 5], best), ranked([1, 5, 5], best), one)
    assert not agrees(ranked([1, 5, 5], best), ranked([1, 5, 5], worst), one)
    assert agrees(ranked([1, 5, 5], 1), ranked([1, 5, 5], 2), ARGMAX)


@pytest.mark.parametrize(
    ("scores", "index"), [([9, 5, 2], 0), ([1, 0, 2], 2), ([1, 5, 5], 2)], ids=["up", "down", "tie"]
)
def test_a_share_of_the_scores_excuses_no_index(scores: list[float], index: int) -> None:
    """Scores that only a share lets pass speak for no index: neither the one that is up nor the one that is left."""
    share = Override(output="s", share=1.0, reason="a test")
    expected = ranked([1, 5, 2], 1)
    assert agrees(expected, ranked(scores, 1), ARGMAX, share)
    assert not agrees(expected, ranked(scores, index), ARGMAX, share)


VECTORS = check("eigenvectors", "v", values="w")


def turned(degrees: float, dtype: Any = np.float64) -> dict[str, Array]:
    """Return eigenvalues 1, 1, 2 whose second vector stands at an angle to the first."""
    angle = np.radians(degrees)
    vectors = np.eye(3)
    vectors[:2, 1] = np.cos(angle), np.sin(angle)
    return {"w": np.array([1, 1, 2], dtype), "v": vectors.astype(dtype)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("degrees", [45, 60, 89, 89.9])
def test_vectors_of_one_eigenvalue_that_are_not_orthogonal(degrees: float, dtype: Any) -> None:
    """Two that lie in the right plane are no basis like the reference's unless they stand upright."""
    expected = turned(90, dtype)
    assert not agrees(expected, turned(degrees, dtype), VECTORS)
    assert agrees(expected, turned(-90, dtype), VECTORS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("size", [2, 8, 64])
def test_any_orthonormal_basis_is_right(size: int, dtype: Any) -> None:
    """What a solver of the same precision gives for equal eigenvalues passes, whatever its rounding."""
    random = np.random.default_rng(size)
    bases = []
    for _ in range(2):
        noise = random.standard_normal((size, size)) + 0j
        if np.issubdtype(dtype, np.complexfloating):
            noise += 1j * random.standard_normal((size, size))
        bases.append(np.linalg.qr(noise.astype(dtype) if noise.imag.any() else noise.real)[0])
    values = np.ones(size, dtype)
    sides = [{"w": values, "v": basis.astype(dtype)} for basis in bases]
    assert agrees(sides[0], sides[1], VECTORS)


def test_a_basis_that_is_not_orthonormal_itself() -> None:
    """Of a matrix that is not symmetric the reference need not be, so that the cell need not be."""
    assert agrees(turned(60), turned(70), VECTORS)
    assert not agrees(turned(60), turned(5), VECTORS)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("scale", [1e200, 1e-200, 1.0])
@pytest.mark.parametrize("values", [None, [2, 3], [2, 2]])
def test_vectors_of_any_length(values: list[float] | None, scale: float, sign: int) -> None:
    """Columns whose squares are no numbers are turned like any other, and told apart."""
    vectors = np.array([[1, scale], [scale, 1]])
    outputs = {"v": vectors} if values is None else {"v": vectors, "w": np.array(values, float)}
    one = check("eigenvectors", "v") if values is None else VECTORS
    if scale == 1.0 and values == [2, 2]:
        outputs["v"] = vectors = np.eye(2)
    assert agrees(outputs, outputs | {"v": sign * vectors}, one)
    if values != [2, 2]:
        assert not agrees(outputs, outputs | {"v": vectors * [1, 1.01]}, one)
