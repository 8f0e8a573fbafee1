"""What a runtime says of itself: ``manifest.json``, written last and read to start a worker."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from savedmodel_compat.errors import InfrastructureError

_NAME = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One shared library of a runtime.

    Args:
        path: where it lies, relative to the runtime's folder.
        original_sha256: its digest in the wheel.
        sha256: its digest now; another one if symbols of it were weakened.
        weakened: the undefined symbols that were marked as weak.
    """

    path: str
    original_sha256: str
    sha256: str
    weakened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """How a runtime was made.

    Args:
        harness: the version of this package that made it.
        release: the TensorFlow release, as its library or its package says.
        wheel: the file name of the wheel.
        wheel_sha256: the wheel's digest.
        libraries: the libraries of the C loader, in load order.
        interpreter: the interpreter of the runtime, relative to its folder; None for any.
        python: the version of that interpreter.
        lock_sha256: the digest of the requirements that were installed; None if there were none.
    """

    harness: str
    release: str
    wheel: str
    wheel_sha256: str
    libraries: tuple[Library, ...]
    interpreter: str | None = None
    python: str | None = None
    lock_sha256: str | None = None

    def write(self, folder: Path) -> None:
        """Write the manifest of the runtime in ``folder``."""
        text = json.dumps(asdict(self), indent=2, sort_keys=True)
        (folder / _NAME).write_text(f"{text}\n", encoding="utf-8")


def read(folder: Path) -> Manifest:
    """Read the manifest of the runtime in ``folder``.

    Raises:
        InfrastructureError: it is missing or damaged.
    """
    path = folder / _NAME
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        rows = fields.pop("libraries")
        libraries = (Library(**{**row, "weakened": tuple(row["weakened"])}) for row in rows)
        return Manifest(libraries=tuple(libraries), **fields)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InfrastructureError(
            f"the manifest of a runtime, {path}, cannot be read: {error}; something other than "
            "this program has changed the cache",
            hint=f"remove the folder {folder}; the runtime is then made anew",
        ) from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def digest_of(*parts: str | int | None) -> str:
    """Return the short digest of what makes an entry of the cache, for its name."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
