"""Tests of the checkers: what each accepts that is not equal, and the faults that each must find."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from savedmodel_compat.errors import UsageError
from savedmodel_compat.golden._elements import kind_of
from savedmodel_compat.golden.checkers import CHECKERS, Form
from savedmodel_compat.golden.compare import Difference, compare
from savedmodel_compat.golden.tolerances import Check, Policy

Array = np.ndarray[Any, Any]


def check(checker: str, *outputs: str, **options: Any) -> Policy:
    """Return a policy with one check."""
    one = Check(checker=checker, outputs=outputs, options=options, reason="a test")
    return Policy(checks=(one,))


def found(expected: Any, actual: Any, policy: Policy, **more: Any) -> tuple[Difference, ...]:
    """Compare outputs under a check."""
    return compare(expected, actual, policy, **more).differences


def only(expected: Any, actual: Any, policy: Policy) -> str:
    """Return the text of the one mismatch that there must be."""
    [difference] = found(expected, actual, policy)
    assert difference.cause == "output-mismatch"
    assert len(difference.text) <= 500
    return difference.text


SCORES = np.array([[0.1, 0.5, 0.5, 0.2], [0.7, 0.1, 0.1, 0.1]], np.float32)
ARGMAX = check("argmax", "class", of="scores")


def ranked(*classes: int, scores: Array = SCORES) -> dict[str, Array]:
    """Return scores and the classes chosen by them."""
    return {"scores": scores, "class": np.array(classes)}


def test_argmax_of_a_tie() -> None:
    """Either of two equal scores may be the largest; without the checker that is a mismatch."""
    assert not found(ranked(1, 0), ranked(2, 0), ARGMAX)
    assert found(ranked(1, 0), ranked(2, 0), Policy())


@pytest.mark.parametrize("wrong", [0, 3, 4, -1, -2])
def test_argmax_that_points_elsewhere(wrong: int) -> None:
    """An index of a smaller score, or of none, is told with place, index and score of both."""
    text = only(ranked(1, 0), ranked(wrong, 0), ARGMAX)
    assert "output 'class': 1 of 2 indices do not point at an extreme score of 'scores'" in text
    assert f"at [0] {wrong} (" in text
    assert "the reference has 1 (score 0.5)" in text


def test_argmax_within_tolerance() -> None:
    """A score that is as good as the largest is one of the largest; one that is further away is not."""
    near = SCORES.copy()
    near[0, 2] -= np.float32(1e-6)
    assert not found(ranked(1, 0, scores=near), ranked(2, 0, scores=near), ARGMAX)
    near[0, 2] -= np.float32(1e-3)
    assert only(ranked(1, 0, scores=near), ranked(2, 0, scores=near), ARGMAX)


def test_argmax_by_the_cell_s_own_scores() -> None:
    """Scores that agree within the tolerance may rank otherwise; the index follows them."""
    ours = SCORES.copy()
    ours[0, 0] = 0.5 + 1e-5
    theirs = SCORES.copy()
    theirs[0, 0] = 0.5 - 4e-6
    policy = Policy(rtol=1e-4, checks=ARGMAX.checks)
    assert not found(ranked(1, 0, scores=theirs), ranked(0, 0, scores=ours), policy)


def test_argmax_does_not_excuse_its_scores() -> None:
    """The scores are an output like any other."""
    [difference] = found(ranked(1, 0), ranked(1, 0, scores=SCORES * 2), ARGMAX)
    assert difference.output == "scores"


def test_argmax_along_another_axis() -> None:
    """The axis is one of the scores'."""
    policy = check("argmax", "class", of="scores", axis=0)
    scores = np.array([[1, 5], [3, 5], [3, 2]], np.int32)
    assert not found(ranked(1, 0, scores=scores), ranked(2, 1, scores=scores), policy)
    assert "at [0] 0 (score 1)" in only(
        ranked(1, 0, scores=scores), ranked(0, 0, scores=scores), policy
    )


def test_argmax_of_nan() -> None:
    """Among NaN nothing is the largest: the index is the reference's or wrong."""
    scores = np.array([[np.nan, 1, 1, 0], [1, 0, 0, 0]], np.float32)
    assert not found(ranked(1, 0, scores=scores), ranked(1, 0, scores=scores), ARGMAX)
    assert only(ranked(1, 0, scores=scores), ranked(2, 0, scores=scores), ARGMAX)


def test_argmin() -> None:
    """The smallest are found as the largest are."""
    policy = check("argmin", "class", of="scores")
    assert not found(ranked(0, 1), ranked(0, 3), policy)
    assert "(argmin, rtol" in only(ranked(0, 1), ranked(1, 1), policy)


TOP = check("top-k", "values", "indices", values="values", indices="indices")


def top(values: Any, indices: Any, dtype: Any = np.float32) -> dict[str, Array]:
    """Return what a top-k gives."""
    return {"values": np.array(values).astype(dtype), "indices": np.array(indices, np.int32)}


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.int32])
@pytest.mark.parametrize(
    ("values", "indices"),
    [
        ([[9, 5, 5, 2]], [[3, 4, 1, 0]]),
        ([[2, 5, 9, 5]], [[0, 1, 3, 4]]),
        ([[9, 5, 5, 2]], [[3, 1, 4, 7]]),
    ],
    ids=["a tie inside", "another order", "a tie for the last place"],
)
def test_top_k_that_is_as_good(values: Any, indices: Any, dtype: Any) -> None:
    """Ties change places, and what ties for the last place may be another element."""
    reference = top([[9, 5, 5, 2]], [[3, 1, 4, 0]], dtype)
    assert not found(reference, top(values, indices, dtype), TOP)


@pytest.mark.parametrize(
    ("values", "indices"),
    [
        ([[9, 5, 5, 1]], [[3, 1, 4, 0]]),
        ([[9, 5, 5, 2]], [[1, 3, 4, 0]]),
        ([[9, 5, 5, 2]], [[7, 1, 4, 0]]),
        ([[9, 5, 5, 2]], [[3, 1, 1, 0]]),
        ([[9, 9, 5, 2]], [[3, 1, 4, 0]]),
    ],
    ids=["a value", "swapped indices", "another index for the first", "twice", "a value twice"],
)
def test_top_k_that_is_wrong(values: Any, indices: Any) -> None:
    """Another value, an index at the wrong value, another index than a tie allows, an index twice."""
    reference = top([[9, 5, 5, 2], [4, 3, 2, 1]], [[3, 1, 4, 0], [0, 1, 2, 3]])
    fault = top([*values, [4, 3, 2, 1]], [*indices, [0, 1, 2, 3]])
    text = only(reference, fault, TOP)
    assert "outputs 'values' and 'indices': 1 of 2 rows are not the largest 4" in text
    assert "at [0] {" in text
    assert "the reference has {3: 9.0, 1: 5.0, 4: 5.0, 0: 2.0}" in text


def test_top_k_with_one_index_for_two() -> None:
    """Of two that tie for the last place neither stands for both."""
    text = only(top([[9, 2, 2]], [[3, 1, 0]]), top([[9, 2, 2]], [[3, 1, 1]]), TOP)
    assert "at [0] {3: 9.0, 1: 2.0, 1: 2.0}" in text


def symmetric(*eigenvalues: float) -> tuple[Array, Array]:
    """Return eigenvalues and eigenvectors of a random symmetric matrix."""
    size = len(eigenvalues)
    vectors, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((size, size)))
    return np.array(eigenvalues, np.float32), vectors.astype(np.float32)


VECTORS = check("eigenvectors", "v", values="e")


def test_eigenvectors_up_to_sign() -> None:
    """A column of the other sign is the same eigenvector."""
    values, vectors = symmetric(1, 2, 3, 4)
    signs = np.array([1, -1, -1, 1], np.float32)
    assert found({"v": vectors}, {"v": vectors * signs}, Policy())
    assert not found({"v": vectors}, {"v": vectors * signs}, check("eigenvectors", "v"))
    both = {"e": values, "v": vectors}
    assert not found(both, {"e": values, "v": vectors * signs}, VECTORS)


def test_eigenvectors_up_to_phase() -> None:
    """A complex column may be turned by any phase, and not be stretched."""
    policy = check("eigenvectors", "v")
    random = np.random.default_rng(1)
    vectors, _ = np.linalg.qr(random.standard_normal((3, 3)) + 1j * random.standard_normal((3, 3)))
    turned = vectors * np.exp(1j * np.array([0.3, 2, -1]))
    assert not found({"v": vectors}, {"v": turned}, policy)
    assert only({"v": vectors}, {"v": turned * 1.01}, policy)


def test_eigenvectors_of_one_eigenvalue() -> None:
    """Within the subspace of equal eigenvalues any basis is right, if the eigenvalues are known."""
    values, vectors = symmetric(1, 2, 2, 3)
    turn = np.eye(4, dtype=np.float32)
    turn[1:3, 1:3] = [[0.6, -0.8], [0.8, 0.6]]
    both = {"e": values, "v": vectors}
    assert not found(both, {"e": values, "v": vectors @ turn}, VECTORS)
    text = only({"v": vectors}, {"v": vectors @ turn}, check("eigenvectors", "v"))
    assert "output 'v': 2 of 4 eigenvectors" in text


@pytest.mark.parametrize("fault", ["swapped", "mixed", "twice", "zero", "nan", "noise"])
def test_eigenvectors_that_are_none(fault: str) -> None:
    """Columns in another order, of no eigenvalue, twice the same, none, NaN, or simply off are found."""
    values, vectors = symmetric(1, 2, 2, 3)
    wrong = vectors.copy()
    if fault == "swapped":
        wrong = wrong[:, [3, 1, 2, 0]]
    elif fault == "mixed":
        wrong[:, 0] = 0.6 * vectors[:, 0] + 0.8 * vectors[:, 1]
    elif fault == "twice":
        wrong[:, 1] = wrong[:, 2]
    elif fault == "zero":
        wrong[:, 0] = 0
    elif fault == "nan":
        wrong[2, 2] = np.nan
    else:
        wrong[1, 3] += 1e-3
    text = only({"e": values, "v": vectors}, {"e": values, "v": wrong}, VECTORS)
    assert (
        "of 3 eigenvectors, or groups of them with one eigenvalue, are others; first column" in text
    )


def test_eigenvectors_of_a_batch() -> None:
    """Each matrix of a batch is judged for itself, and the first that is off is named."""
    _, vectors = symmetric(1, 2, 3)
    batch = np.stack([vectors, vectors])
    other = batch * np.array([1, -1, 1], np.float32)
    assert not found({"v": batch}, {"v": other}, check("eigenvectors", "v"))
    other[1, 0, 2] += 1
    text = only({"v": batch}, {"v": other}, check("eigenvectors", "v"))
    assert "1 of 6 eigenvectors" in text
    assert "first column 2 of the matrix at [1]" in text


ROWS = check("unordered", "id", "name")


def table(*rows: tuple[float, bytes]) -> dict[str, Array]:
    """Return a table of two columns."""
    numbers, names = zip(*rows, strict=True)
    return {"id": np.array(numbers, np.float32), "name": np.array(names, object)}


def test_rows_in_any_order() -> None:
    """Rows of several outputs move together."""
    reference = table((1, b"a"), (2, b"b"), (2, b"a"))
    assert not found(reference, table((2, b"a"), (1, b"a"), (2, b"b")), ROWS)
    assert found(reference, table((2, b"a"), (1, b"a"), (2, b"b")), Policy())


@pytest.mark.parametrize(
    "rows",
    [
        [(2, b"a"), (1, b"b"), (2, b"b")],
        [(1, b"a"), (1, b"a"), (2, b"b")],
        [(1, b"a"), (2, b"b"), (3, b"a")],
        [(1, b"a"), (2, b"b"), (2, b"a\0")],
        [(1, b"a"), (2, b"b"), (np.nan, b"a")],
    ],
    ids=["columns moved apart", "a row twice", "a number", "a string", "NaN"],
)
def test_rows_that_are_not_there(rows: list[tuple[float, bytes]]) -> None:
    """A row without a counterpart is shown with all its outputs."""
    text = only(table((1, b"a"), (2, b"b"), (2, b"a")), table(*rows), ROWS)
    assert "rows of 'id', 'name': " in text
    assert "of 3 rows of the reference are not there in any order; first row " in text
    assert "'id' [" in text


def test_rows_within_tolerance_are_matched_at_best() -> None:
    """A row that could be two others leaves each to whom it is the only one."""
    policy = Policy(rtol=0, atol=1.0, checks=check("unordered", "y").checks)
    reference = {"y": np.array([[0.0, 5], [1.0, 0]], np.float32)}
    actual = {"y": np.array([[0.0, 0.5], [1.0, 4.5]], np.float32)}
    assert not found(reference, actual, policy)
    reference = {"y": np.array([0.0, 0.9, 1.8], np.float32)}
    actual = {"y": np.array([0.95, -0.1, 0.9], np.float32)}
    assert not found(reference, actual, policy)
    assert only(reference, {"y": np.array([0.95, 0.9, 5], np.float32)}, policy)


def test_many_rows_in_any_order() -> None:
    """Ten thousand rows with noise and in another order are matched, and one fault among them is found."""
    random = np.random.default_rng(0)
    rows = random.standard_normal((10_000, 3)).astype(np.float32)
    order = random.permutation(len(rows))
    other = (rows * (1 + random.uniform(-1e-6, 1e-6, rows.shape)))[order].astype(np.float32)
    policy = check("unordered", "y")
    assert not found({"y": rows}, {"y": other}, policy)
    other[77, 2] += 1
    assert (
        f"1 of 10000 rows of the reference are not there in any order; first row {order[77]}"
        in (only({"y": rows}, {"y": other}, policy))
    )


def test_shapes_and_types_of_checked_outputs_are_strict() -> None:
    """A checker never sees outputs that are not of the reference's shapes and types."""
    wrong = ranked(2, 0)
    wrong["class"] = wrong["class"].astype(np.float32)
    [difference] = found(ranked(1, 0), wrong, ARGMAX)
    assert difference.cause == "output-dtype-differs"
    [missing] = found(ranked(1, 0), {"scores": SCORES}, ARGMAX)
    assert missing.cause == "output-names-differ"


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (check("argmx", "class"), "there is no checker 'argmx'; known are argmax, argmin, top-k, "),
        (
            check("argmax", "klass", of="scores"),
            "names an output 'klass' that the reference has not",
        ),
        (check("argmax", "class", of="score"), "output 'score' that .* it has 'class', 'scores'"),
        (check("argmax", "class"), "needs the option 'of'; its options are of, axis"),
        (check("argmax", "class", of="scores", n=1), "has no option 'n'; its options are of, axis"),
        (check("argmax", "class", of=3), "option 'of' of checker 'argmax' is 3"),
        (check("unordered"), "is given no outputs"),
        (check("argmax", "class", of="scores", axis=0), "does not hold indices along axis 0"),
        (check("argmax", "class", of="scores", axis=7), "does not hold indices along axis 7"),
        (check("argmax", "scores", of="scores"), "does not hold indices"),
        (check("top-k", "class", values="scores", indices="class"), "does not hold the indices"),
        (check("top-k", "x", values="scores", indices="class"), "names an output 'x'"),
        (check("eigenvectors", "class"), "does not hold eigenvectors"),
        (check("eigenvectors", "scores", values="class"), "does not hold eigenvectors"),
    ],
)
def test_checks_that_cannot_be(policy: Policy, words: str) -> None:
    """A check of what is not there is refused by name, whatever the outputs are."""
    with pytest.raises(UsageError, match=words):
        compare(ranked(1, 0), ranked(1, 0), policy)


def test_rows_of_unequal_number() -> None:
    """Outputs that are to move together have as many rows as each other."""
    outputs = {"a": np.zeros(3), "b": np.zeros(2)}
    with pytest.raises(UsageError, match=r"is given 'a' \[3\], 'b' \[2\]"):
        compare(outputs, outputs, check("unordered", "a", "b"))


def test_a_checker_of_one_s_own() -> None:
    """A function that is handed over by name judges; what is built in cannot be replaced."""

    def even(expected: Any, actual: Any, policy: Policy, given: Check) -> Difference | None:
        off = [name for name in given.outputs if (actual[name] % 2).any()]
        return Difference(cause="output-mismatch", output=off[0], text="odd") if off else None

    policy = check("even", "y")
    expected, good, bad = ({"y": np.array([number])} for number in (2, 4, 5))
    assert not found(expected, good, policy, checkers={"even": even})
    assert found(expected, bad, policy, checkers={"even": even})[0].text == "odd"
    with pytest.raises(UsageError, match="built in"):
        compare(expected, good, policy, checkers={"argmax": even})
    with pytest.raises(UsageError, match="no checker 'FILE.py::function'"):
        compare(expected, good, check("FILE.py::function", "y"))


@pytest.mark.parametrize("name", list(CHECKERS))
def test_every_checker_says_what_it_accepts(name: str) -> None:
    """The registry has one line for each."""
    assert CHECKERS[name].text
    assert "\n" not in CHECKERS[name].text


@pytest.mark.parametrize("shape", [(0, 4), (2, 0)])
def test_checkers_of_nothing(shape: tuple[int, int]) -> None:
    """Outputs without elements agree with themselves."""
    empty = top(np.zeros(shape), np.zeros(shape))
    assert not found(empty, empty, TOP)
    assert not found(empty, empty, check("unordered", "values", "indices"))
    assert not found(empty, empty, check("eigenvectors", "values"))


def forms(arrays: dict[str, Array]) -> dict[str, Form]:
    """Return what a manifest knows of arrays."""
    return {
        name: Form(dtype=array.dtype.name, kind=kind_of(array.dtype), shape=array.shape)
        for name, array in arrays.items()
    }


SQUARE = np.eye(3, dtype=np.float32)
FIT: dict[str, tuple[Policy, dict[str, Array]]] = {
    "argmax": (ARGMAX, ranked(1, 0)),
    "argmax of an axis": (
        check("argmax", "class", of="scores", axis=-2),
        {"scores": SCORES, "class": np.zeros(4, np.int64)},
    ),
    "argmin": (check("argmin", "class", of="scores"), ranked(0, 1)),
    "top-k": (TOP, top([[3, 2]], [[0, 1]])),
    "top-k of scores": (
        check("top-k", "values", "indices", values="values", indices="indices", of="scores"),
        {**top([[3, 2]], [[0, 1]]), "scores": np.array([[3, 2, 1]], np.float32)},
    ),
    "eigenvectors": (check("eigenvectors", "v", values="w"), {"v": SQUARE, "w": np.ones(3)}),
    "eigenvectors alone": (check("eigenvectors", "v"), {"v": SQUARE}),
    "unordered": (check("unordered", "a", "b"), {"a": SQUARE, "b": np.arange(3)}),
}
UNFIT: dict[str, tuple[Policy, dict[str, Array]]] = {
    "argmax of floats": (check("argmax", "scores", of="scores"), {"scores": SCORES}),
    "argmax off the axes": (check("argmax", "class", of="scores", axis=2), ranked(1, 0)),
    "argmax of another shape": (ARGMAX, ranked(1, 0, 1)),
    "argmax of strings": (
        ARGMAX,
        {"scores": SCORES.astype("S").astype(object), "class": ranked(1, 0)["class"]},
    ),
    "top-k with float indices": (TOP, {"values": SCORES, "indices": SCORES}),
    "top-k of strings": (
        TOP,
        {"values": np.array([[b"a"]], object), "indices": np.array([[0]])},
    ),
    "top-k of other scores": (
        check("top-k", "values", "indices", values="values", indices="indices", of="scores"),
        {**top([[3, 2]], [[0, 1]]), "scores": np.array([3, 2], np.float32)},
    ),
    "top-k of another shape": (TOP, top([[3, 2]], [[0, 1, 2]])),
    "top-k of something else": (
        check("top-k", "other", values="values", indices="indices"),
        {**top([[3, 2]], [[0, 1]]), "other": SQUARE},
    ),
    "eigenvectors of integers": (check("eigenvectors", "v"), {"v": SQUARE.astype(np.int32)}),
    "eigenvectors of a vector": (check("eigenvectors", "v"), {"v": SQUARE[0]}),
    "eigenvectors with other values": (
        check("eigenvectors", "v", values="w"),
        {"v": SQUARE, "w": np.ones(2)},
    ),
    "rows of a scalar": (check("unordered", "a"), {"a": np.array(1)}),
    "rows of two numbers": (check("unordered", "a", "b"), {"a": SQUARE, "b": np.arange(2)}),
}


@pytest.mark.parametrize("case", FIT)
def test_what_a_manifest_may_say_can_be_judged(case: str) -> None:
    """Outputs whose types and shapes are said to fit are judged, and those of one answer agree."""
    policy, arrays = FIT[case]
    [one] = policy.checks
    assert CHECKERS[one.checker].unfit(one, forms(arrays)) is None
    assert not found(arrays, arrays, policy)


@pytest.mark.parametrize("case", UNFIT)
def test_what_cannot_be_judged_is_told_by_types_and_shapes(case: str) -> None:
    """Whatever a checker would refuse for every answer is known from the manifest alone, before anything runs."""
    policy, arrays = UNFIT[case]
    [one] = policy.checks
    assert CHECKERS[one.checker].unfit(one, forms(arrays))
    with pytest.raises(UsageError):
        found(arrays, arrays, policy)
