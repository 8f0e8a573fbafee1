"""Docker engines that tests may kill: started beside the one that is there, with a place of their own, as root only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

_SECONDS = 60


class OwnEngine:
    """A dockerd of ours.

    Args:
        root: its folder, for images, containers, socket and log; short, because a socket's path is.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """What DOCKER_HOST has to be for it."""
        return f"unix://{self._root}/sock"

    @property
    def log(self) -> str:
        """What it printed."""
        return (self._root / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    # An engine without a bridge removes the one that it finds, and another may be using that.
                    *("unshare", "--net", "dockerd"),
                    f"--data-root={self._root}/data",
                    f"--exec-root={self._root}/exec",
                    f"--pidfile={self._root}/pid",
                    f"--host={self.address}",
                    "--bridge=none",
                    "--iptables=false",
                    "--ip-forward=false",
                    # Killed ones leave no time for a good-bye, and stopped ones need none.
                    "--shutdown-timeout=1",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _SECONDS
        while self.docker("version", check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"dockerd does not start:\n{self.log[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a lost machine does: at once, its containers with it."""
        self._end(signal.SIGKILL)
        for pid in self._others():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while self._others():
            time.sleep(0.02)

    def freeze(self) -> None:
        """Let it be there and say nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Docker's own command line against it."""
        return subprocess.run(
            ["docker", "--host", self.address, *arguments],
            capture_output=True,
            text=True,
            check=check,
        )

    def give(self, images: Sequence[str]) -> None:
        """Give it images of the engine that is there."""
        save = ["docker", "save", *images]
        with subprocess.Popen(save, stdout=subprocess.PIPE) as saved:
            load = ["docker", "--host", self.address, "load", "--quiet"]
            subprocess.run(load, stdin=saved.stdout, check=True, stdout=subprocess.DEVNULL)
        assert saved.returncode == 0

    def close(self) -> None:
        """End it and remove what it has."""
        self.kill()
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        for target in sorted((line.split()[1] for line in mounts), reverse=True):
            if target.startswith(f"{self._root}/"):
                subprocess.run(["umount", "--lazy", target], check=True)
        shutil.rmtree(self._root)

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(_SECONDS)

    def _others(self) -> list[int]:
        """Return its containerd, and the shims with what runs in their containers."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (folder / "cmdline").read_bytes()
                if f"{self._root}/exec".encode() in command:
                    found += [int(folder.name), *_below(int(folder.name))]
        return found


def _below(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            children += [child, *_below(child)]
    return children


@contextlib.contextmanager
def running(images: Sequence[str]) -> Iterator[OwnEngine]:
    """Yield an engine of ours that runs; skip where none can be started.

    Args:
        images: those of the engine that is there which it is given.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can start an engine that may be killed")
    lacking = [
        name
        for name in ("dockerd", "containerd", "docker", "unshare")
        if shutil.which(name) is None
    ]
    if lacking:
        pytest.skip(f"an engine that may be killed cannot be started: no {', '.join(lacking)}")
    engine = OwnEngine(Path(tempfile.mkdtemp(prefix="dockerd-")))
    try:
        engine.start()
        engine.give(images)
        yield engine
    finally:
        engine.close()
