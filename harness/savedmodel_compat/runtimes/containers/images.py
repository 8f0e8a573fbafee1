"""The images that are built here: what each is made of, and how it is found again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import FileLock

from savedmodel_compat.cache import Cache
from savedmodel_compat.errors import EngineError
from savedmodel_compat.runtimes.base import Progress
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.facts import Image
from savedmodel_compat.runtimes.containers.shelf import tar_of
from savedmodel_compat.runtimes.labels import BASE, KIND, RECIPE, RELEASE
from savedmodel_compat.runtimes.manifest import digest_of
from savedmodel_compat.runtimes.pins import Pin

NATIVE, PYTHON = "native", "python"
_REPOSITORY = "savedmodel-compat"
_HERE = Path(__file__).parent
_COUNT = 1
"""Counted up whenever what is put into an image, or how, becomes another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes an image.

    Args:
        pin: the release that it holds.
        kind: ``native`` or ``python``.
        base: the image that it is built upon.
        made_of: a digest or name of what is copied into it.
    """

    pin: Pin
    kind: str
    base: Image
    made_of: str

    @property
    def dockerfile(self) -> str:
        """The text that builds it."""
        return (_HERE / f"{self.kind}.Dockerfile").read_text(encoding="utf-8")

    @property
    def digest(self) -> str:
        """What tells it from every other."""
        text = hashlib.sha256(self.dockerfile.encode()).hexdigest()
        return digest_of(_COUNT, self.kind, self.made_of, self.base.id, text)

    @property
    def name(self) -> str:
        """The tag of its image."""
        return f"{_REPOSITORY}/{self.kind}:{self.pin.release}-{self.digest}"

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its image."""
        return {
            RECIPE: self.digest,
            RELEASE: self.pin.release,
            KIND: self.kind,
            BASE: self.base.digest or f"{self.base.name} {self.base.id}",
        }


def base_of(engine: Engine, name: str, progress: Progress | None = None) -> Image:
    """Return a base image, pulled if the engine does not have it.

    Raises:
        EngineError: there is no way to it.
    """
    found = engine.image(name)
    if found is not None:
        return found
    try:
        return engine.pull(name, progress)
    except EngineError as error:
        raise EngineError(
            f"there is no base image {name}: {error.message}",
            hint="set native-base and python-base in [tool.savedmodel-compat.docker], or "
            "SAVEDMODEL_COMPAT_DOCKER_NATIVE_BASE and _PYTHON_BASE, to images that are there",
        ) from error


def existing(engine: Engine, recipe: Recipe) -> Image | None:
    """Return the image of a recipe, if it was built before."""
    found = engine.image(recipe.name)
    # A name can be given to another image; the label is of this one.
    return found if found is not None and found.labels.get(RECIPE) == recipe.digest else None


def build(
    engine: Engine,
    recipe: Recipe,
    folders: Mapping[str, Path],
    *,
    cache: Cache,
    progress: Progress | None = None,
) -> Image:
    """Build the image of a recipe, unless somebody else does or has.

    What the build prints is kept in the cache's folder ``logs``.

    Args:
        engine: where.
        recipe: what makes it.
        folders: what its Dockerfile copies, by the name that it has there.
        cache: whose locks keep two runs from building one image.
        progress: told that it begins.

    Raises:
        EngineError: a step failed; with what it printed.
    """
    logs = cache.root / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    stem = f"{recipe.kind}-{recipe.pin.release}-{recipe.digest}"
    with FileLock(logs / f"{stem}.lock"):
        found = existing(engine, recipe)
        if found is not None:
            return found
        if progress is not None:
            progress(0, None, f"building the image {recipe.name}")
        printed: list[str] = []
        with _kept(logs / f"{stem}.txt", printed):
            return engine.build(
                _context(recipe, folders),
                name=recipe.name,
                arguments={"BASE": recipe.base.id, "STAGE": recipe.digest},
                labels=recipe.labels,
                printed=printed,
            )


def ours(engine: Engine) -> list[Image]:
    """Return every image that was built here, each under the name that it was given then.

    What others build upon one of them has its labels and not its name.
    """
    return [
        replace(image, name=name)
        for image in engine.images(RECIPE)
        if (name := _name_of(image.labels)) in image.tags
    ]


def _name_of(labels: Mapping[str, str]) -> str:
    return f"{_REPOSITORY}/{labels.get(KIND)}:{labels.get(RELEASE)}-{labels.get(RECIPE)}"


@contextlib.contextmanager
def _kept(log: Path, printed: list[str]) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        raise EngineError(
            error.message, hint=f"the whole output of the build is in {log}"
        ) from error
    finally:
        log.write_text("\n".join(printed), encoding="utf-8")


def _context(recipe: Recipe, folders: Mapping[str, Path]) -> Iterator[bytes]:
    text = recipe.dockerfile.encode()
    member = tarfile.TarInfo("Dockerfile")
    member.size = len(text)
    buffer = io.BytesIO()
    buffer.write(member.tobuf(tarfile.PAX_FORMAT))
    buffer.write(text + b"\0" * (-len(text) % tarfile.BLOCKSIZE))
    yield buffer.getvalue()
    yield from tar_of(dict(folders))
