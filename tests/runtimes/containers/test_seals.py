"""The seal of a container, part by part: what a model cannot do in it, and that it could without that part."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import socket
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hostile
import pytest
import sealed

from savedmodel_compat.errors import WorkerError
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import engine as engines
from savedmodel_compat.runtimes.containers import life, seal
from savedmodel_compat.runtimes.containers.contained import Site
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun

RELEASE = "2.4.4"
LIMITS = Limits(seconds=30, megabytes=1000)
SECRET = "correct horse battery staple"

Told = list[object]
"""What a model answered to each set of inputs: a value, or the text of its failure."""


@pytest.fixture(scope="module")
def contained(contained_runtime: Callable[..., Runtime]) -> Runtime:
    """A release that still has an op for every attack, in its container."""
    return contained_runtime(RELEASE)


@pytest.fixture(scope="module")
def image(contained: Runtime) -> str:
    """The id of its image."""
    assert contained.container is not None
    return contained.container.inside(native=True).image.id


@pytest.fixture(scope="module")
def wheel(wheel_runtime: Callable[[str], Runtime]) -> Runtime:
    """The same release without any seal."""
    return wheel_runtime(RELEASE)


@pytest.fixture
def sdk(site: Site) -> Iterator[Any]:
    """The SDK's own client, for what the harness does not need of an engine."""
    with contextlib.closing(site.engine._open_client()) as client:
        yield client


@pytest.fixture
def network(sdk: Any) -> Iterator[tuple[str, str]]:
    """A network of the engine's, and the address that this machine has in it."""
    name = f"savedmodel-compat-test-{uuid.uuid4().hex[:8]}"
    made = sdk.create_network(name, labels=dict(life.labels()))["Id"]
    try:
        [settings] = sdk.inspect_network(made)["IPAM"]["Config"]
        yield made, settings["Gateway"]
    finally:
        sdk.remove_network(made)


@contextlib.contextmanager
def listening(address: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a service at an address of this machine, and who has called it."""
    callers: list[str] = []
    with socket.create_server((address, 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, (caller, _) = server.accept()
                    callers.append(caller)
                    connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1], callers
        server.shutdown(socket.SHUT_RDWR)


def tell(runtime: Runtime, work: LoadAndRun) -> Told:
    """What a model answers in a worker that it has for itself, with the model mounted."""
    with Worker(runtime, native=True, models=[work.model]) as worker:
        verdict = worker.run(work, LIMITS)
    assert verdict.completed, verdict
    return [
        answer.failure.text if answer.failure else answer.outputs and answer.outputs["y"].item()
        for answer in verdict.answers
    ]


def test_a_model_writes_nothing_but_scratch(contained: Runtime, tmp_path: Path) -> None:
    """WriteFile gets into /tmp, and nowhere else: not into its own folder, the worker's, TensorFlow's, the root."""
    writer = hostile.writer(tmp_path / "writer")
    refused = (
        "/models/00000/x /models/x /shelf/x /shelf/00000/__main__.py /opt/tensorflow/x /x /etc/x /var/tmp/x /dev/x "
        "/dev/shm/x /proc/sys/kernel/domainname /sys/x"
    ).split()
    feeds = [{"path": path.encode(), "text": b"hello"} for path in [*refused, "/tmp/x"]]
    *told, scratch = tell(contained, writer.ask(*feeds))
    done = [
        path
        for path, text in zip(refused, told, strict=True)
        if not any(word in str(text) for word in ("Read-only", "Permission denied", "ermission"))
    ]
    assert done == []
    assert scratch == b"/tmp/x"
    assert [entry.name for entry in writer.path.iterdir()] == ["saved_model.pb"]


def test_what_a_model_writes_stays_in_its_container(
    contained: Runtime, wheel: Runtime, tmp_path: Path
) -> None:
    """A file of the user's is overwritten by the model without a container, and not out of one."""
    writer, file = hostile.writer(tmp_path / "writer"), tmp_path / "thesis.txt"
    file.write_text("years of work")
    work = writer.ask({"path": os.fsencode(file), "text": b"gone"})
    tell(contained, work)
    assert file.read_text() == "years of work"
    tell(wheel, work)
    assert file.read_text() == "gone"


def test_a_model_reads_nothing_of_this_machine(
    contained: Runtime, wheel: Runtime, tmp_path: Path
) -> None:
    """ReadFile gets at a file beside the model without a container, and not out of one, by whatever way."""
    reader, secret = hostile.reader(tmp_path / "reader"), tmp_path / "secret"
    secret.write_text(SECRET)
    (reader.path / "assets").mkdir()
    (reader.path / "assets" / "link").symlink_to(secret)
    ways = [secret, reader.path / ".." / "secret", reader.path / "assets" / "link"]
    inside = [
        "/models/00000/../secret",
        "/models/00000/assets/link",
        "/models/secret",
        "/shelf/secret",
    ]
    work = reader.ask(*({"path": os.fsencode(way)} for way in [*ways, *inside]))
    assert [text == SECRET.encode() for text in tell(wheel, work)] == [True] * 3 + [False] * 4
    assert [text for text in tell(contained, work) if "; No such file" not in str(text)] == []


def test_a_model_sees_its_container_s_own_files(contained: Runtime, tmp_path: Path) -> None:
    """The name, the users and the processes that it can read of are not this machine's."""
    reader = hostile.reader(tmp_path / "reader")
    paths = ("/etc/hostname", "/etc/shadow", "/proc/1/environ", "/var/run/docker.sock")
    work = reader.ask(*({"path": path.encode()} for path in paths))
    name, *others = map(str, tell(contained, work))
    assert socket.gethostname() not in name
    for text, refusal in zip(others, ("Permission", "Permission", "No such file"), strict=True):
        assert refusal in text


def test_no_variables_of_the_controller(
    contained: Runtime, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the environment of the controller nor the proxies of its Docker settings get into a container."""
    proxy = f"http://user:{SECRET.replace(' ', '-')}@proxy:3128"
    settings = {"proxies": {"default": {"httpProxy": proxy, "httpsProxy": proxy}}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("SAVEDMODEL_COMPAT_SECRET", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    engine = engines.connect()
    here = Site(engine)
    assert contained.container is not None
    runtime = replace(contained, container=replace(contained.container, site=here))
    reader = hostile.reader(tmp_path / "reader")
    [said] = tell(runtime, reader.ask({"path": b"/proc/self/environ"}))
    here.close()
    engine.close()
    assert isinstance(said, bytes)
    variables = dict(entry.split(b"=", 1) for entry in said.rstrip(b"\0").split(b"\0"))
    assert variables[b"HOME"] == b"/tmp"
    assert not [value for value in variables.values() if proxy.encode() in value]
    assert not [value for value in variables.values() if SECRET.encode() in value]
    with contextlib.closing(engine._open_client()) as sdk:
        ordinary = sdk.create_container(image, ["true"], labels=dict(life.labels()))["Id"]
        given = sdk.inspect_container(ordinary)["Config"]["Env"]
        sdk.remove_container(ordinary)
    assert f"HTTP_PROXY={proxy}" in given


def test_no_network(site: Site, image: str, network: tuple[str, str]) -> None:
    """A service of this machine's is reached from a container that has a network, and not from a sealed one."""
    name, address = network
    with listening(address) as (port, callers):
        program = (
            "import os, socket\n"
            "up = [n for n in os.listdir('/sys/class/net') if int(open(f'/sys/class/net/{n}/flags').read(), 16) & 1]\n"
            "print(up, flush=True)\n"
            f"socket.create_connection(({address!r}, {port}), 5)"
        )
        ended = sealed.run(site, image, program)
        assert (ended.out, callers) == ("['lo']\n", [])
        assert "Network is unreachable" in ended.err
        ended = sealed.run(site, image, program, changes={"network_mode": name})
    assert "eth0" in ended.out
    assert len(callers) == 1


def test_a_model_s_own_call_reaches_nobody(
    contained: Runtime, wheel: Runtime, network: tuple[str, str], tmp_path: Path
) -> None:
    """An op that calls a service does so without a container, and nobody hears it out of one."""
    caller = hostile.caller(tmp_path / "caller")
    with listening(network[1]) as (port, callers):
        address = f"{network[1]}:{port}".encode()
        work = caller.ask({"address": address, "method": b"/s/m", "request": b"hello"})
        tell(contained, work)
        assert callers == []
        tell(wheel, work)
    assert callers != []


@pytest.fixture
def setuid_image(site: Site, image: str) -> Iterator[str]:
    """An image with a program that runs as root, whoever starts it."""
    text = f"FROM {image}\nRUN cp /usr/bin/id /usr/local/bin/who && chmod 4755 /usr/local/bin/who\n"
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    name = f"savedmodel-compat/test-setuid:{uuid.uuid4().hex[:8]}"
    made = site.engine.build(
        iter([context.getvalue()]), name=name, arguments={}, labels=life.labels(), printed=[]
    )
    yield made.id
    site.engine.remove_image(made.id)


def test_a_program_of_root_s_gives_nobody_its_rights(site: Site, setuid_image: str) -> None:
    """The setuid bit makes root of an ordinary user, and not in a sealed container."""
    program = "import os; os.execv('/usr/local/bin/who', ['who', '-u'])"
    assert sealed.run(site, setuid_image, program).out == f"{seal.USER}\n"
    ordinary = {"security_opt": None}
    assert sealed.run(site, setuid_image, program, changes=ordinary).out == "0\n"


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

found = {}
with open('/proc/self/status') as status:
    for line in status:
        name, _, value = line.partition(':')
        found[name] = value.strip()
found['ids'] = [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]
found['core'] = resource.getrlimit(resource.RLIMIT_CORE)[0]
found['devices'] = names('/dev')
found['sockets'] = [p for p in ('/var/run/docker.sock', '/run/docker.sock') if os.path.exists(p)]
found['masked'] = {p: size(p) for p in ('/proc/keys', '/proc/timer_list')}
found['sysctl'] = may_write('/proc/sys/kernel/hostname')
found['cgroup'] = may_write('/sys/fs/cgroup/memory/memory.limit_in_bytes') or may_write('/sys/fs/cgroup/memory.max')
found['calls'] = {
    'unshare': refused(272, 0x10000000),
    'keyctl': refused(250, 0, -3, 0),
    'open_by_handle_at': refused(304, -1, None, 0),
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
    assert "EPERM" not in in_the_open["calls"].values()


def test_the_machine_is_out_of_reach(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """No devices but the harmless ones, no engine's socket, nothing of the kernel's to write or to learn keys from."""
    harmless = "fd full mqueue null ptmx pts random stderr stdin stdout tty urandom zero"
    assert inside["devices"] == harmless.split()
    assert inside["sockets"] == []
    assert not any(inside["masked"].values())
    assert (inside["sysctl"], inside["cgroup"], inside["root"]) == (False, False, ["ro"])
    assert in_the_open["root"] == ["rw"]


def test_no_core_dumps(inside: dict[str, Any], in_the_open: dict[str, Any]) -> None:
    """What a crash would write is not written."""
    assert inside["core"] == 0
    assert in_the_open["core"] == resource.RLIM_INFINITY


EXECUTED = """
import os, shutil, subprocess
for folder in ('/tmp', '/dev/mqueue'):
    try:
        shutil.copy('/bin/true', folder)
        os.chmod(folder + '/true', 0o755)
        print(subprocess.call([folder + '/true']))
    except OSError as error:
        print(error.strerror)
    print(subprocess.call(['/lib64/ld-linux-x86-64.so.2', folder + '/true'], stderr=subprocess.DEVNULL) == 0)
"""


def test_nothing_that_was_written_is_executed(site: Site, image: str) -> None:
    """A program in the writable folder does not start, nor does the loader load it; without the seal it does."""
    said = sealed.run(site, image, EXECUTED).out.splitlines()
    assert said[:2] == ["Permission denied", "False"]
    assert "0" not in said
    assert "True" not in said
    assert sealed.run(site, image, EXECUTED, changes=sealed.OPEN).out.splitlines()[0] == "0"


OPENINGS: dict[str, tuple[dict[str, Any], str]] = {
    "seccomp": (
        {"security_opt": ["no-new-privileges", "seccomp=unconfined"]},
        "no seccomp profile",
    ),
    "privileges": ({"security_opt": None}, "privileges can be gained"),
    "root": ({"read_only": False}, "its root can be written"),
    "user": ({"user": "0:0"}, "it runs as root"),
    "capabilities": ({"cap_drop": ["NET_RAW"]}, "capabilities CapBnd 00000000a80405fb"),
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
    opened: Callable[[dict[str, Any]], None], network: tuple[str, str], contained: Runtime
) -> None:
    """The same of a network."""
    opened({"network_mode": network[0], "network_disabled": False})
    with pytest.raises(WorkerError, match="not sealed: it has a network\n"):
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
