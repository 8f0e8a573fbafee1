"""The provider ``docker``: each release in a sealed container of its own, behind a Docker engine.

Images are built from the pins, or taken by name; see ``containers/``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import savedmodel_compat
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.config import DOCKER_IMAGES, Docker, template
from savedmodel_compat.errors import InfrastructureError, SavedModelCompatError, UnsupportedError
from savedmodel_compat.runtimes import wheel
from savedmodel_compat.runtimes.base import (
    Gpu,
    Loader,
    Progress,
    Provider,
    Runtime,
    demand_linux,
    python_loaders,
    worker_environment,
)
from savedmodel_compat.runtimes.containers import connection, images, look, wheelhouse
from savedmodel_compat.runtimes.containers.contained import Contained, Inside
from savedmodel_compat.runtimes.containers.facts import Image
from savedmodel_compat.runtimes.containers.images import NATIVE, PYTHON, Recipe
from savedmodel_compat.runtimes.containers.seal import Seal
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.labels import RELEASE
from savedmodel_compat.runtimes.manifest import Library, Manifest, digest_of, read
from savedmodel_compat.runtimes.pins import Pin

_PREFIX = "/opt/tensorflow"
_INSTALLED = f"{_PREFIX}/bin/python"
_ANY = "python3"
_BEFORE_BOOKWORM = ("3.6",)
"""The CPythons that had their last public images before Debian 12."""
_LOOK = 1
"""Counted up whenever what is kept of an image becomes another."""

_lock = threading.Lock()
_sites: dict[tuple[int, str], Site] = {}


def site() -> Site:
    """Return the engine that Docker's settings name, with what this process has there.

    Leftovers of dead runs are swept when it is first used.

    Raises:
        ConfigurationError: the Docker SDK is not installed.
        EngineError: no engine answers.
    """
    with _lock:
        found = connection.connect()
        # A forked child is a run of its own.
        key = (os.getpid(), found.address)
        known = _sites.get(key)
        if known is None:
            _sites[key] = known = Site(found)
        elif known.engine is not found:
            found.close()
        return known


def stock() -> Mapping[str, Sequence[Image]]:
    """Return the images in the engine that were built here, by the release that they hold.

    Raises:
        ConfigurationError: the Docker SDK is not installed.
        EngineError: no engine answers.
    """
    found: dict[str, list[Image]] = {}
    for image in images.ours(site().engine):
        found.setdefault(image.labels.get(RELEASE, ""), []).append(image)
    return found


def remove(pin: Pin, *, cache: Cache) -> int:
    """Remove the images of a release that were built here, and no others; return their bytes.

    Layers that other images share are counted, and stay.

    Raises:
        EngineError: no engine answers, or a container still uses one of them.
    """
    freed = 0
    for image in stock().get(pin.release, ()):
        # By its name: what else somebody calls it, they keep.
        site().engine.remove_image(image.name)
        freed += image.bytes
    for entry in sorted((cache.root / "runtimes").glob(f"docker-{pin.release}-*")):
        cache.remove(f"runtimes/{entry.name}")
    for entry in sorted((cache.root / "wheelhouses").glob(f"{pin.release}-*")):
        freed += cache.remove(f"wheelhouses/{entry.name}")
    return freed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """An image, and the cache's entry that says what it holds."""

    inside: Inside
    folder: Path
    release: str


def make_ready(
    pin: Pin,
    *,
    loaders: Sequence[Loader] = (Loader.C,),
    settings: Docker | None = None,
    cache: Cache | None = None,
    progress: Progress | None = None,
) -> Runtime:
    """Make the images of ``pin`` ready that its loaders need, unless that was done before.

    Args:
        pin: the release.
        loaders: those that will be asked for: the C++ loader has an image of its own where images are built.
        settings: of the user's configuration.
        cache: where wheels and what is known of images are kept; the user's own if None.
        progress: told the bytes that have come, and the steps of builds.

    Raises:
        ConfigurationError: the Docker SDK is not installed.
        UnsupportedError: there is no GPU for a release that wants one.
        EngineError: no engine answers, an image could not be pulled or built.
        InfrastructureError: an image holds another TensorFlow than it was taken for.
    """
    demand_linux(Provider.DOCKER)
    settings = with_environment(settings or Docker())
    cache = cache or Cache(root=default_root())
    here = site()
    gpu = pin.device == "gpu"
    contained = Contained(site=here, seal=_seal(settings), gpu=gpu)
    if gpu:
        here.demand_gpu()
    name = _image_of(pin, settings)
    making = _Making(
        contained=contained, pin=pin, settings=settings, cache=cache, progress=progress
    )
    if name is not None:
        return making.of_image(name)
    if gpu:
        raise UnsupportedError(
            f"TensorFlow {pin.release} has no image for gpu",
            hint="name one: gpu-image in [tool.savedmodel-compat.docker], or image in a row of pins",
        )
    return making.built(loaders)


def with_environment(settings: Docker) -> Docker:
    """Return settings with the images that the environment names, which depend on the machine, above those of the file.

    Raises:
        ConfigurationError: a name cannot be filled in.
    """
    given = {}
    for key in DOCKER_IMAGES:
        variable = f"SAVEDMODEL_COMPAT_DOCKER_{key.replace('-', '_').upper()}"
        if text := os.environ.get(variable):
            given[key.replace("-", "_")] = template(text, "the environment", variable)
    return replace(settings, **given)  # type: ignore[arg-type] # all of them are texts


def python_base(pin: Pin, settings: Docker) -> str:
    """Return the name of the image that the Python loaders' image of a release is built upon."""
    if settings.python_base is not None:
        return settings.python_base.format(release=pin.release, python=pin.python)
    suite = "bullseye" if pin.python in _BEFORE_BOOKWORM else "bookworm"
    return f"python:{pin.python}-slim-{suite}"


def _seal(settings: Docker) -> Seal:
    return Seal(
        megabytes=settings.memory,
        processors=settings.processors,
        processes=settings.processes,
        scratch_megabytes=settings.scratch,
    )


def _image_of(pin: Pin, settings: Docker) -> str | None:
    """Return the image that the configuration names for a release; None to build one."""
    template = settings.gpu_image if pin.device == "gpu" else settings.image
    named = pin.image or template or pin.public_image
    return None if named is None else named.format(release=pin.release, python=pin.python)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """One release that is being made ready."""

    contained: Contained
    pin: Pin
    settings: Docker
    cache: Cache
    progress: Progress | None

    def of_image(self, name: str) -> Runtime:
        engine = self.contained.site.engine
        image = engine.image(name) or engine.pull(name, self.progress)
        place = self._looked_into(Inside(image=image, python=_ANY))
        return self._runtime(native=place, installed=place)

    def built(self, loaders: Sequence[Loader]) -> Runtime:
        """Build both images if both are wanted; that one of them cannot be had does not take the other along."""
        problems: dict[Loader, SavedModelCompatError] = {}
        others = [loader for loader in loaders if loader is not Loader.C]
        native = self._tried(self._native, [Loader.C], problems) if Loader.C in loaders else None
        installed = self._tried(self._python, others, problems) if others else None
        if native is None and installed is None:
            raise next(iter(problems.values()))
        return self._runtime(native=native, installed=installed, problems=problems)

    def _tried(
        self,
        make: Callable[[], _Place],
        loaders: Sequence[Loader],
        problems: dict[Loader, SavedModelCompatError],
    ) -> _Place | None:
        try:
            return make()
        except (UnsupportedError, InfrastructureError) as error:
            problems.update(dict.fromkeys(loaders, error))
            return None

    def _native(self) -> _Place:
        if self.pin.unavailable is not None:
            raise UnsupportedError(self.pin.unavailable, hint="choose another release with --on")
        name = self.settings.native_base.format(release=self.pin.release, python=self.pin.python)
        base = images.base_of(self.contained.site.engine, name, self.progress)
        recipe = Recipe(pin=self.pin, kind=NATIVE, base=base, made_of=wheel.entry_of(self.pin))
        made_of = self._wheel
        image = self._image(recipe, lambda: {"lib": made_of().folder})
        folder = self.cache.get(f"runtimes/docker-{self.pin.release}-{recipe.digest}", self._keep)
        manifest = read(folder)
        libraries = tuple(f"{_PREFIX}/{library.path}" for library in manifest.libraries)
        inside = Inside(image=image, python=_ANY, libraries=libraries)
        return _Place(inside=inside, folder=folder, release=manifest.release)

    def _wheel(self) -> Runtime:
        return wheel.make_ready(self.pin, cache=self.cache, progress=self.progress)

    def _keep(self, folder: Path) -> None:
        """Keep what the wheel's runtime says of itself, so that an image is of use without it."""
        found = self._wheel()
        (folder / "ops.pb").write_bytes(found.ops.read_bytes())
        read(found.folder).write(folder)

    def _python(self) -> _Place:
        if self.pin.unavailable is not None:
            raise UnsupportedError(self.pin.unavailable, hint="choose another release with --on")
        name = python_base(self.pin, self.settings)
        base = images.base_of(self.contained.site.engine, name, self.progress)
        recipe = Recipe(pin=self.pin, kind=PYTHON, base=base, made_of=wheelhouse.digest(self.pin))
        image = self._image(recipe, self._wheelhouse)
        return self._looked_into(Inside(image=image, python=_INSTALLED))

    def _wheelhouse(self) -> dict[str, Path]:
        name = f"wheelhouses/{self.pin.release}-{wheelhouse.digest(self.pin)}"
        folder = self.cache.get(
            name,
            lambda into: wheelhouse.fill(self.pin, into, cache=self.cache, progress=self.progress),
        )
        return {"wheelhouse": folder}

    def _image(self, recipe: Recipe, folders: Callable[[], dict[str, Path]]) -> Image:
        engine = self.contained.site.engine
        found = images.existing(engine, recipe)
        if found is not None:
            return found
        return images.build(engine, recipe, folders(), cache=self.cache, progress=self.progress)

    def _looked_into(self, inside: Inside) -> _Place:
        """Return an image with what was found in it, looked for once an image."""
        name = (
            f"runtimes/docker-{self.pin.release}-{digest_of(_LOOK, inside.image.id, inside.python)}"
        )
        folder = self.cache.get(name, lambda into: self._look(inside, into))
        manifest = read(folder)
        if not self.pin.is_release(manifest.release):
            raise InfrastructureError(
                f"{inside.image.label} holds TensorFlow {manifest.release}, and {self.pin.release} "
                f"was asked for{_digest_words(inside.image)}",
                hint="name the image of that release, or leave it out to have one built",
            )
        paths = tuple(library.path for library in manifest.libraries)
        python = manifest.interpreter or inside.python
        return _Place(
            inside=replace(inside, libraries=paths, python=python),
            folder=folder,
            release=manifest.release,
        )

    def _look(self, inside: Inside, folder: Path) -> None:
        found = look.look(replace(self.contained, gpu=False), inside)
        (folder / "ops.pb").write_bytes(found.ops)
        Manifest(
            harness=savedmodel_compat.__version__,
            release=found.release,
            wheel="",
            wheel_sha256="",
            libraries=tuple(
                Library(path=path, original_sha256="", sha256="") for path in found.libraries
            ),
            interpreter=found.python,
            python=found.python_version,
            lock_sha256=None,
        ).write(folder)

    def _runtime(
        self,
        *,
        native: _Place | None,
        installed: _Place | None,
        problems: Mapping[Loader, SavedModelCompatError] | None = None,
    ) -> Runtime:
        place = native or installed
        assert place is not None
        contained = replace(
            self.contained,
            native=native.inside if native else None,
            installed=installed.inside if installed else None,
        )
        loaders = {Loader.C} if native else set()
        if installed is not None:
            loaders |= python_loaders(installed.release) - {Loader.C}
        return Runtime(
            pin=self.pin,
            provider=Provider.DOCKER,
            device=self.pin.device,
            folder=place.folder,
            release=place.release,
            python=Path(place.inside.python),
            libraries=tuple(map(Path, place.inside.libraries)),
            loaders=frozenset(loaders),
            container=contained,
            gpu=self._gpu(place) if contained.gpu else None,
            problems=problems or {},
            environment=worker_environment(self.pin.device),
        )

    def _gpu(self, place: _Place) -> Gpu:
        return look.gpu_of(self.contained, place.inside)


def _digest_words(image: Image) -> str:
    return f" ({image.digest})" if image.digest else ""
