"""The fixture `savedmodel_call`: functions of one's own, inside releases."""

from __future__ import annotations

import pytest
from tests.pytest_runs import at_home, run_pytest

from savedmodel_compat.errors import UsageError
from savedmodel_compat.matrix.calls import sendable

PROGRAMS = """
import os
import numpy as np
import tensorflow as tf

def add(first, second):
    return {"sum": tf.add(first, second).numpy(), "release": tf.__version__, "process": np.int64(os.getpid())}

def broken():
    raise ValueError("nothing is right")

def killed():
    os.kill(os.getpid(), 9)

def listed():
    return [1]

def numbered():
    return {1: 2}

def told(**said):
    return {"said": repr(said)}
"""


@pytest.fixture
def repository(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A repository with programs of its own."""
    at_home(monkeypatch)
    pytester.makefile(".py", programs=PROGRAMS)
    return pytester


def run(pytester: pytest.Pytester, body: str, *args: str) -> pytest.RunResult:
    """Run one test with the fixture."""
    pytester.makepyfile(f"def test_it(savedmodel_call):\n    {body}\n")
    return run_pytest(pytester, *args)


@pytest.mark.parametrize("workers", [(), ("-n0",), ("-n2",)])
def test_answers(workers: tuple[str, ...], repository: pytest.Pytester) -> None:
    """Each release answers with arrays of its own, in a process of its own."""
    result = run(
        repository,
        """old, new = savedmodel_call("programs.py::add", on="2.11.1,2.21.0", first=[1, 2], second=3)
    assert (old.release, new.release) == ("2.11.1", "2.21.0")
    assert [a.arrays["release"].item() for a in (old, new)] == [b"2.11.1", b"2.21.0"]
    assert old.arrays["sum"].tolist() == [4, 5]
    assert old.failure is None
    assert old.arrays["process"] != new.arrays["process"]""",
        *workers,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        ("broken", "ValueError", "nothing is right"),
        ("killed", "Signal", "signal 9"),
        ("listed", "TypeError", "not a dict of arrays"),
        ("numbered", "TypeError", "a dict with the key 1, which is no string"),
    ],
)
def test_what_fails_is_told(
    function: str, kind: str, words: str, repository: pytest.Pytester
) -> None:
    """An exception or a death of the process is an answer, for the test to judge."""
    result = run(
        repository,
        f"""[said] = savedmodel_call("programs.py::{function}", on="2.11.1")
    assert said.failure.type == {kind!r}
    assert {words!r} in said.failure.text
    assert not said.arrays""",
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ('"absent.py::add", on="2.11.1"', "*there is no file*absent.py*"),
        ('"programs.py", on="2.11.1"', "*'programs.py' names no function*"),
        ('"programs.py::add", on="9.9"', "*9.9*"),
        ('"programs.py::absent", on="2.11.1"', "*programs.py: the file has no function 'absent'"),
        ('"programs.py::np", on="2.11.1"', "*programs.py: the file has no function 'np'"),
        ('"programs.py::told", on="2.11.1", of=(1, 2)', "*: of is of type tuple*"),
        (
            '"programs.py::told", on="2.11.1", of=[0, {"a": b"x"}]',
            "*: of[[]1[]][[]'a'[]] is of type bytes*",
        ),
        ('"programs.py::told", on="2.11.1", of={1: 2}', "*: a key of of, 1, is of type int*"),
        (
            '"programs.py::told", on="2.11.1", of=__import__("numpy").ones(1)',
            "*: of is of type numpy.ndarray*",
        ),
        (
            '"programs.py::told", on="2.11.1", of=__import__("numpy").float64(1)',
            "*: of is of type numpy.float64*",
        ),
    ],
)
def test_what_cannot_be_called(call: str, words: str, repository: pytest.Pytester) -> None:
    """A wrong name is an error that says what is wrong."""
    result = run(repository, f"savedmodel_call({call})")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([words])


def test_what_arguments_may_hold(repository: pytest.Pytester) -> None:
    """What JSON has arrives as it is, and a path as text."""
    result = run(
        repository,
        """from pathlib import Path
    said = {"none": None, "flag": True, "number": 0.1, "deep": [{"a": [1, "x"]}], "path": "/a/b"}
    [answer] = savedmodel_call("programs.py::told", on="2.11.1", **(said | {"path": Path("/a/b")}))
    assert answer.arrays["said"].item() == repr(said).encode()
    assert answer.arrays["said"].dtype == object""",
    )
    result.assert_outcomes(passed=1)


def test_an_argument_that_holds_itself() -> None:
    """It has no end, and is refused as all that JSON has not."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(UsageError, match="holds itself"):
        sendable({"of": endless})
