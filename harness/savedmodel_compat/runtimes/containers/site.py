"""An engine in use: what the containers of this process share there."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import threading

from savedmodel_compat.errors import EngineError, UnsupportedError
from savedmodel_compat.runtimes.containers import gpus, life, watch
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.facts import Facts
from savedmodel_compat.runtimes.containers.shelf import FarShelf, NearShelf, Shelf


class Site:
    """An engine in use by this process: its facts, its shelf, the watcher over what is left there.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.facts: Facts = engine.facts()
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._shelf: Shelf | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._has_gpu = False
        self._no_gpu: UnsupportedError | None = None
        self.swept = life.sweep(engine)
        atexit.register(self.close)

    def shelf(self, image: str) -> Shelf:
        """Return the shelf, made for the first container.

        Args:
            image: any image that the engine has.
        """
        with self._lock:
            if self._watcher is None:
                self._watcher = watch.start(life.run())
            if self._shelf is None:
                self._shelf = self._near(image) or FarShelf(self.engine, image)
            return self._shelf

    def _near(self, image: str) -> Shelf | None:
        """Return a shelf on this machine, if the engine sees it there and lets its containers read it."""
        # Where SELinux labels files, those of a user cannot be read in a container; a volume can.
        if not self.engine.is_near or any("selinux" in said for said in self.facts.security):
            return None
        near = NearShelf()
        try:
            # A folder of this name is on no other machine, and the engine refuses to mount what is not there.
            probe = self.engine.create(
                {"image": image, "command": ["none"], "labels": dict(life.labels())},
                {"binds": [], "mounts": [near.mount.as_setting], "network_mode": "none"},
            )
        except EngineError:
            near.close()
            return None
        self.engine.remove(probe)
        return near

    def close(self) -> None:
        """Remove what all containers shared, and what else there may be of this run."""
        if os.getpid() != self._pid:
            return  # a forked child ends, and its parent goes on
        with self._lock:
            shelf, self._shelf = self._shelf, None
            watcher, self._watcher = self._watcher, None
            nothing_left = False
            # An engine that is gone may be back for the watcher, or for the next start of any run, which sweeps.
            with contextlib.suppress(EngineError):
                if watcher is not None:
                    life.end(self.engine, life.run())
                nothing_left = True
            with contextlib.suppress(EngineError):
                if shelf is not None:
                    shelf.close()
            if watcher is not None:
                watch.end(watcher, nothing_left=nothing_left)
            self.engine.close()

    def demand_gpu(self) -> None:
        """Refuse an engine without a GPU to give; it is asked once.

        Raises:
            UnsupportedError: it has none.
            EngineError: it does not answer.
        """
        with self._lock:
            if self._no_gpu is None and not self._has_gpu:
                try:
                    gpus.demand(self.engine)
                except UnsupportedError as error:
                    self._no_gpu = error
                else:
                    self._has_gpu = True
        if self._no_gpu is not None:
            raise UnsupportedError(self._no_gpu.message, hint=self._no_gpu.hint)
