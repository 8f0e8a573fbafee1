"""The seam to uv: environments, packages and interpreters; and pip's settings in uv's words."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from savedmodel_compat.errors import InfrastructureError
from savedmodel_compat.runtimes import processes

_OPTIONS = {
    "index-url": ("--index-url", ("UV_DEFAULT_INDEX", "UV_INDEX_URL")),
    "extra-index-url": ("--extra-index-url", ("UV_INDEX", "UV_EXTRA_INDEX_URL")),
    "find-links": ("--find-links", ("UV_FIND_LINKS",)),
    "trusted-host": ("--allow-insecure-host", ("UV_INSECURE_HOST",)),
}
"""For each setting of pip: uv's option, and the variables by which a user has set it already."""

_TRUE = frozenset({"1", "true", "yes", "on"})
_FIND_SECONDS = 60.0


def executable() -> Path | None:
    """Return the uv to use: that of this environment, else the one on PATH, else None."""
    if importlib.util.find_spec("uv") is not None:
        # The distribution is an optional extra, with nothing but the binary in it.
        from uv import find_uv_bin

        return Path(find_uv_bin())
    found = shutil.which("uv")
    return None if found is None else Path(found)


def make_environment(uv: Path, python: Path, folder: Path) -> None:
    """Make an empty virtual environment of ``python`` in ``folder``.

    Raises:
        InfrastructureError: uv did not make it.
        OSError: the disk is full.
    """
    _call(uv, ("venv", "--no-project", "--python", python, folder), environment=dict(os.environ))


def install(
    uv: Path,
    python: Path,
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
) -> None:
    """Run ``uv pip install`` in the virtual environment of ``python``.

    Raises:
        InfrastructureError: uv did not install everything.
        OSError: the disk is full.
    """
    _call(uv, ("pip", "install", "--python", python, *arguments), environment=environment)


def freeze(uv: Path, python: Path) -> str:
    """Return the exact versions in the virtual environment of ``python``, a line each.

    Raises:
        InfrastructureError: uv does not tell.
    """
    command = ("pip", "freeze", "--python", python)
    return _call(uv, command, environment=dict(os.environ)).stdout


def managed_python(uv: Path, version: str) -> Path | None:
    """Return the CPython ``version`` that uv has installed, or None.

    uv's own search of PATH is not used: it ends at the first interpreter that does not run.
    """
    environment = {**os.environ, "UV_PYTHON_PREFERENCE": "only-managed"}
    command = (uv, "python", "find", "--no-project", "--no-python-downloads", version)
    done = processes.run(command, environment=environment, timeout=_FIND_SECONDS)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def install_python(uv: Path, version: str) -> None:
    """Let uv download the CPython ``version``.

    Raises:
        InfrastructureError: uv could not, or is configured not to.
        OSError: the disk is full.
    """
    _call(uv, ["python", "install", version], environment=dict(os.environ))


def options(pip_settings: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[str]:
    """Yield uv's options for what pip is configured with, and what uv itself is not.

    Args:
        pip_settings: pip's settings by name; lists are separated by white space.
        environment: the variables in which uv's own settings take precedence.
    """
    for name, (option, variables) in _OPTIONS.items():
        if not any(variable in environment for variable in variables):
            yield from (f"{option}={value}" for value in pip_settings.get(name, "").split())
    if pip_settings.get("no-index", "").lower() in _TRUE:
        yield "--no-index"
    if "extra-index-url" in pip_settings and "UV_INDEX_STRATEGY" not in environment:
        # pip takes a version from whichever index has it; every version here is exact.
        yield "--index-strategy=unsafe-best-match"


def variables(pip_settings: Mapping[str, str], environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return ``environment`` with the certificates and the proxy that pip uses.

    Args:
        pip_settings: pip's settings by name.
        environment: the variables to start from; what they say is kept.
    """
    # pip trusts the system's certificates; the switch has an older and a newer name.
    added = {"UV_NATIVE_TLS": "true", "UV_SYSTEM_CERTS": "true"}
    if "cert" in pip_settings:
        added["SSL_CERT_FILE"] = pip_settings["cert"]
    if "proxy" in pip_settings:
        added["ALL_PROXY"] = pip_settings["proxy"]
    return {**added, **environment}


def _call(
    uv: Path,
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
) -> processes.Completed:
    done = processes.run([uv, *arguments], environment=environment)
    if done.disk_is_full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[-1]))
    if done.returncode != 0:
        task = " ".join(map(str, arguments[:2]))
        raise InfrastructureError(f"`uv {task}` did not succeed: {done.describe()}")
    return done
