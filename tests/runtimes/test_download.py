"""Tests of fetching wheels: through the real pip where it matters, with its seam replaced where not."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from savedmodel_compat.cache import Cache
from savedmodel_compat.errors import DownloadError, InfrastructureError, UnsupportedError
from savedmodel_compat.runtimes import _pip, download
from savedmodel_compat.runtimes.manifest import sha256_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wheels are Linux's")
