"""The proof of the seal: what a program finds in a container, and that no cell runs in one that is open."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.runtimes.containers import sealed
from tests.runtimes.containers.sealed import Network

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import seal
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.requests import Limits

RELEASE = "2.4.4"


@pytest.fixture
def network(site: Site) -> Iterator[Network]:
    """A network of the engine's."""
    with sealed.network(site) as made:
        yield made


FACTS = """
import ctypes, errno, json, os, resource

def names(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return None

def size(path):
    try:
        with open(path, 'rb') as file:
            return len(file.read(4096))
    except OSError:
        return None

def refused(number, *arguments):
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(number, *arguments)
    return result < 0 and errno.errorcode[ctypes.get_errno()]

def may_write(path):
    try:
        os.close(os.open(path, os.O_WRONLY))
    except OSError:
        return False
    return True

def limit(name):
    try:
        return open('/sys/fs/cgroup/' + name).read().strip()
    except OSError:
        return None

found = {}
found['swap'] = limit('memory.swap.max')
with_swap = limit('memory/memory.memsw.limit_in_bytes')
if with_swap is not None:
    found['swap'] = str(int(with_swap) - int(limit('memory/memory.limit_in_bytes')))
with open('/proc/self/status') as status:
    for line in status:
        name, _, value = line.partition(':')
        found[name] = value.strip()
found['ids'] = [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]
found['core'] = resource.getrlimit(resource.RLIMIT_CORE)[0]
found['devices'] = names('/dev')
found['sockets'] = [p for p in ('/var/run/docker.sock', '/run/docker.sock') if os.path.exists(p)]
found['masked'] = {p: size(p) for p in ('/proc/kcore', '/proc/keys', '/proc/timer_list')}
found['sysctl'] = may_write('/proc/sys/kernel/hostname')
found['cgroup'] = may_write('/sys/fs/cgroup/memory/memory.limit_in_bytes') or may_write('/sys/fs/cgroup/memory.max')
found['calls'] = {
    'unshare': refused(272, 0x10000000),
    'keyctl': refused(250, 0, -3, 0),
    'chroot': refused(161, b'/'),
}
found['root'] = [line.split()[3].split(',')[0] for line in open('/proc/mounts') if line.split()[1] == '/']
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def inside(site: Site, image: str) -> dict[str, Any]:
    """What a program finds in a sealed container."""
    found: dict[str, Any] = json.loads(sealed.run(site, image, FACTS).out)
    return found


@pytest.fixture(scope="module")
def in_the_open(site: Site, image: str) -> dict[str, Any]:
    """What it finds in one with all seals off but the network's."""
    found: dict[str, Any] = json.loads(sealed.run(site, image, FACTS, changes=sealed.OPEN).out)
    return found


def test_no_capabilities(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """A program in a sealed container has none, and can get none."""
    names = [name for name in inside if name.startswith("Cap")]
    assert len(names) == 5
    assert [int(inside[name], 16) for name in names] == [0] * 5
    assert int(in_the_open["CapBnd"], 16)


def test_an_ordinary_user(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """It is nobody, in nobody's group, and cannot become anybody else."""
    assert inside["ids"] == [65534, 65534, 65534, [65534]]
    assert inside["NoNewPrivs"] == "1"
    assert in_the_open["ids"][0] == 0
    assert in_the_open["NoNewPrivs"] == "0"


def test_system_calls_are_filtered(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """Those that the engine's default profile forbids fail; there is such a profile."""
    assert inside["Seccomp"] == "2"
    assert set(inside["calls"].values()) == {"EPERM"}
    assert in_the_open["Seccomp"] == "0"
    assert in_the_open["calls"]["keyctl"] is False


def test_the_machine_is_out_of_reach(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """No devices but the harmless ones, no engine's socket, nothing of the kernel's to write or to learn keys from."""
    harmless = "core fd full mqueue null ptmx pts random stderr stdin stdout tty urandom zero"
    assert set(inside["devices"]) <= set(harmless.split())
    assert inside["sockets"] == []
    assert not any(inside["masked"].values())
    assert (inside["sysctl"], inside["cgroup"], inside["root"]) == (False, False, ["ro"])
    assert in_the_open["root"] == ["rw"]


def test_no_swap(site: Site, image: str, inside: dict[str, Any]) -> None:
    """A program has no more memory with the machine's swap than without."""
    if inside["swap"] is None:
        pytest.skip("this kernel does not count swap")
    more = {"mem_limit": 1 << 30, "memswap_limit": 2 << 30}
    assert inside["swap"] == "0"
    assert json.loads(sealed.run(site, image, FACTS, changes=more).out)["swap"] == str(1 << 30)


def test_no_core_dumps(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """What a crash would write is not written."""
    assert inside["core"] == 0
    assert in_the_open["core"] == resource.RLIM_INFINITY


OPENINGS: dict[str, tuple[dict[str, Any], str]] = {
    "seccomp": (
        {"security_opt": ["no-new-privileges", "seccomp=unconfined"]},
        "no seccomp profile",
    ),
    "privileges": ({"security_opt": None}, "privileges can be gained"),
    "root": ({"read_only": False}, "its root can be written"),
    "user": ({"user": "0:0"}, "it runs as root"),
    "capabilities": ({"cap_drop": ["NET_RAW"]}, "capabilities CapBnd [0-9a-f]{16}"),
    "memory": (sealed.UNLIMITED_MEMORY, "no limit on its memory"),
    "processes": ({"pids_limit": None}, "no limit on its processes"),
    "processors": ({"nano_cpus": None}, "no limit on its processors"),
}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Have an engine that does not do all that it is told."""
    host, settings = seal.host, seal.settings

    def change(changes: dict[str, Any]) -> None:
        monkeypatch.setattr(seal, "host", lambda *a, **k: sealed.changed(host(*a, **k), changes))
        monkeypatch.setattr(
            seal, "settings", lambda *a, **k: sealed.changed(settings(*a, **k), changes)
        )

    return change


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_container_that_is_open_is_refused(
    opening: str, opened: Callable[[dict[str, Any]], None], contained: Runtime
) -> None:
    """No cell runs where one seal is off, and the message says which."""
    changes, words = OPENINGS[opening]
    opened(changes)
    with (
        pytest.raises(WorkerError, match=rf"{RELEASE} docker cpu is not sealed: {words}\n"),
        Worker(contained, native=True) as worker,
    ):
        worker.start()


def test_a_container_with_a_network_is_refused(
    opened: Callable[[dict[str, Any]], None], network: Network, contained: Runtime
) -> None:
    """The same of a network."""
    opened({"network_mode": network.id, "network_disabled": False})
    with pytest.raises(WorkerError, match="not sealed: it has a network\n"):
        Worker(contained, native=True).start()


def test_an_engine_that_cannot_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, site: Site, contained: Runtime
) -> None:
    """Where the kernel has no control groups for the engine, it starts a container without a word, and no cell runs there."""
    info = {"MemoryLimit": False, "PidsLimit": False, "CpuCfsQuota": True}
    engine = Engine("unix:///nowhere", lambda **_: SimpleNamespace(info=lambda: info))
    monkeypatch.setattr(site, "facts", replace(site.facts, unlimited=engine.facts().unlimited))
    with pytest.raises(WorkerError, match="no limit on its memory, no limit on its processes\n"):
        Worker(contained, native=True).start()


def test_a_sealed_container_is_taken(
    opened: Callable[[dict[str, Any]], None], contained: Runtime
) -> None:
    """The same worker starts where nothing was changed, and where nobody asked for a limit of memory."""
    opened({})
    with Worker(contained, native=True) as worker:
        worker.start()
        worker.start(Limits(seconds=30, megabytes=0))
        assert worker.tensorflow == RELEASE
