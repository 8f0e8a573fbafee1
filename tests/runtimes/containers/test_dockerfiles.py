"""Tests of what the Dockerfiles make of their context, in a real engine and without a network."""

from __future__ import annotations

import io
import subprocess
import tarfile
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache
from savedmodel_compat.config import Docker
from savedmodel_compat.errors import DownloadError, EngineError
from savedmodel_compat.runtimes import docker
from savedmodel_compat.runtimes.containers import wheelhouse
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.pins import Pin

DOCKERFILES = Path(wheelhouse.__file__).parent
SEAL = ("--network=none", "--read-only", "--user=65534", "--cap-drop=ALL", "--tmpfs=/tmp")
LOOK = """
import importlib.util, os, termcolor, tensorflow
compiled = importlib.util.cache_from_source(tensorflow.__file__)
print(tensorflow.__version__, termcolor.VERSION, os.path.exists(compiled))
print(importlib.util.find_spec("pip"), importlib.util.find_spec("setuptools"))
print(os.path.exists("/wheelhouse"), os.listdir("/tmp"))
"""

Build = Callable[..., str]


@pytest.fixture
def settings() -> Docker:
    """What names the base images that this machine has."""
    return docker.with_environment(Docker())


@pytest.fixture
def build(site: Site) -> Iterator[Build]:
    """Build an image of a context, with the modes that its files have, and remove it in the end."""
    made: list[str] = []

    def call(kind: str, base: str, context: Path) -> str:
        name = f"savedmodel-compat/test-{uuid.uuid4().hex[:12]}"
        made.append(name)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(DOCKERFILES / f"{kind}.Dockerfile", "Dockerfile")
            archive.add(context, ".")
        site.engine.build(
            iter([buffer.getvalue()]),
            name=name,
            arguments={"BASE": base, "STAGE": name},
            labels={},
            printed=[],
        )
        return name

    yield call
    for name in made:
        site.engine.remove_image(name)


def run(image: str, *command: str) -> str:
    """Return what a command prints in a sealed container."""
    done = subprocess.run(
        ["docker", "run", "--rm", *SEAL, image, *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def tensorflow_wheel(folder: Path) -> None:
    """Put a wheel of a TensorFlow that has nothing but a version into a folder."""
    info = "tensorflow_cpu-9.8.7.dist-info"
    tag = "cp310-cp310-manylinux2014_x86_64"
    files: Mapping[str, str] = {
        "tensorflow/__init__.py": "__version__ = '9.8.7'\n",
        "tensorflow/other.py": "print 'for another Python'\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tensorflow-cpu\nVersion: 9.8.7\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"tensorflow_cpu-9.8.7-{tag}.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_libraries_can_be_read_by_whoever_owns_nothing(
    build: Build, settings: Docker, tmp_path: Path
) -> None:
    """Even if the context's own modes keep others out."""
    inner = tmp_path / "context" / "lib" / "tensorflow"
    inner.mkdir(parents=True)
    (inner / "library.so").write_text("a library", encoding="utf-8")
    for path in (inner / "library.so", inner, inner.parent):
        path.chmod(0o700)
    image = build("native", settings.native_base, tmp_path / "context")
    assert run(image, "cat", "/opt/tensorflow/tensorflow/library.so") == "a library"


def test_a_base_without_python_fails_before_anything_is_copied(
    build: Build, site: Site, tmp_path: Path
) -> None:
    """The base is what the error is about."""
    (tmp_path / "context" / "lib").mkdir(parents=True)
    name = f"savedmodel-compat/test-{uuid.uuid4().hex[:12]}"
    nothing = site.engine.import_empty(name, {})
    try:
        with pytest.raises(EngineError, match="could not be built") as caught:
            build("native", nothing.id, tmp_path / "context")
    finally:
        site.engine.remove_image(name)
    assert "python3 -I -c" in caught.value.message
    assert "COPY" not in caught.value.message


def test_an_environment_is_installed_from_a_wheelhouse_alone(
    build: Build,
    settings: Docker,
    make_pin: Callable[..., Pin],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A package without a wheel is built there; of what installed it all nothing is left."""
    house, wheels, lock = tmp_path / "c" / "wheelhouse", tmp_path / "wheels", tmp_path / "lock.txt"
    house.mkdir(parents=True)
    wheels.mkdir()
    tensorflow_wheel(wheels)
    lock.write_text("termcolor==1.1.0\n", encoding="utf-8")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    pin = make_pin(python="3.10", lock=lock)
    try:
        wheelhouse.fill(pin, house, cache=Cache(root=tmp_path / "cache"))
    except DownloadError as error:
        pytest.skip(f"no index can be reached: {error.message}")
    assert (house / "termcolor-1.1.0.tar.gz").is_file()
    image = build("python", docker.python_base(pin, settings), house.parent)
    found = run(image, "/opt/tensorflow/bin/python", "-I", "-c", LOOK).splitlines()
    assert found == ["9.8.7 (1, 1, 0) True", "None None", "False []"]


def test_earlier_stages_are_found_by_their_label() -> None:
    """They have no name, and hold the wheels and the environment once more."""
    text = (DOCKERFILES / "python.Dockerfile").read_text(encoding="utf-8")
    first = text.index("LABEL savedmodel-compat.stage=${STAGE}")
    assert first < text.index("COPY wheelhouse/")
