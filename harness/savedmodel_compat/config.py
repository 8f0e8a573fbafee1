"""The table ``[tool.savedmodel-compat]`` of the nearest pyproject.toml, as typed values."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from savedmodel_compat import _toml
from savedmodel_compat.errors import ConfigurationError

_TABLE = "tool.savedmodel-compat"
_KEYS = ("check", "docker", "expectations", "exporters", "golden", "pins", "sets")
_GOLDEN_KEYS = ("directory", "with")
_CHECK_KEYS = ("disable", "error", "fail-on")
_FAIL_ON = ("error", "warning")
_ROW_TEXTS = ("release", "python", "package", "lock", "device", "sha256", "image")
_ROW_KEYS = (*_ROW_TEXTS, "bytes")
_DEVICES = ("cpu", "gpu")
_DOCKER_NUMBERS: Mapping[str, tuple[float, float]] = {
    # Less than the least, and no TensorFlow starts (measured: 2.21 needs some 300 MB and 20 threads).
    "memory": (512, 1 << 24),
    "processors": (0.1, 4096.0),
    "processes": (64, 1 << 22),
    "scratch": (1, 1 << 20),
}

DOCKER_IMAGES = ("native-base", "python-base", "image", "gpu-image")
"""The keys of ``docker`` that are names of images."""

_SHA256_DIGITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRow:
    """A row of ``pins``: a release of the user's own, or changes to one that is shipped.

    Args:
        release: the TensorFlow release.
        python: the CPython that its wheel is for, such as ``3.11``.
        package: the distribution that carries the libraries, such as ``tensorflow-cpu``.
        lock: the requirements file of a whole environment.
        device: ``cpu`` or ``gpu``.
        sha256: the wheel's digest, in hexadecimal.
        bytes: the wheel's size.
        image: the container image that provider ``docker`` takes for it.
    """

    release: str
    python: str | None = None
    package: str | None = None
    lock: Path | None = None
    device: str = "cpu"
    sha256: str | None = None
    bytes: int | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Docker:
    """What provider ``docker`` makes its containers of, and what those may use.

    In names of images ``{release}`` stands for the TensorFlow release and ``{python}`` for the CPython of its pin.

    Args:
        native_base: the image that the C++ loader's images are built upon: any small Linux with python3.
        python_base: the image that the Python loaders' images are built upon, a CPython of the pin's version; None takes the public one.
        image: the image to take rather than to build one; None builds.
        gpu_image: the image of a release on a GPU; None takes the public one.
        memory: megabytes of a container, its runtime included; None is what a cell may use, and 1024.
        processors: how many a container may keep busy; None is half of the engine's.
        processes: how many processes and threads it may have; None is 512, and 16 for each of the engine's processors.
        scratch: megabytes of its writable folder in memory.
    """

    native_base: str = "python:3.11-slim-bookworm"
    python_base: str | None = None
    image: str | None = None
    gpu_image: str | None = None
    memory: int | None = None
    processors: float | None = None
    processes: int | None = None
    scratch: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Goldens:
    """Where a repository's goldens are, and who records them.

    Args:
        directory: the store, absolute; None if nobody has said.
        recorders: the releases that record exporters, as specifiers: the first of them that an exporter runs in.
    """

    directory: Path | None = None
    recorders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What a repository has registered.

    Args:
        path: the pyproject.toml that was read; None if there is none.
        exporters: ``FILE.py::function`` of each name, the file's path absolute.
        pins: rows that add to the shipped pins or change them.
        sets: release specifiers of each named set.
        disable: ids of static rules that are turned off.
        error: ids of static rules that are errors here.
        fail_on: the least severity of a finding that fails a check, ``error`` or ``warning``.
        docker: of provider ``docker``.
        goldens: of the commands ``golden``.
        expectations: the file of failures that are known, absolute; None if there is none.
    """

    path: Path | None = None
    exporters: Mapping[str, str] = field(default_factory=dict)
    pins: tuple[PinRow, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    disable: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    fail_on: str = "error"
    docker: Docker = field(default_factory=Docker)
    goldens: Goldens = field(default_factory=Goldens)
    expectations: Path | None = None


def find(start: Path | None = None) -> Path | None:
    """Return the nearest pyproject.toml at or above ``start`` (the working directory)."""
    try:
        folder = (start or Path.cwd()).absolute()
    except FileNotFoundError:
        return None  # the working directory was removed, and nothing can lie in it
    candidates = (parent / "pyproject.toml" for parent in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)


def load(start: Path | None = None) -> Configuration:
    """Read the configuration that holds at ``start`` (the working directory).

    Raises:
        ConfigurationError: the file does not parse, has a key that is not known, or a value of
            another type than its key's.
    """
    path = find(start)
    return Configuration() if path is None else read(path)


def read(path: Path) -> Configuration:
    """Read the configuration of one pyproject.toml.

    Raises:
        ConfigurationError: as for `load`.
    """
    table = _tool_table(path)
    _refuse_others(table, _KEYS, path, _TABLE)
    exporters = _mapping(table.get("exporters", {}), path, f"{_TABLE}.exporters")
    sets = _mapping(table.get("sets", {}), path, f"{_TABLE}.sets")
    check = _mapping(table.get("check", {}), path, f"{_TABLE}.check")
    _refuse_others(check, _CHECK_KEYS, path, f"{_TABLE}.check")
    return Configuration(
        path=path,
        exporters={name: _exporter(value, path, name) for name, value in exporters.items()},
        pins=tuple(_rows(table.get("pins", []), path)),
        sets={name: _texts(value, path, f"{_TABLE}.sets.{name}") for name, value in sets.items()},
        disable=_texts(check.get("disable", []), path, f"{_TABLE}.check.disable"),
        error=_texts(check.get("error", []), path, f"{_TABLE}.check.error"),
        fail_on=_fail_on(check.get("fail-on", "error"), path),
        docker=_docker(_mapping(table.get("docker", {}), path, f"{_TABLE}.docker"), path),
        goldens=_goldens(_mapping(table.get("golden", {}), path, f"{_TABLE}.golden"), path),
        expectations=_expectations(table.get("expectations"), path),
    )


def _tool_table(path: Path) -> Mapping[str, object]:
    try:
        document = _toml.parse(path.read_bytes())
    except _toml.MalformedError as error:
        raise ConfigurationError(f"{path} does not parse: {error}") from error
    tool = _mapping(document.get("tool", {}), path, "tool")
    return _mapping(tool.get("savedmodel-compat", {}), path, _TABLE)


def _expectations(value: object, path: Path) -> Path | None:
    if value is None:
        return None
    return (path.parent / _text(value, path, f"{_TABLE}.expectations")).resolve()


def _fail_on(value: object, path: Path) -> str:
    text = _text(value, path, f"{_TABLE}.check.fail-on")
    if text not in _FAIL_ON:
        raise _wrong(path, f"{_TABLE}.check.fail-on", value, " or ".join(map(repr, _FAIL_ON)))
    return text


def _exporter(value: object, path: Path, name: str) -> str:
    key = f"{_TABLE}.exporters.{name}"
    file, separator, function = _text(value, path, key).partition("::")
    if not separator or not file.endswith(".py") or not function.isidentifier():
        raise ConfigurationError(
            f"{path}: {key} is {value!r}, not the file and the function of an exporter",
            hint=f'write it as {name} = "path/to/file.py::function"',
        )
    return f"{(path.parent / file).resolve()}::{function}"


def _rows(value: object, path: Path) -> Iterable[PinRow]:
    for index, row in enumerate(_sequence(value, path, f"{_TABLE}.pins")):
        key = f"{_TABLE}.pins[{index}]"
        yield _row(_mapping(row, path, key), path, key)


def _row(row: Mapping[str, object], path: Path, key: str) -> PinRow:
    _refuse_others(row, _ROW_KEYS, path, key)
    texts = {name: _text(row[name], path, f"{key}.{name}") for name in _ROW_TEXTS if name in row}
    if "release" not in texts:
        raise ConfigurationError(f"{path}: {key} has no `release`")
    size = row.get("bytes")
    # TOML's booleans are integers to Python.
    if size is not None and (not isinstance(size, int) or isinstance(size, bool)):
        raise _wrong(path, f"{key}.bytes", size, "a whole number")
    device = texts.get("device", "cpu")
    if device not in _DEVICES:
        raise _wrong(path, f"{key}.device", device, " or ".join(map(repr, _DEVICES)))
    sha256 = texts.get("sha256")
    if sha256 is not None and not _is_sha256(sha256):
        raise _wrong(path, f"{key}.sha256", sha256, f"{_SHA256_DIGITS} hexadecimal digits")
    return PinRow(
        release=texts["release"],
        python=texts.get("python"),
        package=texts.get("package"),
        lock=(path.parent / texts["lock"]).resolve() if "lock" in texts else None,
        device=device,
        sha256=None if sha256 is None else sha256.lower(),
        bytes=size,
        image=None if "image" not in texts else template(texts["image"], path, f"{key}.image"),
    )


def _docker(table: Mapping[str, object], path: Path) -> Docker:
    key = f"{_TABLE}.docker"
    _refuse_others(table, (*DOCKER_IMAGES, *_DOCKER_NUMBERS), path, key)
    found: dict[str, object] = {}
    for name in DOCKER_IMAGES:
        if name in table:
            text = _text(table[name], path, f"{key}.{name}")
            found[name.replace("-", "_")] = template(text, path, f"{key}.{name}")
    for name in _DOCKER_NUMBERS:
        if name in table:
            found[name] = _number(table[name], path, f"{key}.{name}", *_DOCKER_NUMBERS[name])
    return Docker(**found)  # type: ignore[arg-type] # checked above, by name


def _goldens(table: Mapping[str, object], path: Path) -> Goldens:
    key = f"{_TABLE}.golden"
    _refuse_others(table, _GOLDEN_KEYS, path, key)
    directory = None
    if "directory" in table:
        directory = (path.parent / _text(table["directory"], path, f"{key}.directory")).resolve()
    return Goldens(
        directory=directory, recorders=_texts(table.get("with", []), path, f"{key}.with")
    )


def _number(value: object, path: Path, key: str, least: float, most: float) -> int | float:
    whole = isinstance(least, int)
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    # A number that is no number is within no bounds.
    if not right or not least <= float(str(value)) <= most:
        kind = "a whole number" if whole else "a number"
        raise _wrong(path, key, value, f"{kind} from {least} to {most}")
    assert isinstance(value, int | float)
    return value


def template(text: str, path: Path | str, key: str) -> str:
    """Return the name of an image in which a release and a CPython can be filled in.

    Args:
        text: the name.
        path: where it stands, for the error's text.
        key: as what it stands there.

    Raises:
        ConfigurationError: it cannot be filled in.
    """
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
        text.format(release="2.11.1", python="3.10")
    except (LookupError, ValueError, AttributeError) as error:
        fields = {str(error)}
    if not text.strip() or not fields <= {"release", "python"}:
        raise ConfigurationError(
            f"{path}: {key} is {text!r}, which cannot be filled in: {', '.join(sorted(fields)) or 'it is empty'}",
            hint="only {release} and {python} are replaced in the name of an image",
        )
    return text


def _is_sha256(text: str) -> bool:
    return len(text) == _SHA256_DIGITS and set(text.lower()) <= set("0123456789abcdef")


def _refuse_others(
    table: Mapping[str, object],
    known: tuple[str, ...],
    path: Path,
    key: str,
) -> None:
    others = sorted(set(table) - set(known))
    if others:
        raise ConfigurationError(
            f"{path}: {key} has the unknown key {others[0]!r}",
            hint=f"the keys of {key} are {', '.join(known)}",
        )


def _mapping(value: object, path: Path, key: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _wrong(path, key, value, "a table")
    return value


def _sequence(value: object, path: Path, key: str) -> list[object]:
    if not isinstance(value, list):
        raise _wrong(path, key, value, "an array")
    return value


def _texts(value: object, path: Path, key: str) -> tuple[str, ...]:
    items = enumerate(_sequence(value, path, key))
    return tuple(_text(item, path, f"{key}[{index}]") for index, item in items)


def _text(value: object, path: Path, key: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, key, value, "a string")
    return value


def _wrong(path: Path, key: str, value: object, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{path}: {key} is {value!r}, where {wanted} is expected")
