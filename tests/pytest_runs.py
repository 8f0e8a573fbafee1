"""How the tests of the plugin run pytest: in a process of its own, with the plugin, in a repository that pytester makes."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

import savedmodel_compat
from savedmodel_compat.cache import VARIABLE, default_root

# pytester gives each run a home of its own; runtimes and interpreters are found from the real one.
HOME, CACHE = Path.home(), default_root()


def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run find runtimes, interpreters and this very package; it knows nothing of a CI around it."""
    monkeypatch.setenv("HOME", str(HOME))
    monkeypatch.setenv(VARIABLE, str(CACHE))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(Path(savedmodel_compat.__file__).parent.parent))


def command(*arguments: str) -> list[str]:
    """Return pytest's arguments, with the plugin, whether it is installed or only importable."""
    installed = entry_points(group="pytest11", name="savedmodel_compat")
    plugin = [] if installed else ["-psavedmodel_compat.plugin"]
    # Importing Hypothesis takes longer than many of these runs, and none of them has a property.
    return [*plugin, "-pno:cacheprovider", "-pno:hypothesispytest", *arguments]


def run_pytest(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Run pytest in a process of its own."""
    return project.runpytest_subprocess(*command(*arguments), timeout=300)
