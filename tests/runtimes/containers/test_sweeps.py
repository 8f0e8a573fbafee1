"""Whose containers are whose: a sweep takes what dead runs have left, and never what belongs to a run that lives."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from tests.runtimes.containers.commands import docker

from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.containers import life
from savedmodel_compat.runtimes.containers.facts import State, Volume
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.labels import OWNER, RUN


@pytest.fixture
def image(contained_runtime: Callable[..., Runtime]) -> str:
    """The id of an image that every test here may use."""
    container = contained_runtime("1.15.5").container
    assert container is not None
    return container.inside(native=True).image.id


def labels(owner: str, run: str) -> tuple[str, ...]:
    """Options of Docker's own command line that make something somebody's."""
    return ("--label", f"{OWNER}={owner}", "--label", f"{RUN}={run}")


def make(image: str, owner: str, *options: str, run: str = "of-a-test") -> str:
    """Create a container by hand, as if somebody had."""
    [made] = docker("create", "--network", "none", *labels(owner, run), *options, image, "none")
    return made


@pytest.fixture
def dead() -> str:
    """The name of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        return life.owner(ended.pid)


def test_whose_is_swept(site: Site, image: str, dead: str) -> None:
    """A sweep takes what belongs to a process that has ended, also if its number has been given anew, and nothing else."""
    me = life.owner()
    machine, number, began = me.split(".")
    owners = {
        "mine": me,
        "parent's": life.owner(os.getppid()),
        "dead": dead,
        "of my number": f"{machine}.{number}.{int(began) - 1}",
        "stranger": f"elsewhere-1.{number}.{began}",
        "nobody's": "",
    }
    made = {name: make(image, owner) for name, owner in owners.items()}
    try:
        assert life.sweep(site.engine) >= 2
        there = docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={RUN}")
        kept = {name for name, container in made.items() if container in there}
        assert kept == {"mine", "parent's", "stranger", "nobody's"}
    finally:
        docker("rm", "--force", *made.values())


def test_two_sweeps_at_once(site: Site, image: str, dead: str) -> None:
    """Runs that start together find the same leftovers, and each other's hands at them; what is in use stays for the next."""
    names = [f"savedmodel-compat-of-a-test-{uuid.uuid4().hex}" for _ in range(4)]
    for name in names:
        docker("volume", "create", *labels(dead, "of-a-test"), name)
    made = [make(image, dead, "--volume", f"{name}:/shelf") for name in names for _ in range(2)]
    user = make(image, life.owner(), "--volume", f"{names[0]}:/shelf")
    try:
        with ThreadPoolExecutor() as pool:
            swept = [pool.submit(life.sweep, site.engine) for _ in range(4)]
        assert all(each.result() >= 0 for each in swept)
        # What one was about to remove when the others looked was in use.
        life.sweep(site.engine)
        there = docker("ps", "--all", "--quiet", "--no-trunc")
        assert [each for each in (*made, user) if each in there] == [user]
        there = docker("volume", "ls", "--quiet")
        assert [name for name in names if name in there] == [names[0]]
    finally:
        docker("rm", "--force", user)
        docker("volume", "rm", "--force", *names)


def test_volumes_of_strangers(site: Site, image: str) -> None:
    """A volume of another machine goes a day after it was made, if no container of its run is there any more."""
    stranger = {OWNER: "elsewhere-1.1.1", RUN: "of-another-test"}
    moments = [datetime.now(timezone.utc) - timedelta(hours=hours) for hours in (20, 50)]
    young, old = (
        Volume(name="x", labels=stranger, created=moment.strftime("%Y-%m-%dT%H:%M:%S+02:00"))
        for moment in moments
    )
    assert not life._is_left(young, site.engine)
    assert life._is_left(old, site.engine)
    filler = make(image, stranger[OWNER], run=stranger[RUN])
    try:
        assert not life._is_left(old, site.engine)
    finally:
        docker("rm", "--force", filler)


def container(*, running: bool = False, unstarted: bool = False, age: timedelta) -> State:
    """A container of another machine."""
    made = datetime.now(timezone.utc) - age
    return State(
        running=running,
        is_unstarted=unstarted,
        exit_code=0,
        out_of_memory=False,
        error="",
        labels={OWNER: "elsewhere-1.1.1"},
        created=made.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
    )


def test_what_of_strangers_is_swept() -> None:
    """Nobody here knows whether a process of another machine lives, and so time decides; running ones stay."""
    assert not life._is_leftover(container(running=True, age=timedelta(days=30)))
    assert not life._is_leftover(container(age=timedelta(minutes=9)))
    assert life._is_leftover(container(age=timedelta(minutes=11)))
    assert not life._is_leftover(container(unstarted=True, age=timedelta(hours=23)))
    assert life._is_leftover(container(unstarted=True, age=timedelta(hours=25)))
    unsaid = replace(container(age=timedelta(days=30)), created="some time ago")
    assert not life._is_leftover(unsaid)


def test_folders_of_strangers(tmp_path: Path) -> None:
    """Folders of dead processes go; those of another machine, or of this one before its last start, go after a day."""
    machine, number, began = life.owner().split(".")
    names = (
        f"{machine}.{number}.{began}",
        f"{machine}.{number}.1",
        "before-1.1.1",
        "elsewhere-1.1.1",
    )
    mine, dead, old, young = (tmp_path / f"{name}@x" for name in names)
    for folder in (mine, dead, old, young):
        folder.mkdir()
        (folder / "00000").write_text("a model's\n")
    day = time.time() - 90_000
    os.utime(old, (day, day))
    os.utime(mine, (day, day))
    life.sweep_folders(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, young])


HIDDEN = """
import ctypes, os, subprocess, sys
from savedmodel_compat.runtimes.containers import life
owner = life.owner(os.getppid())
with subprocess.Popen([sys.executable, "-c", ""]) as ended:
    gone = life.owner(ended.pid)
assert ctypes.CDLL(None).unshare(0x00020000) == 0
for arguments in (["--make-rprivate", "/"], ["-t", "proc", "-o", "hidepid=2", "proc", "/proc"]):
    subprocess.run(["mount", *arguments], check=True)
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
assert not os.path.exists(f"/proc/{os.getppid()}")
print(life.is_over(owner), life.is_over(gone))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can hide its processes from others")
def test_a_process_that_cannot_be_seen() -> None:
    """Where /proc hides other users' processes, one that is there is not taken for a dead one."""
    said = subprocess.run(
        [sys.executable, "-c", HIDDEN], check=False, capture_output=True, text=True
    )
    if "permission denied" in said.stderr.lower() or "unshare" in said.stderr:
        pytest.skip(f"this machine lets nobody mount: {said.stderr[-200:]}")
    assert said.stdout == "None True\n", said.stderr
