"""Tests of the manifest: what it states of tensors, how it reads, and every edit that it refuses."""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from tests.golden import stored

from savedmodel_compat.errors import GoldenDamagedError, UsageError
from savedmodel_compat.golden._manifest_read import from_text, read
from savedmodel_compat.golden._manifest_text import text_of
from savedmodel_compat.golden._statistics import Statistics, statistics_of
from savedmodel_compat.golden.manifest import Event, Manifest, describe
from savedmodel_compat.golden.tensorfile import stored as kept
from savedmodel_compat.golden.tolerances import Check, Override

HERE = Path("golden/manifest.json")
CHECK = Check(checker="argmax", outputs=("y",), options={"of": "scores"}, reason="ties")
FACTS = (
    describe(
        "typical",
        [
            kept("inputs", "x", np.array([1, math.nan, -3, math.inf], np.float32)),
            kept("inputs", "text", np.array([b"a"], dtype=object)),
            kept("outputs", "y", np.array([[2**63 - 1, -5]], np.int64)),
            kept("outputs", "scores", np.zeros((1, 2, 0), np.float64)),
        ],
        why="one of each",
    ),
)


def a_manifest(**said: Any) -> Manifest:
    """Return a manifest with something in every key."""
    fields: dict[str, Any] = {
        "data_sets": FACTS,
        "overrides": (stored.OVERRIDE, Override(ulp=4, reason="sums")),
        "checks": (CHECK,),
        "history": (
            Event(date="2026-02-28", what="recorded", reason="", by="2.11.1 venv v2 cpu"),
            Event(date="2026-03-01", what="accepted", reason="a bug was mended", by="2.12.1"),
        ),
    }
    return stored.manifest_of(stored.key(), **{**fields, **said})


def problem(document: Any) -> str:
    """Return what is said of a document that is no manifest."""
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(GoldenDamagedError) as raised:
        from_text(text, HERE)
    assert raised.value.message.startswith(f"{HERE}: ")
    return raised.value.problem


def test_a_manifest_is_read_as_it_was_written() -> None:
    """Every key survives, and its text is the same when it is written again."""
    text = text_of(a_manifest())
    found = from_text(text, HERE)

    assert found == a_manifest()
    assert text_of(found) == text


def test_the_text_is_for_people() -> None:
    """Who, from what, where, which tensors, how compared and what happened since; a tensor takes three lines."""
    text = text_of(a_manifest())

    assert text.endswith("\n ]\n}\n")
    assert list(json.loads(text)) == [
        "schema",
        "model",
        "tags",
        "signature",
        "producer",
        "recorded_by",
        "source",
        "surroundings",
        "data_sets",
        "tolerances",
        "checkers",
        "history",
    ]
    assert max(map(len, text.splitlines())) <= 110
    lines = [line.strip() for line in text.splitlines()]
    at = lines.index('{"alias": "y", "dtype": "int64", "shape": [1, 2],')
    assert lines[at + 1].startswith('"sha256": "')
    assert lines[at + 2] == (
        '"least": -5, "most": 9223372036854775807, "mean": 4.611686018427388e+18, "nans": 0, "infinities": 0}'
    )


def test_the_text_is_json_without_nan() -> None:
    """A strict reader of JSON takes it, whatever the tensors hold."""
    facts = describe("odd", [kept("outputs", "y", np.array([math.nan, math.inf], np.float32))])
    text = text_of(a_manifest(data_sets=(facts,), overrides=(), checks=()))

    def refuse(name: str) -> None:
        pytest.fail(name)

    json.loads(text, parse_constant=refuse)
    assert '"least": null, "most": null, "mean": null, "nans": 1, "infinities": 1' in text


def test_surroundings_are_kept_with_their_keys_sorted() -> None:
    """Two machines that say the same in another order make the same text."""
    one = text_of(a_manifest(surroundings={"b": {"d": [1, None], "c": "x"}, "a": True}))
    other = text_of(a_manifest(surroundings={"a": True, "b": {"c": "x", "d": (1, None)}}))
    assert one == other
    assert list(json.loads(one)["surroundings"]) == ["a", "b"]


@pytest.mark.parametrize(
    "surroundings", [{"a": math.nan}, {"a": -math.inf}, {"a": {1, 2}}, {1: "a"}, {"a": b"b"}]
)
def test_surroundings_are_plain_json(surroundings: Any) -> None:
    """What JSON has not is refused before anything is written."""
    with pytest.raises(UsageError, match="a manifest holds plain JSON only"):
        text_of(a_manifest(surroundings=surroundings))


def test_a_long_list_is_filled_into_lines() -> None:
    """Fifty features of a processor take a few lines, none of them too long, and come back."""
    features = [f"feature_{index}" for index in range(50)]
    text = text_of(a_manifest(surroundings={"features": features}))
    assert from_text(text, HERE).surroundings == {"features": features}
    assert sum('"feature_' in line for line in text.splitlines()) < 12


def test_what_a_terminal_would_hide_is_escaped() -> None:
    """A name that turns the direction of writing, or that no UTF-8 holds, is readable and comes back."""
    manifest = a_manifest(model="a\u202eb\ud800é")
    text = text_of(manifest)
    assert '"a\\u202eb\\ud800\\u00e9"' in text
    assert from_text(text, HERE).model == manifest.model


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.array([1, 2, 6], np.uint8), (1, 6, 3.0, 0, 0)),
        (np.array([-(2**63), 2**63 - 1], np.int64), (-(2**63), 2**63 - 1, 0.0, 0, 0)),
        (np.array([2**64 - 1], np.uint64), (2**64 - 1, 2**64 - 1, 2.0**64, 0, 0)),
        (np.array([-8, 7], ml_dtypes.int4), (-8, 7, -0.5, 0, 0)),
        (np.array([1.5, math.nan, -2.5], np.float16), (-2.5, 1.5, -0.5, 1, 0)),
        (np.array([1.5, math.inf, -math.inf], ml_dtypes.bfloat16), (1.5, 1.5, 1.5, 0, 2)),
        (np.array([math.nan, 2], ml_dtypes.float8_e4m3fn), (2.0, 2.0, 2.0, 1, 0)),
        (np.array([1e308, 1e308, -1e308], np.float64), (-1e308, 1e308, 1e308 / 3, 0, 0)),
        (np.full(9, np.finfo(np.float64).max), (np.finfo(np.float64).max,) * 3 + (0, 0)),
        (np.array([math.nan], np.float32), (None, None, None, 1, 0)),
        (np.zeros((3, 0), np.float32), (None, None, None, 0, 0)),
        (np.array([1 + 1j, complex(math.nan, 1), complex(math.inf, 0)]), (None, None, None, 1, 1)),
        (np.array([True, False]), (None, None, None, 0, 0)),
        (np.array([b"a"], dtype=object), (None, None, None, 0, 0)),
        (np.array(7.0, np.float32), (7.0, 7.0, 7.0, 0, 0)),
    ],
)
def test_range_and_mean(array: Any, expected: tuple[Any, ...]) -> None:
    """Of finite elements only, integers exactly, without a warning; none where there is no order."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = statistics_of(array, "string" if array.dtype == object else array.dtype.name)
    least, most, mean, nans, infinities = expected
    assert (found.least, found.most, found.nans, found.infinities) == (
        least,
        most,
        nans,
        infinities,
    )
    assert found.mean == (None if mean is None else pytest.approx(mean, rel=1e-12))


def test_a_quantised_integer_is_an_integer() -> None:
    """What the array holds is what counts; the type's name says that it is whole."""
    assert statistics_of(np.array([-1, 3], np.int8), "qint8") == Statistics(
        least=-1, most=3, mean=1.0
    )


def test_the_mean_of_many() -> None:
    """A million halves have the mean that float64 gives them, not the one that float16 would."""
    many = np.full(1 << 20, 0.1, np.float16)
    assert statistics_of(many, "float16").mean == float(np.float16(0.1))


def test_the_digest_is_of_the_stored_bytes() -> None:
    """Anyone with sha256sum can check a tensor."""
    [fact] = describe("a", [kept("outputs", "y", np.array([1, 2], ">i2"))]).outputs
    assert fact.sha256 == hashlib.sha256(b"\1\0\2\0").hexdigest()


def test_the_digest_of_a_manifest_is_of_its_tensors() -> None:
    """Tolerances, history and the order of data sets leave it; a type or a name does not."""
    one = a_manifest()
    assert replace(one, overrides=(), history=(), producer=None).digest == one.digest
    twice = (*FACTS, replace(FACTS[0], name="batch"))
    assert replace(one, data_sets=twice).digest == replace(one, data_sets=twice[::-1]).digest
    changes: dict[str, Any] = {"dtype": "uint64", "shape": (2,), "alias": "z", "sha256": "0" * 64}
    for field, value in changes.items():
        changing: dict[str, Any] = {field: value}
        output = replace(FACTS[0].outputs[1], **changing)
        changed = replace(FACTS[0], outputs=(FACTS[0].outputs[0], output))
        assert replace(one, data_sets=(changed,)).digest != one.digest, field


def _set(*path: Any) -> Callable[[Any], None]:
    """Return what sets a value in a document: keys, then the value."""

    def change(document: Any) -> None:
        *way, last, value = path
        for step in way:
            document = document[step]
        document[last] = value

    return change


def _drop(*path: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *way, last = path
        for step in way:
            document = document[step]
        del document[last]

    return change


OUTPUT = ("data_sets", 0, "outputs", 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("schema", 2), "schema is 2, and known here is 1"),
        (_set("schema", True), "schema is true instead of a whole number"),
        (_drop("model"), "the document has no 'model'"),
        (
            _set("models", 1),
            "the document has a key 'models', which means nothing here; did you mean 'model'?",
        ),
        (_set("tags", "serve"), 'tags is "serve" instead of a list'),
        (_set("tags", [1]), "tags[0] is 1 instead of a text"),
        (_set("producer", 2.11), "producer is 2.11 instead of a text"),
        (_set("source", "kind", "file"), "source.kind is 'file'; known are exporter, model"),
        (_set("source", "sha256", "abc"), "source.sha256 is 'abc', which is no SHA-256"),
        (_set("source", "seed", 1.5), "source.seed is 1.5 instead of a whole number"),
        (_set("source", None), "source is null instead of an object"),
        (_set("surroundings", []), "surroundings is a list instead of an object"),
        (_set("data_sets", []), "data_sets is empty: there is nothing to compare"),
        (
            _set("data_sets", 0, "outputs", []),
            "data_sets[0].outputs is empty: there is nothing to compare",
        ),
        (_set("data_sets", 0, "name", ""), "data_sets[0].name is empty"),
        (_drop("data_sets", 0, "why"), "data_sets[0] has no 'why'"),
        (_set(*OUTPUT, "alias", "scores"), "data_sets[0].outputs names 'scores' twice"),
        (
            _set(*OUTPUT, "shape", [1, -2]),
            "data_sets[0].outputs[1].shape[1] is -2, which is negative",
        ),
        (_set(*OUTPUT, "shape", [1.0]), "data_sets[0].outputs[1].shape[0] is 1.0 instead of"),
        (
            _set(*OUTPUT, "dtype", "float33"),
            "data_sets[0].outputs[1].dtype is none: 'float33' is not",
        ),
        (
            _set(*OUTPUT, "dtype", "variant"),
            "outputs[1].dtype is variant, as which no tensor is kept",
        ),
        (_set(*OUTPUT, "dtype", "float"), "outputs[1].dtype is float, as which no tensor is kept"),
        (_set(*OUTPUT, "sha256", "A" * 64), "outputs[1].sha256 is 'AAAA"),
        (_set(*OUTPUT, "least", "0"), 'outputs[1].least is "0" instead of a number'),
        (_set(*OUTPUT, "nans", -1), "outputs[1].nans is -1, which is negative"),
        (_drop(*OUTPUT, "mean"), "data_sets[0].outputs[1] has no 'mean'"),
        (
            _set("tolerances", 0, "rtoll", 1),
            "tolerances[0] has a key 'rtoll', which means nothing here; did you mean 'rtol'?",
        ),
        (_set("tolerances", 0, "scaled", True), "tolerances[0] has a key 'scaled'"),
        (_set("tolerances", 0, "output", "z"), "tolerances[0].output is 'z'; known are scores, y"),
        (
            _set("tolerances", 0, "device", "GPU"),
            "tolerances[0].device is 'GPU'; known are cpu, gpu, cpu-onednn",
        ),
        (_set("tolerances", 0, "rtol", -1), "tolerances[0] says rtol -1 is no tolerance"),
        (_set("tolerances", 0, "rtol", "1e-3"), 'tolerances[0].rtol is "1e-3" instead of a number'),
        (_set("tolerances", 0, "rtol", None), "tolerances[0].rtol is null instead of a number"),
        (_set("tolerances", 0, "share", 1.5), "tolerances[0] says share 1.5 is no tolerance"),
        (_set("tolerances", 1, "ulp", 1.5), "tolerances[1].ulp is 1.5 instead of a whole number"),
        (_set("tolerances", 1, "ulp", True), "tolerances[1].ulp is true instead of a number"),
        (_drop("tolerances", 1, "ulp"), "tolerances[1] says none of rtol, atol, ulp, share"),
        (_drop("tolerances", 0, "reason"), "tolerances[0] has no 'reason'"),
        (_set("tolerances", 0, "reason", " "), "tolerances[0].reason is empty: say why"),
        (_set("checkers", 0, "reason", ""), "checkers[0].reason is empty: say why"),
        (_drop("checkers", 0, "reason"), "checkers[0] has no 'reason'"),
        (_set("checkers", 0, "checker", ""), "checkers[0].checker is empty"),
        (_set("checkers", 0, "outputs", []), "checkers[0].outputs is empty"),
        (
            _set("checkers", 0, "outputs", ["z"]),
            "checkers[0].outputs[0] is 'z'; known are scores, y",
        ),
        (_set("checkers", 0, "outputs", ["y", "y"]), "checkers[0].outputs names 'y' twice"),
        (_set("checkers", 0, "options", []), "checkers[0].options is a list instead of an object"),
        (_set("checkers", 0, "option", {}), "did you mean 'options'?"),
        (
            _set("checkers", 0, "checker", "argmaxx"),
            "checkers[0].checker is 'argmaxx'; known are argmax, argmin, top-k",
        ),
        (_set("checkers", 0, "options", {}), "checkers[0].options has no 'of'"),
        (_drop("checkers", 0, "options"), "checkers[0].options has no 'of'"),
        (
            _set("checkers", 0, "options", "of", "score"),
            "checkers[0].options.of is 'score'; known are scores, y",
        ),
        (
            _set("checkers", 0, "options", "of", 3),
            "checkers[0].options.of is 3 instead of a text",
        ),
        (
            _set("checkers", 0, "options", "axes", 1),
            "checkers[0].options has a key 'axes', which means nothing here; did you mean 'axis'?",
        ),
        (
            _set("checkers", 0, "options", "axis", "1"),
            'checkers[0].options.axis is "1" instead of a whole number',
        ),
        (
            _set("checkers", 0, "options", "axis", 7),
            "cannot judge data set 'typical' with 'argmax': 'scores' (float64 [1, 2, 0]) has no axis 7",
        ),
        (
            _set("checkers", 0, "outputs", ["scores"]),
            "cannot judge data set 'typical' with 'argmax': 'scores' (float64 [1, 2, 0]) holds no indices",
        ),
        (
            _set("checkers", 0, "checker", "unordered"),
            "checkers[0].options has a key 'of', and this checker has no options",
        ),
        (
            _set("checkers", 0, "checker", "top-k"),
            "checkers[0].options has no 'values'",
        ),
        (
            _set("history", 0, "date", "2026-02-30"),
            "history[0].date is '2026-02-30', which is no date",
        ),
        (
            _set("history", 0, "date", "28.2.2026"),
            "history[0].date is '28.2.2026', which is no date such as",
        ),
        (
            _set("history", 0, "what", "made"),
            "history[0].what is 'made'; known are recorded, accepted",
        ),
        (_set("history", 1, "reason", ""), "history[1].reason is empty: say why"),
    ],
)
def test_an_edit_that_makes_no_manifest(change: Callable[[Any], None], said: str) -> None:
    """Every mistake is refused, with the key that it is in."""
    document = json.loads(text_of(a_manifest()))
    change(document)
    assert said in problem(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON"),
        ("{", "it is no JSON"),
        ("[]", "the document is a list instead of an object"),
        ('{"schema": NaN}', "NaN is no number of JSON"),
        ('{"schema": -Infinity}', "-Infinity is no number of JSON"),
        ('{"schema": 1, "schema": 1}', "the key 'schema' stands twice in one object"),
        ('{"a":' * 100_000, "it is nested too deeply"),
        ('{"schema": ' + "1" * 5000 + "}", "a number of 5000 digits"),
    ],
)
def test_a_text_that_is_no_document(text: str, said: str) -> None:
    """What is no JSON, or more than JSON, is damage and no other exception."""
    assert said in problem(text)


def test_a_number_too_large_for_any_tolerance() -> None:
    """A number that a float cannot hold is refused where it stands, also in what is free."""
    text = text_of(a_manifest())
    assert "tolerances[0].rtol is too large" in problem(
        text.replace('"rtol": 0.001', '"rtol": 1e999')
    )
    assert "surroundings.threads.inter is too large" in problem(
        text.replace('"inter": 2', '"inter": 1e999')
    )


def test_what_may_be_edited() -> None:
    """Tolerances, checkers and reasons may be added, changed and removed."""
    document = json.loads(text_of(a_manifest()))
    document["tolerances"] = [{"device": "cpu-xla", "share": 0.5, "ulp": 3, "reason": "fused"}]
    document["checkers"] = [{"checker": "unordered", "outputs": ["y", "scores"], "reason": "a set"}]
    found = from_text(json.dumps(document), HERE)

    assert found.overrides == (Override(device="cpu-xla", share=0.5, ulp=3, reason="fused"),)
    assert found.checks == (Check(checker="unordered", outputs=("y", "scores"), reason="a set"),)


def test_the_files_that_are_none(tmp_path: Path) -> None:
    """A manifest that is missing, no file, or no text is damage of that path."""
    path = tmp_path / "manifest.json"
    with pytest.raises(GoldenDamagedError, match="it is missing"):
        read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(GoldenDamagedError, match="it is no UTF-8"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(GoldenDamagedError, match="it is a folder") as raised:
        read(path)
    assert raised.value.path == path
