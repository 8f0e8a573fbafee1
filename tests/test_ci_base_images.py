"""Tests of what gets the base images for the checks, with a docker that only pretends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "base-images"
NATIVE = "savedmodel-compat/stand-in:bookworm"
PYTHON = "savedmodel-compat/stand-in-python"

# Images are files: with the label's value, or empty.
DOCKER = """#!/bin/bash
echo "$*" >>"$PRETENCE/asked"
case "$1 $2" in
"version ") exit ;;
"image inspect")
    image="$PRETENCE/images/${!#//\\//+}"
    [ -e "$image" ] || exit 1
    case "$*" in *.Id*) echo sha256:0 ;; *Labels*) cat "$image" ;; esac ;;
"pull -q")
    [ -e "$PRETENCE/registry/${!#}" ] && { touch "$PRETENCE/images/${!#//\\//+}"; exit; }
    [ -e "$PRETENCE/registry" ] && { echo "manifest unknown" >&2; exit 1; }
    echo "no such host" >&2; exit 1 ;;
"import "*) echo -n 1 >"$PRETENCE/images/${!#//\\//+}" ;;
*) echo "what is $*?" >&2; exit 1 ;;
esac
"""
DEBOOTSTRAP = """#!/bin/bash
echo "$@" >>"$PRETENCE/bootstrapped"
mkdir -p "$4/etc"
touch "$4/etc/resolv.conf" "$4/etc/debian_version"
[ ! -e "$PRETENCE/dies" ] || kill -KILL "$PPID"
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("flock") is None,
    reason="only root on Linux makes base images",
)


@pytest.fixture
def pretence(tmp_path: Path) -> Path:
    """Return the folder with the programs, the images that are there, and what was asked."""
    programs = {
        "docker": DOCKER,
        "debootstrap": DEBOOTSTRAP,
        # A namespace of mounts is not everywhere to be had; what it is for is no matter here.
        "unshare": '#!/bin/bash\nshift; exec "$@"\n',
    }
    for name, text in programs.items():
        program = tmp_path / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    (tmp_path / "images").mkdir()
    return tmp_path


@pytest.fixture
def base_images(pretence: Path) -> Run:
    """Call the script on a machine that has no CPython."""

    def call(*pythons: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, *pythons],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={
                "PATH": f"{pretence}:/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME": str(pretence),
                "PRETENCE": str(pretence),
                "SAVEDMODEL_COMPAT_CACHE": str(pretence / "cache"),
            },
        )

    return call


def asked(pretence: Path, word: str) -> list[str]:
    """List what docker was asked to do."""
    lines = (pretence / "asked").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(word)]


def publish(pretence: Path, *images: str) -> None:
    """Let a registry answer, and have these images."""
    registry = pretence / "registry"
    registry.mkdir()
    for image in images:
        (registry / image).touch()


def test_nothing_is_exported_where_images_can_be_pulled(base_images: Run, pretence: Path) -> None:
    """The defaults hold there, and nothing is made."""
    publish(pretence, "python:3.11-slim-bookworm", "python:3.7-slim-bookworm")
    done = base_images("3.7", "3.11")
    assert (done.returncode, done.stdout) == (0, "")
    assert len(asked(pretence, "pull")) == 2
    assert not (pretence / "bootstrapped").exists()


def test_what_is_there_is_not_pulled_again(base_images: Run, pretence: Path) -> None:
    """The second time asks no registry."""
    publish(pretence, "python:3.11-slim-bookworm")
    base_images()
    base_images()
    assert len(asked(pretence, "pull")) == 1


def test_a_stand_in_is_made_where_no_registry_answers(base_images: Run, pretence: Path) -> None:
    """Under a name of its own, from a Debian that knows nothing of this machine."""
    done = base_images()
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"SAVEDMODEL_COMPAT_DOCKER_NATIVE_BASE={NATIVE}\n"
    assert asked(pretence, "import")[0].endswith(f" {NATIVE}")
    archives = list((pretence / "cache" / "bases").glob("*.tar"))
    listed = subprocess.run(["tar", "-tf", *archives], check=True, capture_output=True, text=True)
    assert "./etc/debian_version" in listed.stdout
    assert "resolv.conf" not in listed.stdout


def test_debian_is_made_once(base_images: Run, pretence: Path) -> None:
    """An engine that has lost its images gets them from the cache; one that has them, nothing."""
    base_images()
    (pretence / "images" / NATIVE.replace("/", "+")).unlink()
    base_images()
    assert base_images().stdout == f"SAVEDMODEL_COMPAT_DOCKER_NATIVE_BASE={NATIVE}\n"
    assert len(asked(pretence, "import")) == 2
    assert len((pretence / "bootstrapped").read_text(encoding="utf-8").splitlines()) == 1


def test_another_recipe_makes_another_stand_in(base_images: Run, pretence: Path) -> None:
    """One that an earlier recipe made is not taken for this one's."""
    (pretence / "images" / NATIVE.replace("/", "+")).write_text("0", encoding="utf-8")
    base_images()
    assert len(asked(pretence, "import")) == 1


def test_a_registry_that_does_not_answer_is_asked_once(base_images: Run, pretence: Path) -> None:
    """Each question may take minutes."""
    base_images("3.7", "3.10")
    assert len(asked(pretence, "pull")) == 1


def test_one_image_that_is_not_public_is_no_reason_to_ask_no_more(
    base_images: Run, pretence: Path
) -> None:
    """The native base is public here, and one of the CPythons is not."""
    publish(pretence, "python:3.11-slim-bookworm", "python:3.7-slim-bookworm")
    done = base_images("3.7", "3.99")
    assert asked(pretence, "pull")[-1].endswith("python:3.99-slim-bookworm")
    assert "NATIVE" not in done.stdout


def test_a_cpython_that_this_machine_lacks_is_named(base_images: Run) -> None:
    """With the command that gets it, and without a line that would name an image."""
    done = base_images("3.99")
    assert done.returncode == 1
    assert f"no CPython 3.99 to make {PYTHON}:3.99 of; `pyenv install 3.99`" in done.stderr
    assert "PYTHON_BASE" not in done.stdout


def test_what_a_killed_run_leaves_is_removed(base_images: Run, pretence: Path) -> None:
    """Half a Debian is never taken for a whole one."""
    (pretence / "dies").touch()
    assert base_images().returncode == -9
    bases = pretence / "cache" / "bases"
    assert list(bases.glob("making.*/debian/etc"))
    assert not list(bases.glob("*.tar"))
    (pretence / "dies").unlink()
    assert base_images().returncode == 0
    assert not list(bases.glob("making.*"))


def test_nothing_is_left_in_the_cache_but_debian(base_images: Run, pretence: Path) -> None:
    """Not even after a failure."""
    base_images("3.99")
    names = sorted(path.name.partition("-")[0] for path in (pretence / "cache/bases").iterdir())
    assert names == ["bookworm", "lock"]


def test_an_engine_that_does_not_answer_is_said(base_images: Run, pretence: Path) -> None:
    """Before anything is made."""
    (pretence / "docker").write_text("#!/bin/bash\nexit 1\n", encoding="utf-8")
    done = base_images()
    assert done.returncode == 1
    assert "no Docker engine answers; see .ci/engine" in done.stderr
