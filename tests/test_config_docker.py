"""What pyproject.toml and the environment say of containers."""

from __future__ import annotations

from pathlib import Path

import pytest

from savedmodel_compat import config
from savedmodel_compat.config import Docker
from savedmodel_compat.errors import ConfigurationError
from savedmodel_compat.runtimes import docker, pins

WHOLE = """
[tool.savedmodel-compat.docker]
native-base = "registry.example.com/small:1"
python-base = "registry.example.com/python:{python}"
image = "registry.example.com/tf:{release}"
gpu-image = "registry.example.com/tf:{release}-gpu"
memory = 2048
processors = 1.5
processes = 100
scratch = 64
"""


def read(tmp_path: Path, text: str) -> Docker:
    """The settings of a pyproject.toml."""
    path = tmp_path / "pyproject.toml"
    path.write_text(text)
    return config.read(path).docker


def test_every_setting(tmp_path: Path) -> None:
    """Each key of the table becomes the field of its name."""
    assert read(tmp_path, WHOLE) == Docker(
        native_base="registry.example.com/small:1",
        python_base="registry.example.com/python:{python}",
        image="registry.example.com/tf:{release}",
        gpu_image="registry.example.com/tf:{release}-gpu",
        memory=2048,
        processors=1.5,
        processes=100,
        scratch=64,
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('memory = "2 GB"', "docker.memory is '2 GB', where a whole number from 512 to"),
        ("memory = 1024.5", "docker.memory is 1024.5, where a whole number"),
        ("memory = 1", "docker.memory is 1"),
        ("memory = 99999999999999", "docker.memory is 99999999999999"),
        ("processes = 0", "docker.processes is 0, where a whole number from 64 to"),
        ("scratch = true", "docker.scratch is True"),
        ("processors = 0.0001", "docker.processors is 0.0001, where a number from 0.1 to"),
        ("processors = nan", "docker.processors is nan"),
        ("processors = inf", "docker.processors is inf"),
        ("image = 1", "docker.image is 1, where a string is expected"),
        ('image = ""', "docker.image is '', which cannot be filled in"),
        ('image = "tf:{tag}"', "docker.image is 'tf:{tag}', which cannot be filled in"),
        ('image = "tf:{"', "docker.image is 'tf:{', which cannot be filled in"),
        ('image = "{release.__class__}"', "which cannot be filled in"),
        ('network = "host"', "docker has the unknown key 'network'"),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, line: str, words: str) -> None:
    """The seal has no key: what is not there cannot be loosened by mistake."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, f"[tool.savedmodel-compat.docker]\n{line}\n")
    assert words in caught.value.message


def test_the_environment_is_above_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which base images there are depends on the machine."""
    monkeypatch.setenv("SAVEDMODEL_COMPAT_DOCKER_PYTHON_BASE", "mine:{python}")
    monkeypatch.delenv("SAVEDMODEL_COMPAT_DOCKER_NATIVE_BASE", raising=False)
    found = docker.with_environment(Docker(python_base="theirs:{python}", native_base="theirs"))
    assert (found.python_base, found.native_base) == ("mine:{python}", "theirs")


def test_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named."""
    monkeypatch.setenv("SAVEDMODEL_COMPAT_DOCKER_IMAGE", "mine:{version}")
    with pytest.raises(ConfigurationError, match="SAVEDMODEL_COMPAT_DOCKER_IMAGE"):
        docker.with_environment(Docker())


@pytest.mark.parametrize(
    ("release", "name"),
    [("1.4.1", "python:3.6-slim-bullseye"), ("2.11.1", "python:3.10-slim-bookworm")],
)
def test_the_public_base_of_a_release(release: str, name: str) -> None:
    """CPython 3.6 had its last public image before Debian 12."""
    assert docker.python_base(pins.load().get(release), Docker()) == name
    assert docker.python_base(pins.load().get(release), Docker(python_base="mine")) == "mine"
