"""Every exception that the harness raises on purpose.

::

    SavedModelCompatError               exit_code 3, a fault of the harness unless a subclass says otherwise
    ├── UsageError                      4, the command line or the configuration asks for what cannot be
    │   ├── ConfigurationError          4, pyproject.toml says something that does not hold together
    │   ├── UnknownReleaseError         4, a release specifier that no pin answers to
    │   ├── UnsupportedError            4, asked for by name, and this platform, provider or release has it not
    │   ├── NotASavedModelError         4, nothing there that could be a SavedModel
    │   │   └── DamagedModelError       4, a SavedModel that does not parse
    │   ├── GoldenMissingError          4, no golden of that model, tags and signature
    │   └── GoldenDamagedError          4, a golden that is not what it was when it was recorded
    ├── EmptySelectionError             5, nothing was selected, or nothing was compared
    ├── ExportError                     1, an exporter failed inside its producer
    └── InfrastructureError             7, a runtime could not be made ready: network, disk, engine, interpreter
        ├── DownloadError               7
        ├── EngineError                 7, the Docker engine is not there, went away, or refuses
        ├── InterpreterNotFoundError    7, no CPython of the version that a pin needs
        └── WorkerError                 7, a worker did not start, or broke the protocol
"""

from __future__ import annotations

from pathlib import Path

_RESTORE = "restore it from version control (`git checkout -- PATH`), or record it again"


class SavedModelCompatError(Exception):
    """An error whose text is meant for the user.

    Args:
        message: what happened and where, with the numbers.
        hint: the next command or step, shown after a blank line as ``hint: …``.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message and, after a blank line, the hint."""
        return self.message if self.hint is None else f"{self.message}\n\nhint: {self.hint}"


class UsageError(SavedModelCompatError):
    """The command line or the configuration asks for what cannot be."""

    exit_code = 4


class ConfigurationError(UsageError):
    """A table of pyproject.toml does not hold together."""


class UnknownReleaseError(UsageError):
    """A release specifier that no pin answers to."""


class UnsupportedError(UsageError):
    """Asked for by name, and this platform, provider or release does not have it."""


class NotASavedModelError(UsageError):
    """Nothing at that path could be a SavedModel."""


class DamagedModelError(NotASavedModelError):
    """A ``saved_model.pb`` or ``saved_model.pbtxt`` that does not parse.

    Args:
        message: as for `SavedModelCompatError`.
        hint: as for `SavedModelCompatError`.
        misnamed: whether the file is whole and something else, such as a frozen GraphDef.
    """

    def __init__(self, message: str, *, hint: str | None = None, misnamed: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.misnamed = misnamed


class GoldenMissingError(UsageError):
    """There is no golden, or no frozen model, of that name."""


class GoldenDamagedError(UsageError):
    """A file of a golden is not what it was when it was recorded, or is none of its files.

    Args:
        message: as for `SavedModelCompatError`; without the path.
        path: the file or folder that is damaged.
        hint: as for `SavedModelCompatError`; what mends most damage if nothing is given.
    """

    def __init__(self, message: str, *, path: Path, hint: str | None = None) -> None:
        super().__init__(f"{path}: {message}", hint=hint or _RESTORE)
        self.path = path
        self.problem = message


class EmptySelectionError(SavedModelCompatError):
    """Nothing was selected, or nothing was compared."""

    exit_code = 5


class ExportError(SavedModelCompatError):
    """An exporter failed inside its producer."""

    exit_code = 1


class InfrastructureError(SavedModelCompatError):
    """A runtime could not be made ready: network, disk, engine or interpreter."""

    exit_code = 7


class DownloadError(InfrastructureError):
    """A wheel could not be fetched whole."""


class EngineError(InfrastructureError):
    """The Docker engine is not there, went away, or refuses what it was told."""


class InterpreterNotFoundError(InfrastructureError):
    """No CPython of the version that a pin needs was found."""

    def __init__(self, message: str, *, python: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.python = python


class WorkerError(InfrastructureError):
    """A worker did not start, or broke the protocol."""
