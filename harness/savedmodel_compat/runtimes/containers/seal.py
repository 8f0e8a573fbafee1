"""What a container may do: next to nothing. The engine's settings for it, and the proof that they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.containers.facts import Facts

USER = 65534
"""The user ``nobody``, who owns nothing anywhere."""

_LOADED_MB = 1024
"""What a loaded TensorFlow and the worker may take beside a cell (measured: up to 0.5 GB)."""
_SCRATCH_FILES = 65536
"""How many files and folders may be there at a time: they are removed after each cell, which takes a second for some 150,000."""
_FILTERED = "2"
"""SECCOMP_MODE_FILTER (linux/seccomp.h)."""


ONE_GPU: Mapping[str, Any] = {"count": 1, "capabilities": [["gpu", "utility"]]}
"""The request for a GPU, as the SDK takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The limits of a container, over those that are not for anybody to choose.

    Args:
        megabytes: of memory for a cell and its runtime, without swap; None is what a cell is given, and 1024 for the runtime.
        processors: how many it may keep busy; None is half of the engine's.
        processes: how many processes and threads it may have at a time; None is 512, and 16 for each of the engine's processors.
        scratch_megabytes: of its only writable folder, ``/tmp``, which is memory too.
    """

    megabytes: int | None = None
    processors: float | None = None
    processes: int | None = None
    scratch_megabytes: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder or volume that a container sees, read-only.

    Args:
        source: a path on the engine's machine, or a volume's name.
        target: where the container finds it.
        is_volume: which of the two ``source`` is.
    """

    source: str
    target: str
    is_volume: bool = False

    @property
    def as_setting(self) -> dict[str, object]:
        """The mount as the engine's interface has it."""
        kind = "volume" if self.is_volume else "bind"
        return {"Type": kind, "Source": self.source, "Target": self.target, "ReadOnly": True}


def settings(image: str, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a sealed container, as the SDK takes them.

    Args:
        image: its image's id.
        command: its first process; nothing of the image's own entry point runs.
        environment: its variables; beside them it has those of its image and none of the controller's.
    """
    return {
        "image": image,
        "command": list(command[1:]),
        "entrypoint": [command[0]],
        "environment": {"HOME": "/tmp", **environment},  # noqa: S108 - the container's own
        "user": f"{USER}:{USER}",
        "working_dir": "/",
        # It stands in TensorFlow's messages, which are to be the same in every run.
        "hostname": "savedmodel-compat",
        "stdin_open": True,
        "detach": False,
        "tty": False,
        "network_disabled": True,
        "healthcheck": {"test": ["NONE"]},
        "labels": dict(life.labels()),
    }


def host(
    seal: Seal,
    facts: Facts,
    *,
    megabytes: int,
    mounts: Sequence[Mount] = (),
    volumes: Sequence[str] = (),
    gpu: bool = False,
) -> dict[str, Any]:
    """Return the engine's part of the settings, as the SDK takes them.

    Args:
        seal: the limits.
        facts: of the engine.
        megabytes: what a cell may use; 0 for all that the engine has.
        mounts: what it sees of models, read-only.
        volumes: folders for which the image asks a volume of its own; they are empty and read-only instead.
        gpu: whether it is given one.
    """
    everything = facts.memory_bytes >> 20
    memory = seal.megabytes or (megabytes + _LOADED_MB if megabytes else everything)
    processors = seal.processors or max(1.0, facts.processors / 2)
    return {
        "mem_limit": memory << 20,
        "memswap_limit": memory << 20,
        "nano_cpus": int(min(processors, facts.processors) * 1e9),
        "pids_limit": seal.processes or 512 + 16 * facts.processors,
        "network_mode": "none",
        # What CUDA wants of /dev/shm is its own affair; all else does without.
        "ipc_mode": "private" if gpu else "none",
        "read_only": True,
        "tmpfs": {
            **dict.fromkeys(volumes, "ro,noexec,nosuid,nodev,size=4k"),
            "/tmp": f"rw,noexec,nosuid,nodev,mode=1777,size={seal.scratch_megabytes}m,nr_inodes={_SCRATCH_FILES}",  # noqa: S108
        },
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "privileged": False,
        "ulimits": [{"name": "core", "soft": 0, "hard": 0}],
        # The answers travel over standard output, and the engine would write every tensor to its disk.
        "log_config": {"type": "none"},
        "mounts": [mount.as_setting for mount in mounts],
        "device_requests": [ONE_GPU] if gpu else None,
    }


def demand(said: Mapping[str, Any], label: str, *, facts: Facts) -> None:
    """Refuse a container that is not sealed as it was asked to be.

    Args:
        said: what ``worker/_seal.py`` found inside.
        label: what messages call the runtime.
        facts: of the engine.

    Raises:
        WorkerError: something is open; the engine does not do what it is told.
    """
    wanted = {
        "Seccomp": (_FILTERED, "no seccomp profile"),
        "NoNewPrivs": ("1", "privileges can be gained"),
        "read_only_root": (True, "its root can be written"),
        "routes": (0, "it has a network"),
    }
    wrong = [words for name, (value, words) in wanted.items() if said.get(name) != value]
    wrong += [
        f"capabilities {name} {said.get(name)}"
        for name in ("CapEff", "CapBnd")
        if int(said.get(name, "f"), 16)
    ]
    if said.get("uid") in {0, None}:
        wrong.append("it runs as root")
    unlimited = {*said.get("unlimited", ()), *facts.unlimited}
    wrong += [f"no limit on its {name}" for name in sorted(unlimited)]
    wrong += [f"{folder} can be written" for folder in said.get("writable", ("everything",))]
    if wrong:
        raise WorkerError(
            f"the container of {label} is not sealed: {', '.join(wrong)}",
            hint="the engine's defaults are loosened, or it cannot do it: `docker info` shows its security "
            "options and its warnings; a model that nobody trusts must not run there",
        )
