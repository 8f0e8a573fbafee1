"""Tests of the doctor: each check with the machine that it is there to find out."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from savedmodel_compat.cache import VARIABLE
from savedmodel_compat.runtimes import _uv, doctor, pins
from savedmodel_compat.runtimes.doctor import Check, Verdict

pytestmark = pytest.mark.usefixtures("fresh_interpreters")


def checks(table: pins.PinTable | None = None) -> dict[str, Check]:
    """Return the checks by name."""
    return {check.name: check for check in doctor.examine(table or pins.load())}


def test_this_machine_is_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every subject has a check, and this interpreter is found."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "not" / "yet"))
    found = checks()
    own = f"CPython {sys.version_info.major}.{sys.version_info.minor}"
    assert {"platform", "python", "cache", "pip", "uv", "docker", "CPython 3.6"} <= set(found)
    assert found["python"].verdict is Verdict.OK
    assert found["pip"].verdict is Verdict.OK
    assert found[own].verdict is Verdict.OK
    assert str(tmp_path) in found["cache"].what


def test_a_bad_verdict_has_a_hint_or_names_what_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a bare machine the interpreters are missing, with the releases that need them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setattr(_uv, "executable", lambda: None)
    found = checks()
    assert found["CPython 3.6"].verdict is Verdict.WARN
    assert "1.4.1, 1.7.1, 1.12.3" in found["CPython 3.6"].what
    assert "pyenv install 3.6" in str(found["CPython 3.6"].hint)
    assert found["uv"].verdict is Verdict.WARN


def test_another_system_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What works there is said."""
    monkeypatch.setattr(sys, "platform", "darwin")
    check = checks()["platform"]
    assert check.verdict is Verdict.FAIL
    assert "Linux" in check.what
    assert "`check`" in str(check.hint)


def test_a_machine_without_some_wheels_is_warned() -> None:
    """The releases that it goes without are named."""
    check = checks(pins.load(machine="aarch64"))["platform"]
    assert check.verdict is Verdict.WARN
    assert "1.15.5" in check.what
    assert "2.21.0" not in check.what


@pytest.mark.parametrize(
    ("free", "verdict"), [(10**12, Verdict.OK), (5 * 10**9, Verdict.WARN), (10**8, Verdict.FAIL)]
)
def test_a_disk_is_judged_by_what_is_free(
    free: int, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release takes up to some gigabytes."""

    class Usage:
        def __init__(self, _: object) -> None:
            self.free = free

    monkeypatch.setattr(shutil, "disk_usage", Usage)
    check = checks()["cache"]
    assert check.verdict is verdict
    assert (check.hint is None) == (verdict is Verdict.OK)


def test_a_cache_under_a_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that cannot become a folder fails before any download."""
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv(VARIABLE, str(file / "cache"))
    assert checks()["cache"].verdict is Verdict.FAIL


def test_an_engine_that_does_not_answer_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named by its address, with what to do; nothing else needs it."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    check = checks()["docker"]
    assert check.verdict is Verdict.WARN
    assert f"unix://{tmp_path}/docker.sock does not answer" in check.what
    assert "only provider docker needs it" in check.what
    assert check.hint is not None
    assert "--provider wheel" in check.hint
