"""What the tests and the suites share: where third-party models are, and runtimes that are ready."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

# A shell that starts us in the background has interrupts ignored, and tests of interrupts would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

CORPUS = "SAVEDMODEL_COMPAT_CORPUS"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of third-party SavedModels; tests that need it do not run where it is not."""
    folder = os.environ.get(CORPUS)
    if not folder:
        pytest.skip(f"{CORPUS} does not name a folder of third-party SavedModels")
    return Path(folder)
