"""Provider `docker` on a real engine: the same cells as provider `wheel`, the right images, honest about what they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat import cli
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.config import Docker
from savedmodel_compat.errors import InfrastructureError, UnsupportedError, WorkerError
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.runtimes import docker, inventory, pins
from savedmodel_compat.runtimes.base import Loader, Provider, Runtime
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.containers.engine import Engine
from savedmodel_compat.runtimes.containers.facts import Image
from savedmodel_compat.runtimes.containers.look import driver_of, model_of
from savedmodel_compat.runtimes.containers.shelf import tar_of
from savedmodel_compat.runtimes.containers.site import Site
from savedmodel_compat.runtimes.labels import KIND, RECIPE, RELEASE

Contain = Callable[..., Runtime]

_NAMED = "savedmodel-compat/test-named:1.15.5"
_SAME = ("outcome", "stage", "cause", "causes", "reason", "message", "detail", "compared", "notes")


@pytest.fixture(scope="module")
def named(
    site: Site, contained_runtime: Contain, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Image]:
    """An image of somebody else's, with TensorFlow 1.15.5 for the python3 on its PATH."""
    installed = contained_runtime("1.15.5", "v1").container
    assert installed is not None
    file = tmp_path_factory.mktemp("named") / "Dockerfile"
    base = installed.inside(native=False).image.id
    file.write_text(
        f'FROM {base}\nENV PATH=/opt/tensorflow/bin:/usr/bin:/bin\nENTRYPOINT ["false"]\n'
    )
    yield _built(site, file)
    site.engine.remove_image(_NAMED)


def _built(site: Site, file: Path, name: str = _NAMED) -> Image:
    context = tar_of({"Dockerfile": file})
    return site.engine.build(context, name=name, arguments={}, labels={}, printed=[])


def _cells(record: Path, *options: str) -> list[dict[str, object]]:
    code = cli.run(["run", *options, "--json", str(record)])
    cells: list[dict[str, object]] = json.loads(record.read_text())["cells"]
    assert code in {0, 1}
    return cells


def _without_machine(record: Path, paths: Sequence[str], provider: str) -> list[dict[str, object]]:
    """Return what cells say that is the same wherever they ran."""
    cells = _cells(record, *paths, "--on", "smoke", "--provider", provider)
    for cell in cells:
        # TensorFlow's message of an unknown op names the machine.
        text = str(cell["message"])
        cell["message"] = re.sub(r"running on \S+\. .*", "", text, flags=re.DOTALL)
    return [
        {key: cell[key] for key in ("model", "consumer", "signature", *_SAME)} for cell in cells
    ]


def test_the_same_cells_as_provider_wheel(site: Site, corpus: Path, tmp_path: Path) -> None:
    """Outcome, stage, causes, message and what was compared are those of provider `wheel`, for every third-party model and the set `smoke`."""
    paths = sorted(str(path.parent) for path in corpus.glob("*/saved_model.pb"))
    native = _without_machine(tmp_path / "wheel.json", paths, "wheel")
    assert _without_machine(tmp_path / "docker.json", paths, "docker") == native
    assert {cell["outcome"] for cell in native} >= {"pass", "fail", "not-run"}


def test_the_same_failures_as_provider_wheel(
    site: Site, exported: Callable[..., Model], tmp_path: Path
) -> None:
    """Unstripped, `mnist_cnn` does not load up to 2.4, and what TensorFlow says of it names the user's path and node."""
    path = str(exported("mnist_cnn", strip=False).path)
    native = _without_machine(tmp_path / "wheel.json", [path], "wheel")
    assert _without_machine(tmp_path / "docker.json", [path], "docker") == native
    assert {cell["cause"] for cell in native} == {None, "attr-unknown"}


def test_one_container_a_release(
    site: Site, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty cells of four releases on two jobs are four containers, which are started once."""
    started = []
    start = Engine.start

    def counted(engine: Engine, container: str) -> None:
        started.append(container)
        start(engine, container)

    monkeypatch.setattr(Engine, "start", counted)
    options = ("--on", "smoke", "--provider", "docker", "--jobs", "2")
    cells = _cells(tmp_path / "record.json", str(corpus / "half_plus_two_cpu"), *options)
    assert len(cells) == 20
    assert len(started) == 4


def test_a_cell_says_what_it_ran_in(
    contained_runtime: Contain, corpus: Path, tmp_path: Path
) -> None:
    """Its record has the image by id, what that is built upon, and the version that TensorFlow inside gives."""
    options = (str(corpus / "half_plus_two_cpu"), "--on", "2.4.4", "--provider", "docker")
    cell = _cells(tmp_path / "record.json", *options)[0]
    runtime = contained_runtime("2.4.4")
    assert runtime.container is not None
    image = runtime.container.inside(native=True).image
    assert cell["image"] == {
        "name": image.name,
        "id": image.id,
        "digest": None,
        "base": image.labels["savedmodel-compat.base"],
    }
    assert cell["tensorflow_version"] == "2.4.4"
    assert cell["gpu"] is None


@pytest.mark.parametrize("loader", ["v1", "v2"])
def test_the_python_loaders(
    loader: str, contained_runtime: Contain, exported: Callable[..., Model], tmp_path: Path
) -> None:
    """They run in an image with the pin's whole lock, and answer as the producer did."""
    contained_runtime("2.11.1", loader)
    path = str(exported("half_plus_two").path)
    cells = _cells(
        tmp_path / "record.json", path, "--on", "2.11.1", "--provider", "docker", "--loader", loader
    )
    assert {(cell["outcome"], cell["loader"]) for cell in cells} == {("pass", loader)}


def test_an_image_is_built_once(contained_runtime: Contain) -> None:
    """The second time it is found by the digest of what made it, which is its label."""
    first, second = contained_runtime("1.15.5"), contained_runtime("1.15.5")
    assert first.container is not None
    assert second.container is not None
    image = first.container.inside(native=True).image
    assert image.id == second.container.inside(native=True).image.id
    assert image.labels[RELEASE] == "1.15.5"
    assert image.name.endswith(image.labels[RECIPE])


def test_an_image_by_name(named: Image, table: pins.PinTable) -> None:
    """It serves every loader that it has; nothing of its entry point runs."""
    settings = Docker(image="savedmodel-compat/test-named:{release}")
    runtime = docker.make_ready(table.get("1.15.5"), settings=settings)
    assert runtime.loaders == {Loader.C, Loader.V1}
    assert runtime.container is not None
    assert runtime.container.inside(native=True).image.id == named.id
    for native in (True, False):
        with Worker(runtime, native=native) as worker:
            worker.start()
            assert worker.tensorflow == "1.15.5"


def test_an_image_of_another_release(named: Image, table: pins.PinTable) -> None:
    """A tag that lies is a fault of the infrastructure, which names both releases."""
    with pytest.raises(
        InfrastructureError, match=r"holds TensorFlow 1\.15\.5, and 2\.4\.4 was asked for"
    ):
        docker.make_ready(replace(table.get("2.4.4"), image=named.name))


def test_a_worker_of_another_release(contained_runtime: Contain, table: pins.PinTable) -> None:
    """The worker is asked too, each time that it is started."""
    lying = replace(contained_runtime("1.15.5"), pin=table.get("2.4.4"))
    with (
        pytest.raises(WorkerError, match=r"holds TensorFlow 1\.15\.5, and 2\.4\.4 was asked for"),
        Worker(lying, native=True) as worker,
    ):
        worker.start()


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("ENV PATH=/nowhere", "python3"),
        ("", "has no TensorFlow for"),
    ],
    ids=["no python", "no TensorFlow"],
)
def test_an_image_without(
    lines: str, words: str, site: Site, tmp_path: Path, contained_runtime: Contain
) -> None:
    """An image in which nothing can run is refused, by its name."""
    runtime = contained_runtime("1.15.5")
    container = runtime.container
    assert container is not None
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM {container.inside(native=True).image.id}\nLABEL bare=1\n{lines}\n")
    name = "savedmodel-compat/test-bare:1"
    _built(site, file, name)
    try:
        with pytest.raises(InfrastructureError, match=words):
            docker.make_ready(replace(runtime.pin, image=name))
    finally:
        site.engine.remove_image(name)


def test_an_image_that_cannot_be_had(site: Site, table: pins.PinTable) -> None:
    """The registry's own words are there, and what to do."""
    with pytest.raises(InfrastructureError, match=r"localhost:1/tf:1") as caught:
        docker.make_ready(replace(table.get("1.15.5"), image="localhost:1/tf:1"))
    assert "leave the image out" in str(caught.value.hint)


def test_a_build_that_fails(site: Site, table: pins.PinTable, tmp_path: Path) -> None:
    """What it printed is in the error, and the whole of it in a file; no image and no stage is left."""
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nLABEL empty=1\n")
    base = "savedmodel-compat/test-empty:1"
    _built(site, file, base)
    before = {image.id for image in site.engine.images(RECIPE)}
    try:
        with pytest.raises(InfrastructureError, match="could not be built") as caught:
            docker.make_ready(table.get("1.15.5"), settings=_only(base))
    finally:
        site.engine.remove_image(base)
    assert "Step " in caught.value.message
    log = Path(str(caught.value.hint).rpartition(" ")[2])
    assert "Step 1/" in log.read_text()
    assert {image.id for image in site.engine.images(RECIPE)} == before


def _only(base: str) -> Docker:
    return Docker(native_base=base)


@pytest.fixture(autouse=True)
def _settings_hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test names the base itself, the environment must not name another."""
    if request.node.name.startswith("test_a_build_that_fails"):
        monkeypatch.delenv("SAVEDMODEL_COMPAT_DOCKER_NATIVE_BASE", raising=False)


def test_no_gpu_is_unsupported(site: Site, corpus: Path, tmp_path: Path) -> None:
    """Without a GPU every cell says why, in the engine's words; with one, this machine's tests of GPUs have more to say."""
    if _has_gpu(site):
        pytest.skip("this engine has a GPU to give")
    record = tmp_path / "record.json"
    options = ["--provider", "docker", "--device", "gpu", "--on", "2.11.1", "--json", str(record)]
    assert cli.run(["run", str(corpus / "half_plus_two_cpu"), *options]) == 5
    cells = json.loads(record.read_text())["cells"]
    assert {cell["outcome"] for cell in cells} == {"unsupported"}
    assert "no GPU to give" in cells[0]["reason"]


def _has_gpu(site: Site) -> bool:
    try:
        site.demand_gpu()
    except UnsupportedError:
        return False
    return True


def test_one_image_that_cannot_be_had_leaves_the_other(
    site: Site, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a base for the Python loaders their cells are infrastructure errors, and those of the C++ loader pass."""
    monkeypatch.setenv("SAVEDMODEL_COMPAT_DOCKER_PYTHON_BASE", "localhost:1/none:{python}")
    record = tmp_path / "record.json"
    options = ["--provider", "docker", "--on", "1.15.5", "--loader", "c,v1", "--json", str(record)]
    assert cli.run(["run", str(corpus / "half_plus_two_cpu"), *options]) == 7
    cells = json.loads(record.read_text())["cells"]
    assert {(cell["loader"], cell["outcome"]) for cell in cells} == {
        ("c", "pass"),
        ("v1", "infra-error"),
    }
    assert "localhost:1/none:3.7" in cells[-1]["reason"]
    assert cli.run(["runtime", "build", "1.15.5", "--provider", "docker", "--loader", "c,v1"]) == 7


def test_a_gpu_without_containers_is_unsupported(corpus: Path, tmp_path: Path) -> None:
    """The pins of GPUs are images, and the reason names the provider that has them."""
    record = tmp_path / "record.json"
    options = ["--device", "gpu", "--on", "2.11.1", "--json", str(record)]
    assert cli.run(["run", str(corpus / "half_plus_two_cpu"), *options]) == 5
    [reason] = {cell["reason"] for cell in json.loads(record.read_text())["cells"]}
    assert "--provider docker" in reason


def test_what_the_driver_says() -> None:
    """Model and driver are read from what the NVIDIA driver has under /proc (as of 535 and of the open one)."""
    assert (
        driver_of(b"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19")
        == "535.104.05"
    )
    opened = b"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build"
    assert driver_of(opened) == "570.86.15"
    assert driver_of(b"") == "unknown"
    assert (
        model_of(b"Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 70\n") == "NVIDIA H100 80GB HBM3"
    )


def test_the_list_of_images(contained_runtime: Contain, capsys: pytest.CaptureFixture[str]) -> None:
    """`runtime list` shows each image that is ours, with its size."""
    contained_runtime("1.15.5")
    assert cli.run(["runtime", "list", "1.15.5", "--provider", "docker", "--format", "json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row["state"] == "ready"
    assert row["bytes"] == sum(image["bytes"] for image in row["images"]) > 100e6
    assert cli.run(["runtime", "list", "1.15.5", "--provider", "docker"]) == 0
    assert row["images"][0]["name"] in capsys.readouterr().out


def test_only_our_own_images_are_removed(
    site: Site, named: Image, table: pins.PinTable, tmp_path: Path
) -> None:
    """Of a release's images those with our label go, with what is kept of them; one of the same release by another stays."""
    pin = replace(table.get("1.4.1"), release="0.0.1")
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nLABEL tiny=1\n")
    labels = {RECIPE: "0123", RELEASE: "0.0.1", KIND: "native"}
    context = tar_of({"Dockerfile": file})
    ours = site.engine.build(
        context, name="savedmodel-compat/native:0.0.1-0123", arguments={}, labels=labels, printed=[]
    )
    kept = default_root() / "runtimes" / "docker-0.0.1-0123"
    kept.mkdir(parents=True, exist_ok=True)
    assert [row.state for row in inventory.listing([pin], providers=[Provider.DOCKER])] == [
        inventory.State.READY
    ]
    inventory.remove(pin, Provider.DOCKER, cache=Cache(root=default_root()))
    assert site.engine.image(ours.name) is None
    assert site.engine.image(named.id) is not None
    assert not kept.exists()
