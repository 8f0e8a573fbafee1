"""The way to the engine: Docker's own settings, and the SDK's client for what they name. With ``engine.py``, all that imports the SDK."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import Mapping
from typing import Any

from savedmodel_compat.errors import ConfigurationError, EngineError
from savedmodel_compat.runtimes.containers.engine import ANSWER_SECONDS, Engine


def connect(environment: Mapping[str, str] | None = None) -> Engine:
    """Return the engine that Docker's own settings name: DOCKER_HOST, else the chosen context, else this machine's.

    Args:
        environment: variables; the process's own if None.

    Raises:
        ConfigurationError: the Docker SDK is not installed.
        EngineError: there is no such context, or no engine answers.
    """
    try:
        import docker
    except ImportError as error:
        raise ConfigurationError(
            f"provider docker needs the Docker SDK for Python, which is not there: {error}",
            hint="install savedmodel-compat with its extra [docker], or `pip install docker`",
        ) from error
    chosen = dict(os.environ if environment is None else environment)
    settings = _settings(chosen)
    address = settings.pop("base_url", None) or "unix:///var/run/docker.sock"
    if address.startswith("ssh://") and importlib.util.find_spec("paramiko") is None:
        raise ConfigurationError(
            f"the engine at {address} needs what the Docker SDK reaches over ssh with, which is not there",
            hint="pip install 'docker[ssh]'",
        )

    class Client(docker.APIClient):  # type: ignore[misc] # the SDK has no types
        def merge_environment_settings(
            self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
        ) -> Any:
            # The engine's own authority holds, and not that of REQUESTS_CA_BUNDLE, which is for the web.
            own = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, own, cert)

    def open_client(*, seconds: float = ANSWER_SECONDS) -> Any:
        _knock(address)
        try:
            return Client(
                base_url=address,
                version="auto",
                timeout=seconds,
                use_ssh_client=address.startswith("ssh://"),
                **settings,
            )
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            # The SDK believes whatever stands in them.
            raise EngineError(
                f"Docker's settings cannot be used: {address}: {error}",
                hint="DOCKER_HOST is as in unix:///var/run/docker.sock or tcp://HOST:PORT; Docker's "
                "config.json is a JSON object",
            ) from error

    engine = Engine(address, open_client)
    engine.facts()
    return engine


def _knock(address: str) -> None:
    """Raise OSError if nobody listens at a socket of this machine; the SDK would leave its own end open."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(address.removeprefix("unix://"))


def _settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the address and TLS settings of the engine, as the SDK takes them."""
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    name = environment.get("DOCKER_CONTEXT", "")
    try:
        if environment.get("DOCKER_HOST"):
            return dict(kwargs_from_env(environment=dict(environment)))
        return _of_context(name)
    except (DockerException, OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        said = f"the context '{name}'" if name else "Docker's settings"
        raise EngineError(
            f"{said} cannot be used: {error}", hint="`docker context ls` shows the contexts"
        ) from error


def _of_context(name: str) -> dict[str, Any]:
    from docker.context import ContextAPI

    context = ContextAPI.get_context(name or None)
    if context is None:
        raise EngineError(
            f"there is no Docker context '{name or 'that is chosen'}'",
            hint="`docker context ls` shows the contexts",
        )
    settings: dict[str, Any] = {"base_url": context.Host}
    if context.TLSConfig is not None:
        settings["tls"] = context.TLSConfig
    return settings
