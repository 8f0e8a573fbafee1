"""What the tests of containers share: a real engine, and releases made ready in it."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from savedmodel_compat import config
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.runtimes import docker, pins
from savedmodel_compat.runtimes.base import Loader, Runtime
from savedmodel_compat.runtimes.containers import images
from savedmodel_compat.runtimes.containers.site import Site

REQUIRED = "SAVEDMODEL_COMPAT_REQUIRE_ENGINE"
"""Where it is set, as in CI, an engine that does not answer, or has no base images and cannot pull them, fails the tests; elsewhere they say so and do not run."""


@pytest.fixture(scope="session")
def site() -> Site:
    """The engine that Docker's settings name, with the images in it upon which the tests build theirs."""
    settings = docker.with_environment(config.load().docker)
    bases = [settings.native_base]
    bases += [docker.python_base(pins.load().get(r), settings) for r in ("1.15.5", "2.11.1")]
    try:
        found = docker.site()
        for base in bases:
            images.base_of(found.engine, base)
    except SavedModelCompatError as error:
        if os.environ.get(REQUIRED):
            raise
        pytest.skip(f"no Docker engine, or no base image: {error.message}")
    return found


@pytest.fixture(scope="session")
def contained_runtime(site: Site, table: pins.PinTable) -> Callable[..., Runtime]:
    """Make a release ready in the engine, for one loader."""
    settings = config.load().docker

    def make(release: str, loader: str = "c") -> Runtime:
        return docker.make_ready(table.get(release), loaders=[Loader(loader)], settings=settings)

    return make


@pytest.fixture(scope="module")
def contained(contained_runtime: Callable[..., Runtime]) -> Runtime:
    """A release that still has an op for every attack, in its container; those that attack it call it by this number, too."""
    return contained_runtime("2.4.4")


@pytest.fixture(scope="module")
def image(contained: Runtime) -> str:
    """The id of its image."""
    assert contained.container is not None
    return contained.container.inside(native=True).image.id
