"""The seal of a container, part by part: what a model cannot do in it, and that it could without that part."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import tarfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.runtimes.containers import hostile, sealed
from tests.runtimes.containers.sealed import Network

from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers import connection, life, seal
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.requests import Limits, LoadAndRun

RELEASE = "2.4.4"
LIMITS = Limits(seconds=30, megabytes=1000)
SECRET = "correct horse battery staple"

Told = list[object]
"""What a model answered to each set of inputs: a value, or the text of its failure."""


@pytest.fixture(scope="module")
def wheel(wheel_runtime: Callable[[str], Runtime]) -> Runtime:
    """The same release without any seal."""
    return wheel_runtime(RELEASE)


@pytest.fixture
def network(site: Site) -> Iterator[Network]:
    """A network of the engine's."""
    with sealed.network(site) as made:
        yield made


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


def test_what_a_model_writes_is_gone_for_the_next_cell(
    contained: Runtime, wheel: Runtime, tmp_path: Path
) -> None:
    """A cell finds nothing in /tmp that one before it has written there, in the same container; without one it does."""
    writer, finder = hostile.writer(tmp_path / "writer"), hostile.finder(tmp_path / "finder")
    deep = "/".join(["deep"] * 500)
    left = Path("/tmp") / f"savedmodel-compat-test-{uuid.uuid4().hex}"
    write = writer.ask({"path": os.fsencode(left / deep / "x"), "text": b"hello"})
    look = finder.ask({"pattern": os.fsencode(f"{left}*")})
    found = []
    for runtime in (contained, wheel):
        with Worker(runtime, native=True) as worker:
            assert worker.run(write, LIMITS).answers[0].outputs is not None
            [answer] = worker.run(look, LIMITS).answers
        assert answer.outputs is not None
        found.append(answer.outputs["y"].tolist())
    shutil.rmtree(left)
    assert found == [[], [os.fsencode(left)]]


def test_a_model_reads_nothing_of_this_machine(
    contained: Runtime, wheel: Runtime, tmp_path: Path
) -> None:
    """ReadFile gets at a file beside the model without a container, and not out of one, by whatever way."""
    reader, secret = hostile.reader(tmp_path / "reader"), tmp_path / "secret"
    secret.write_text(SECRET)
    (reader.path / "assets").mkdir()
    (reader.path / "assets" / "link").symlink_to(secret)
    ways: list[str | Path] = [
        secret,
        reader.path / ".." / "secret",
        reader.path / "assets" / "link",
    ]
    inside = [
        "/models/00000/../secret",
        "/models/00000/assets/link",
        "/models/secret",
        "/shelf/secret",
    ]
    work = reader.ask(*({"path": os.fsencode(way)} for way in (*ways, *inside)))
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
    engine = connection.connect()
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


def test_no_network(site: Site, image: str, network: Network) -> None:
    """A service of this machine's is reached from a container that has a network, and not from a sealed one."""
    with sealed.listening(network.address) as (port, callers):
        program = (
            "import os, socket\n"
            "up = [n for n in os.listdir('/sys/class/net') if int(open(f'/sys/class/net/{n}/flags').read(), 16) & 1]\n"
            "print(up, flush=True)\n"
            f"socket.create_connection(({network.address!r}, {port}), 5)"
        )
        ended = sealed.run(site, image, program)
        assert (ended.out, callers) == ("['lo']\n", [])
        assert "Network is unreachable" in ended.err
        ended = sealed.run(site, image, program, changes={"network_mode": network.id})
    assert "eth0" in ended.out
    assert len(callers) == 1


def test_a_model_s_own_call_reaches_nobody(
    contained: Runtime, wheel: Runtime, network: Network, tmp_path: Path
) -> None:
    """An op that calls a service does so without a container, and nobody hears it out of one."""
    caller = hostile.caller(tmp_path / "caller")
    with sealed.listening(network.address) as (port, callers):
        address = f"{network.address}:{port}".encode()
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
    with contextlib.closing(site.engine._open_client()) as sdk:
        # A container that is going just now would hold it.
        sdk.remove_image(made.id, force=True)


def test_a_program_of_root_s_gives_nobody_its_rights(site: Site, setuid_image: str) -> None:
    """The setuid bit makes root of an ordinary user, and not in a sealed container."""
    program = "import os; os.execv('/usr/local/bin/who', ['who', '-u'])"
    assert sealed.run(site, setuid_image, program).out == f"{seal.USER}\n"
    ordinary = {"security_opt": None}
    assert sealed.run(site, setuid_image, program, changes=ordinary).out == "0\n"


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
