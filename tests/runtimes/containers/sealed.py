"""Programs in the place of a worker: the first process of a container that is sealed as a worker's is, or with a part of it off."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from savedmodel_compat.runtimes.containers import life, seal
from savedmodel_compat.runtimes.containers.facts import State
from savedmodel_compat.runtimes.containers.seal import Seal
from savedmodel_compat.runtimes.containers.site import Site

UNLIMITED_MEMORY = {"mem_limit": None, "memswap_limit": None}
"""What a container is changed by so that its memory has no limit."""
OPEN = {
    "user": "0:0",
    "read_only": False,
    "cap_drop": None,
    "security_opt": ["seccomp=unconfined"],
    "ipc_mode": "private",
    "tmpfs": None,
    "ulimits": [{"name": "core", "soft": -1, "hard": -1}],
    **UNLIMITED_MEMORY,
    "pids_limit": None,
    "nano_cpus": None,
}
"""All seals off but the network's: what an ordinary container has, and no filter of system calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that containers can be in.

    Args:
        id: the engine's name for it.
        address: that this machine has there.
    """

    id: str
    address: str


_HEAD = struct.Struct(">BxxxL")
_SECONDS = 60.0
_KILLED = 137


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of a program.

    Args:
        out: what it printed.
        err: on standard error.
        state: of its container.
        seconds: from its start to its end.
    """

    out: str
    err: str
    state: State
    seconds: float


@contextlib.contextmanager
def network(site: Site) -> Iterator[Network]:
    """Yield a network of its own; the engine's usual one may be off."""
    with contextlib.closing(site.engine._open_client()) as sdk:
        name = f"savedmodel-compat-test-{uuid.uuid4().hex[:8]}"
        made = sdk.create_network(name, labels=dict(life.labels()))["Id"]
        try:
            settings = sdk.inspect_network(made)["IPAM"]["Config"]
            yield Network(id=made, address=settings[0]["Gateway"])
        finally:
            sdk.remove_network(made)


@contextlib.contextmanager
def listening(address: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a service at an address of this machine, and the list of who has called it."""
    callers: list[str] = []
    try:
        server = socket.create_server((address, 0))
    except OSError as error:
        pytest.skip(f"the engine's networks are another machine's: {error}")
    with server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, (caller, _) = server.accept()
                    callers.append(caller)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of the SDK's, with those that ``changes`` has too taken from there."""
    return {name: changes.get(name, value) for name, value in settings.items()}


def run(
    site: Site,
    image: str,
    program: str,
    *,
    limits: Seal | None = None,
    megabytes: int = 64,
    changes: Mapping[str, Any] | None = None,
) -> Ended:
    """Run a program of Python in a container, and return what became of it.

    Args:
        site: the engine.
        image: its image's id.
        program: its text.
        limits: of the container; those of a user who has set none if None.
        megabytes: what a cell may use.
        changes: settings to have instead of the seal's.
    """
    command = ["python3", "-I", "-c", program]
    settings = seal.settings(image, command, {})
    host = seal.host(limits or Seal(), site.facts, megabytes=megabytes)
    changes = {**(changes or {})}
    # The SDK has two switches for one thing; what the seal says of both holds unless one is changed.
    if "network_mode" in changes:
        changes.setdefault("network_disabled", changes["network_mode"] == "none")
    container = site.engine.create(changed(settings, changes), changed(host, changes))
    try:
        with contextlib.closing(site.engine.attach(container)) as stream:
            site.engine.start(container)
            began = time.monotonic()
            said = b""
            while piece := stream.receive(1 << 16):
                said += piece
        seconds = time.monotonic() - began
        return Ended(**_sorted(said), state=_end(site, container), seconds=seconds)
    finally:
        site.engine.remove(container)


def _sorted(said: bytes) -> dict[str, str]:
    texts = {1: b"", 2: b""}
    at = 0
    while at < len(said):
        kind, size = _HEAD.unpack_from(said, at)
        at += _HEAD.size + size
        texts[kind] += said[at - size : at]
    return {"out": texts[1].decode(), "err": texts[2].decode()}


def _end(site: Site, container: str) -> State:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        state = site.engine.state(container)
        assert state is not None
        if not state.running:
            if state.exit_code == _KILLED and not state.out_of_memory:
                # Where control groups are of version 2, the engine hears of that by another way.
                time.sleep(0.5)
                state = site.engine.state(container)
                assert state is not None
            return state
        time.sleep(0.02)
    raise AssertionError(f"the container runs after {_SECONDS:g} s, though its streams are closed")
