"""Whether an engine can give a container a GPU."""

from __future__ import annotations

from savedmodel_compat.errors import EngineError, UnsupportedError
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.seal import ONE_GPU
from savedmodel_compat.runtimes.labels import RECIPE

_NOTHING = "savedmodel-compat/nothing"
_REFUSED = ("could not select device driver", "nvidia", "cdi device", "unresolvable")


def demand(engine: Engine) -> None:
    """Refuse an engine that has no GPU to give.

    It is asked to start a container of an image without files with a GPU: it looks for the GPU first, and says so where there is none;
    that there is nothing to start then comes as another error.

    Raises:
        UnsupportedError: it has none; with its own words.
        EngineError: it does not answer.
    """
    image = engine.image(_NOTHING) or engine.import_empty(_NOTHING, {RECIPE: "nothing"})
    container = engine.create(
        {"image": image.id, "command": ["/nothing"], "labels": dict(life.labels())},
        {"device_requests": [ONE_GPU], "network_mode": "none"},
    )
    try:
        engine.start(container)
    except EngineError as error:
        said = error.message.lower()
        if any(words in said for words in _REFUSED):
            raise UnsupportedError(
                f"the Docker engine at {engine.address} has no GPU to give: {error.message}",
                hint="install the NVIDIA driver and container toolkit on the engine's machine",
            ) from error
    finally:
        engine.remove(container)
        engine.remove_image(image.id)
