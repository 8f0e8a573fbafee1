"""Whether this machine has what the providers need: checks as data, with what to do about them."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from savedmodel_compat.cache import VARIABLE, default_root
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.runtimes import _uv, interpreters, pins

_OLDEST_PYTHON = (3, 10)
_COMFORTABLE_BYTES = 10 * 10**9
_LEAST_BYTES = 2 * 10**9


class Verdict(str, Enum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"

    def __str__(self) -> str:
        """Return the word that the report shows."""
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Args:
        name: what was looked at.
        verdict: whether it will do; ``warn`` means that some releases or providers go without.
        what: what was found, with the numbers.
        hint: what to do about it; None if nothing has to be.
    """

    name: str
    verdict: Verdict
    what: str
    hint: str | None = None


def examine(table: pins.PinTable) -> Iterator[Check]:
    """Yield every check, the quick ones first; nothing is fetched.

    Args:
        table: the pins whose interpreters are looked for.
    """
    yield _platform(table)
    yield _python()
    yield _cache()
    yield _pip()
    yield _uv_tool()
    yield from _interpreters(table)
    yield _docker()


def _platform(table: pins.PinTable) -> Check:
    what = f"{platform.system()} on {platform.machine()}"
    if sys.platform != "linux":
        return Check(
            name="platform",
            verdict=Verdict.FAIL,
            what=f"{what}: providers wheel, venv and docker need Linux",
            hint="`inspect`, `check` and `diff` work here; run the rest in a Linux container",
        )
    missing = [pin.release for pin in table.on("cpu") if pin.unavailable is not None]
    if missing:
        return Check(
            name="platform",
            verdict=Verdict.WARN,
            what=f"{what}: no wheels there of TensorFlow {', '.join(missing)}",
        )
    return Check(name="platform", verdict=Verdict.OK, what=what)


def _python() -> Check:
    fine = sys.version_info >= _OLDEST_PYTHON
    return Check(
        name="python",
        verdict=Verdict.OK if fine else Verdict.FAIL,
        what=f"CPython {platform.python_version()} at {sys.executable}",
        hint=None if fine else "CPython 3.10 or later is needed",
    )


def _cache() -> Check:
    root = default_root()
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    what = f"{root}, {free / 1e9:.1f} GB free"
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Check(
            name="cache",
            verdict=Verdict.FAIL,
            what=f"{root} cannot be written: no write permission on {existing}",
            hint=f"set {VARIABLE} to a folder of your own",
        )
    if free >= _COMFORTABLE_BYTES:
        return Check(name="cache", verdict=Verdict.OK, what=what)
    return Check(
        name="cache",
        verdict=Verdict.WARN if free >= _LEAST_BYTES else Verdict.FAIL,
        what=f"{what}; a release takes 0.1 to 1.1 GB as a wheel, 0.3 to 1.7 GB more as a venv",
        hint=f"`savedmodel-compat runtime remove`, or set {VARIABLE} to a larger disk",
    )


def _pip() -> Check:
    found = importlib.util.find_spec("pip") is not None
    return Check(
        name="pip",
        verdict=Verdict.OK if found else Verdict.FAIL,
        what="importable" if found else f"not importable for {sys.executable}, and fetches wheels",
        hint=None if found else f"`{sys.executable} -m ensurepip`, or `uv pip install pip`",
    )


def _uv_tool() -> Check:
    path = _uv.executable()
    return Check(
        name="uv",
        verdict=Verdict.WARN if path is None else Verdict.OK,
        what="not installed: provider venv uses pip, which is slower"
        if path is None
        else str(path),
        hint="`pip install savedmodel-compat[venv]`" if path is None else None,
    )


def _interpreters(table: pins.PinTable) -> Iterator[Check]:
    for version in sorted({pin.python for pin in table.on("cpu")}, key=_numbers):
        found = interpreters.installed(version)
        if found is not None:
            what = f"{found.version} at {found.path}"
            yield Check(name=f"CPython {version}", verdict=Verdict.OK, what=what)
            continue
        releases = ", ".join(pin.release for pin in table.on("cpu") if pin.python == version)
        yield Check(
            name=f"CPython {version}",
            verdict=Verdict.WARN,
            what=f"not found; provider venv goes without TensorFlow {releases}",
            hint=interpreters.how_to_get(version),
        )


def _docker() -> Check:
    optional = "only provider docker needs it"
    from savedmodel_compat.runtimes.containers import connection

    try:
        found = connection.connect()
        facts = found.facts()
        found.close()
    except SavedModelCompatError as error:
        what = f"{error.message}; {optional}"
        return Check(name="docker", verdict=Verdict.WARN, what=what, hint=error.hint)
    what = (
        f"engine {facts.version} at {found.address}: {facts.processors} processors, "
        f"{facts.memory_bytes / 1e9:.0f} GB"
    )
    if not any("seccomp" in said for said in facts.security):
        return Check(
            name="docker",
            verdict=Verdict.WARN,
            what=f"{what}; it has no seccomp profile, so that no container can be sealed",
            hint="provider docker refuses such an engine; see its --seccomp-profile",
        )
    return Check(name="docker", verdict=Verdict.OK, what=what)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
