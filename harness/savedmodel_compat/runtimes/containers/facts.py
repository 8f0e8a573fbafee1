"""What an engine says of itself, of its images, containers and volumes: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an engine says of the machine that it is on.

    Args:
        version: the engine's.
        processors: how many it has for all containers.
        memory_bytes: likewise.
        security: its security options, such as ``name=seccomp,profile=default``.
        machine: what `platform.machine` says there.
        unlimited: of ``memory``, ``processes`` and ``processors``, those that it cannot limit, whatever it is told.
    """

    version: str
    processors: int
    memory_bytes: int
    security: tuple[str, ...]
    machine: str
    unlimited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine has.

    Args:
        name: what it was asked for by, such as ``tensorflow/tensorflow:2.11.1``.
        id: the digest of its configuration, which is its identity on every engine.
        digest: ``repository@sha256:…`` under which a registry has it; None if none has.
        bytes: its size, layers that it shares with others included.
        labels: its labels.
        created: when it was made, as the engine writes it.
        tags: every name that it has.
        volumes: the folders for which it asks a volume of its own.
    """

    name: str
    id: str
    digest: str | None = None
    bytes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    tags: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What messages call it."""
        return f"image {self.name} ({self.id[:19]})"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What became of a container.

    Args:
        running: whether its first process is there.
        paused: whether somebody has frozen it.
        is_unstarted: whether it never was.
        exit_code: of that process; 128 and the signal's number if one ended it.
        out_of_memory: whether the kernel ended a process of it for its memory.
        error: what the engine says if it could not be started.
        labels: its labels.
        created: when it was made, as the engine writes it.
    """

    running: bool
    paused: bool = False
    is_unstarted: bool
    exit_code: int
    out_of_memory: bool
    error: str
    labels: Mapping[str, str]
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume that the engine has.

    Args:
        name: its name.
        labels: its labels.
        created: when it was made, as the engine writes it.
    """

    name: str
    labels: Mapping[str, str]
    created: str
