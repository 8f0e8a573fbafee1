"""The command line at work in a process of its own, what it has in the engine meanwhile, and what it leaves."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from savedmodel_compat.cache import VARIABLE, default_root
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.labels import OWNER

COMMAND = (sys.executable, "-c", "from savedmodel_compat.cli import main; main()")
_MARK = "SAVEDMODEL_COMPAT_TEST_MARK"
_SHELVES = "shelves"
_SECONDS = 60.0

_T = TypeVar("_T")


def wait_for(what: str, look: Callable[[], _T | None], seconds: float = _SECONDS) -> _T:
    """Return the first true thing that ``look`` finds.

    Args:
        what: it is, for the message.
        look: looks once.
        seconds: how long to go on.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {seconds:g} s")


def docker(*arguments: str, host: str | None = None) -> list[str]:
    """Return the lines that Docker's own command line prints.

    Args:
        arguments: of it.
        host: the engine; the one of the environment if None.
    """
    chosen = ["--host", host] if host else []
    done = subprocess.run(
        ["docker", *chosen, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def owned(owner: str, host: str | None = None) -> list[str]:
    """Return the containers and volumes of an owner in an engine."""
    mine = f"label={OWNER}={owner}"
    return [
        *docker("ps", "--all", "--quiet", "--no-trunc", "--filter", mine, host=host),
        *docker("volume", "ls", "--quiet", "--filter", mine, host=host),
    ]


def own_cache(folder: Path) -> dict[str, str]:
    """Make a cache that has all that there is, and shelves that nobody else sweeps; return the variables that choose it."""
    folder.mkdir()
    for entry in default_root().iterdir():
        if entry.name != _SHELVES:
            (folder / entry.name).symlink_to(entry)
    return {VARIABLE: str(folder)}


class Command:
    """A started command.

    Args:
        arguments: of ``savedmodel-compat``, or a whole other command.
        folder: where it writes its record.
        environment: variables over the test's own; with DOCKER_HOST if the engine is not that of the environment.
        program: what is run.
    """

    def __init__(
        self,
        *arguments: str | os.PathLike[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        program: tuple[str, ...] = COMMAND,
    ) -> None:
        self._mark = uuid.uuid4().hex
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = folder / "record.json"
        options = ["--json", str(self._file)] if program[-len(COMMAND) :] == COMMAND else []
        environment = environment or {}
        self.host = environment.get("DOCKER_HOST")
        self._cache = Path(environment.get(VARIABLE, default_root()))
        with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [*program, *(os.fspath(each) for each in arguments), *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **environment, _MARK: self._mark},
                start_new_session=True,
            )
        self.owner = life.owner(self.process.pid)

    def end(self, seconds: float = _SECONDS) -> int:
        """Wait for its end, and return its exit code."""
        return self.process.wait(seconds)

    @property
    def out(self) -> str:
        """What it printed."""
        return (self._folder / "out").read_text()

    @property
    def err(self) -> str:
        """What it said beside that."""
        return (self._folder / "err").read_text()

    def interrupt(self) -> None:
        """Send what Ctrl-C sends to everything that the terminal sees of it."""
        os.killpg(self.process.pid, signal.SIGINT)

    @property
    def record(self) -> dict[str, Any]:
        """The record that it wrote."""
        said: dict[str, Any] = json.loads(self._file.read_text())
        return said

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Consumer and outcome of every cell of its record."""
        return [(cell["consumer"], cell["outcome"]) for cell in self.record["cells"]]

    def containers(self) -> list[str]:
        """The ids of its containers that run."""
        mine = f"label={OWNER}={self.owner}"
        return docker("ps", "--quiet", "--no-trunc", "--filter", mine, host=self.host)

    def at_work(self) -> str:
        """Wait until a cell is at work, and return its container."""
        return wait_for("a cell at work", lambda: next(iter(self.working()), None))

    def working(self) -> list[str]:
        """The containers in which a cell is at work."""
        self._demand_alive()
        found = []
        for container in self.containers():
            with contextlib.suppress(subprocess.CalledProcessError):
                # A line of titles, the worker, and the cell that it has forked.
                if len(docker("top", container, "-o", "pid", host=self.host)) > 2:
                    found.append(container)
        return found

    def made(self) -> list[str]:
        """Wait until it has anything in the engine, and return that."""
        return wait_for("a container", self._made)

    def _made(self) -> list[str]:
        self._demand_alive()
        return owned(self.owner, self.host)

    def _demand_alive(self) -> None:
        if self.process.poll() is not None:
            raise AssertionError(
                f"it has ended with {self.process.returncode}:\n{self.out}\n{self.err}"
            )

    def processes(self) -> list[int]:
        """The processes on this machine that come from it, itself not among them."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{_MARK}={self._mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return [pid for pid in found if pid != self.process.pid]

    def shelves(self) -> list[Path]:
        """Its folders in the cache."""
        return list((self._cache / _SHELVES).glob(f"{self.owner}@*"))

    def left(self) -> list[object]:
        """Everything that is there of it: containers, volumes, folders, processes."""
        return [*owned(self.owner, self.host), *self.shelves(), *self.processes()]

    def leaves_nothing(self, seconds: float = 10.0) -> None:
        """Demand that nothing of it is there, soon."""
        with contextlib.suppress(AssertionError):
            wait_for("its end", lambda: not self.left(), seconds)
        if left := self.left():
            raise AssertionError(f"after {seconds:g} s there is left: {left}")


@contextlib.contextmanager
def started(*arguments: str | os.PathLike[str], **options: Any) -> Iterator[Command]:
    """Yield a started command; it is killed if it is there at the end."""
    command = Command(*arguments, **options)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()
