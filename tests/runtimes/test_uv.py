"""Tests of the seam to uv: pip's settings in its words, and what it is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import _uv


@pytest.fixture
def uv() -> Path:
    """Return the uv of this machine."""
    found = _uv.executable()
    if found is None:
        pytest.skip("uv is not installed")
    return found


def test_what_pip_is_told_uv_is_told() -> None:
    """Lists become an option each, and a switch becomes a switch."""
    settings = {
        "index-url": "https://one.example/simple",
        "find-links": "/wheels /more",
        "trusted-host": "one.example",
        "no-index": "true",
    }
    assert list(_uv.options(settings, {})) == [
        "--index-url=https://one.example/simple",
        "--find-links=/wheels",
        "--find-links=/more",
        "--allow-insecure-host=one.example",
        "--no-index",
    ]


def test_more_than_one_index_is_searched_as_pip_does() -> None:
    """Otherwise uv stops at the first index that knows the name."""
    settings = {"extra-index-url": "https://two.example/simple"}
    assert "--index-strategy=unsafe-best-match" in _uv.options(settings, {})
    assert "--index-strategy=unsafe-best-match" not in _uv.options(
        settings, {"UV_INDEX_STRATEGY": "first-index"}
    )


def test_a_switch_that_is_off_is_not_passed_on() -> None:
    """A variable that says 0 means no."""
    assert list(_uv.options({"no-index": "0"}, {})) == []


def test_what_uv_is_told_itself_is_kept() -> None:
    """A setting of uv's own takes precedence over pip's of that name."""
    settings = {"index-url": "https://one.example/simple", "find-links": "/wheels"}
    options = list(_uv.options(settings, {"UV_DEFAULT_INDEX": "https://mine.example/simple"}))
    assert options == ["--find-links=/wheels"]


def test_certificates_and_proxy_are_passed_on() -> None:
    """They are variables for uv, and what is set already is kept."""
    settings = {"cert": "/one.pem", "proxy": "http://proxy.example"}
    found = _uv.variables(settings, {"ALL_PROXY": "http://mine.example"})
    assert found["SSL_CERT_FILE"] == "/one.pem"
    assert found["ALL_PROXY"] == "http://mine.example"
    assert found["UV_SYSTEM_CERTS"] == "true"


def test_a_python_that_uv_has_not_is_none(uv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is downloaded by looking."""
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", "/nonexistent")
    assert _uv.managed_python(uv, "3.9") is None


def test_a_failure_of_uv_is_told_in_its_words(uv: Path, tmp_path: Path) -> None:
    """The command and uv's last lines are in the text."""
    with pytest.raises(InfrastructureError, match="`uv pip install` did not succeed"):
        _uv.install(uv, tmp_path / "no-python", ["six"], environment=dict(os.environ))
