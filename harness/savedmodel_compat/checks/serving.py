"""What a path given to `check` means: a model, a base folder of TensorFlow Serving, or a folder of such folders."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.errors import NotASavedModelError
from savedmodel_compat.model.locate import (
    FILE_NAMES,
    check_folder,
    model_file,
    no_model_error,
    some,
    version_folders,
    version_number,
)

_ALONE = frozenset(("saved_model.cpb", "fingerprint.pb", "keras_metadata.pb", *FILE_NAMES))
_WRITTEN = re.compile(r"saved_model\.pb\.tmp[0-9a-f]*")
_CHECKPOINT = re.compile(r"variables\.(?:index|data-\d+-of-\d+)")
# What get_temp_export_dir of python/saved_model/model_utils/export_utils.py calls a folder.
_UNFINISHED = re.compile(r"temp-\d+")
_NO_FOLDERS = frozenset(("lost+found", "__MACOSX", "__pycache__"))
_OF_A_MODEL = frozenset(("assets", "assets.extra", "debug", "variables"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One model that a path means, or a base folder without one.

    Args:
        name: what the report calls it.
        folder: the model's own; None if there is none to check.
        base: the base folder of TensorFlow Serving that it is in; None if it is in none.
        version: the one that TensorFlow Serving would serve; None if there is none.
        findings: what is wrong with the base folder.
        skipped: why it is no model at all and passed over, in words; empty for a model. Only a
            folder in a folder of models can be.
    """

    name: str
    folder: Path | None
    base: Path | None = None
    version: int | None = None
    findings: tuple[Finding, ...] = ()
    skipped: str = ""


def expand(path: Path | str, *, serving: bool = False) -> list[Place]:
    """Return the models that a path means.

    Args:
        path: a model's folder, of which parts may be lost; a base folder of TensorFlow Serving; or
            a folder of either.
        serving: whether it has to be a base folder, or a folder of those.

    Returns:
        At least one place; those of a folder of models by name.

    Raises:
        NotASavedModelError: it is no folder, cannot be read or, without ``serving``, has no part of
            a SavedModel in it.
    """
    folder = Path(path)
    try:
        check_folder(folder, str(path))
        return _base_folders(folder) if serving else _models(folder)
    except OSError as error:
        raise NotASavedModelError(f"{error.filename} cannot be read: {error.strerror}") from error


def _models(folder: Path) -> list[Place]:
    place = _place(folder)
    if place is not None:
        return [place]
    places = [_guarded(_child, child) for child in _folders(folder)]
    if all(place.skipped or place.folder is None for place in places):
        raise no_model_error(folder)
    return places


def _place(folder: Path) -> Place | None:
    """Return the model that a folder is, or whose base folder it is; None if it is neither."""
    if model_file(folder):
        return Place(name=_name(folder), folder=folder)
    if any(_is_model(child) for _, child in version_folders(folder)):
        return _base(folder)
    return Place(name=_name(folder), folder=folder) if _has_parts(folder) else None


def _child(folder: Path) -> Place:
    """Return what a folder in a folder of models is; an empty one is an export that wrote nothing."""
    place = _place(folder)
    if place is not None:
        return place
    if _is_husk(folder):
        versions = version_folders(folder)
        return _base(folder) if versions else Place(name=_name(folder), folder=folder)
    error = no_model_error(folder)
    return Place(name=_name(folder), folder=None, base=folder, skipped=error.message)


def _is_husk(folder: Path) -> bool:
    """Tell whether a folder holds nothing but what an export makes before it writes the graph."""
    return all(
        child.is_dir()
        and (
            child.name in _OF_A_MODEL
            or (version_number(child.name) is not None and _is_husk(child))
        )
        for child in folder.iterdir()
    )


def _guarded(judge: Callable[[Path], Place], folder: Path) -> Place:
    """Judge one of several folders; one that cannot be read does not stop the others."""
    try:
        return judge(folder)
    except OSError as error:
        finding = found("L9", ".", f"cannot be read: {error.strerror}")
        return Place(name=_name(folder), folder=None, base=folder, findings=(finding,))


def _base_folders(folder: Path) -> list[Place]:
    if _versions(folder):
        return [_base(folder)]
    if _is_model(folder):
        return [_bare_model(folder)]
    children = _folders(folder)
    if not any(_holds_versions(child) for child in children):
        return [_base(folder)]
    return [_guarded(_child_of_bases, child) for child in children]


def _holds_versions(folder: Path) -> bool:
    try:
        return bool(_versions(folder))
    except OSError:
        return False


def _child_of_bases(folder: Path) -> Place:
    if not _versions(folder) and _is_model(folder):
        return _bare_model(folder)
    if _versions(folder) or any(model_file(child) for child in _folders(folder)):
        return _base(folder)
    if _is_husk(folder):
        return _base(folder)
    error = no_model_error(folder)
    return Place(name=_name(folder), folder=None, base=folder, skipped=error.message)


def _bare_model(folder: Path) -> Place:
    finding = found(
        "L8",
        ".",
        "the model is in the base folder itself, where TensorFlow Serving looks for folders named"
        " by version numbers and finds none",
        fix=f"move the model into {folder / '1'}, and leave the base folder to the versions",
    )
    return Place(name=_name(folder), folder=folder, findings=(finding,))


def _base(base: Path) -> Place:
    """Return the version of a base folder that is served, as far as it is there."""
    versions = _versions(base)
    findings = [*_bad_versions(versions), *_passed_over(base, bool(versions)), *_bad_names(base)]
    if not versions:
        findings.append(_no_version(base))
        return Place(name=_name(base), folder=None, base=base, findings=tuple(findings))
    highest = max(versions)
    # All with one number go into one slot of a map, by name: the last one stays.
    served = versions[highest][-1]
    if served.is_dir() and not model_file(served):
        findings.append(_no_model(served, highest, versions))
    if highest < 0:
        findings.append(
            found("L21", served.name, f"no request over REST can name version {highest}")
        )
    return Place(
        name=_name(base),
        folder=served if served.is_dir() and _is_model(served) else None,
        base=base,
        version=highest,
        findings=tuple(findings),
    )


def _versions(base: Path) -> dict[int, list[Path]]:
    """Return what TensorFlow Serving takes for versions, files included, each number's by name."""
    versions: dict[int, list[Path]] = {}
    for child in sorted(base.iterdir(), key=lambda child: os.fsencode(child.name)):
        number = version_number(child.name)
        if number is not None:
            versions.setdefault(number, []).append(child)
    return versions


def _bad_versions(versions: dict[int, list[Path]]) -> Iterator[Finding]:
    for number, children in versions.items():
        if len(children) > 1:
            names = [child.name for child in children]
            yield found(
                "L8",
                names[-1],
                f"{' and '.join(names)} are all version {number}: TensorFlow Serving takes"
                f" {names[-1]}, the last by name, and older ones take any",
            )
        for child in children:
            if not child.is_dir():
                what = "a file" if child.exists() else "a link to nothing"
                yield found(
                    "L8",
                    child.name,
                    f"is {what}, which TensorFlow Serving takes for version {number} and fails to load",
                    fix="remove it, or put the model's folder in its place",
                )


def _no_version(base: Path) -> Finding:
    names = sorted(child.name for child in base.iterdir())
    told = f"it holds {some([*map(clipped, names)])}" if names else "it is empty"
    return found(
        "L8",
        ".",
        f"nothing in it is named by a number, so TensorFlow Serving finds no version to serve; {told}",
        fix="put each version into a folder named by a number, such as 1",
    )


def _no_model(served: Path, highest: int, versions: dict[int, list[Path]]) -> Finding:
    others = [
        child.name
        for _, children in sorted(versions.items())
        for child in children
        if child != served and child.is_dir() and model_file(child)
    ]
    told = f"; these do: {some([*map(clipped, others)])}" if others else ""
    return found(
        "L8",
        served.name,
        f"holds no SavedModel, and TensorFlow Serving, for which it is the highest version,"
        f" {highest}, fails to load it{told}",
        fix="copy the model again, under another name first that is no number, and rename it last",
    )


def _passed_over(base: Path, has_versions: bool) -> Iterator[Finding]:
    def strange() -> Iterator[Finding]:
        for child in _folders(base):
            if version_number(child.name) is None:
                yield found("L20", child.name, _why_passed_over(child))
        for name in FILE_NAMES:
            if has_versions and (base / name).is_file():
                yield found(
                    "L20", name, "is beside the versions, where TensorFlow Serving reads no model"
                )

    yield from limited(strange(), "L20", ".")


def _why_passed_over(child: Path) -> str:
    name = clipped(child.name)
    if re.fullmatch(r"-?[0-9]+", child.name):
        return f"{name} is beyond 64 bits and so no version to TensorFlow Serving, which passes it over"
    if _UNFINISHED.fullmatch(child.name):
        return "is what an export of an Estimator leaves that did not end; TensorFlow Serving passes it over"
    held = ", and the model in it is never served" if _holds_model(child) else ""
    return f"is not named by a number: TensorFlow Serving passes it over{held}"


def _holds_model(folder: Path) -> bool:
    try:
        return model_file(folder) is not None
    except OSError:
        return False


def _bad_names(base: Path) -> Iterator[Finding]:
    name = _name(base)
    if ":" in name:
        yield found(
            "L21",
            ".",
            f"if the model is named after its folder, '{clipped(name)}', its : cannot stand in the"
            " path of a request over REST, and not every release reads it as %3A",
        )


def _is_model(folder: Path) -> bool:
    return model_file(folder) is not None or _has_parts(folder)


def _has_parts(folder: Path) -> bool:
    """Whether a folder holds what only a SavedModel has, so that it is one whose file is lost."""
    names = os.listdir(folder)
    if any(name in _ALONE or _WRITTEN.fullmatch(name) for name in names):
        return True
    try:
        held = os.listdir(folder / "variables") if "variables" in names else []
    except OSError:
        return False
    return any(_CHECKPOINT.fullmatch(name) for name in held)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name, but those of the system or that are hidden."""
    return sorted(
        child
        for child in folder.iterdir()
        if not child.name.startswith(".") and child.name not in _NO_FOLDERS and child.is_dir()
    )


def _name(folder: Path) -> str:
    """Return what to call a model: its folder's name, with the one above if it is but a version."""
    path = Path(os.path.abspath(folder))  # noqa: PTH100 - resolving would name what a link leads to
    depth = 2 if version_number(path.name) is not None else 1
    return "/".join(path.parts[-depth:]).strip("/") or str(path)
