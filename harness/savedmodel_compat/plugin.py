"""The pytest plugin: one test item a cell, outcomes mapped to pytest's own.

A test that takes ``savedmodel_cell`` and carries the marker ``savedmodel`` becomes one item for each cell; ``savedmodel_export``
and ``savedmodel_run`` are there for tests that want to say more. Importing this module imports nothing but the
standard library and pytest: it is loaded in every pytest run of every environment it is installed in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.run import Consumer
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.matrix.session import Where

MARKER = "savedmodel"
_RECORD = "savedmodel_record"
_CELL = "savedmodel_cell"


@dataclass(frozen=True)
class Option:
    """One setting and its four spellings.

    Args:
        name: the marker's keyword; ``--savedmodel-NAME``, ini ``savedmodel_NAME`` and
            ``SAVEDMODEL_COMPAT_NAME`` are made of it. The first that is given holds, in this order.
        default: what holds if nobody says anything.
        metavar: of its value.
        help: one sentence.
    """

    name: str
    default: str
    metavar: str
    help: str

    @property
    def flag(self) -> str:
        """The command line's spelling."""
        return f"--savedmodel-{self.name}"

    @property
    def ini(self) -> str:
        """The ini file's spelling."""
        return f"savedmodel_{self.name}"

    @property
    def variable(self) -> str:
        """The environment's spelling."""
        return f"SAVEDMODEL_COMPAT_{self.name.upper()}"


OPTIONS = (
    Option("on", "smoke", "SPEC", "Consumers: releases, ranges or a named set."),
    Option("provider", "wheel", "NAME", "What makes consumers ready: wheel, venv or current."),
    Option("loader", "c", "LOADER,…", "Loaders of the consumers: c, v1, v2."),
    Option("json", "", "FILE", "Write the JSON record of all cells there."),
)


@dataclass(frozen=True)
class CellRequest:
    """What one item is to run; plain words, so that collecting imports and starts nothing.

    Args:
        model: an exporter, or the path of a model.
        producer: the release that exports; None for a path.
        strip: whether default-valued attrs are stripped; None for a path.
        consumer: the release that loads.
        loader: which of its loaders.
        signature: which signature; None for all of them.
        on: the specifier among whose releases a reference is looked for.
        provider: what makes the consumer ready.
        seed: of weights and inputs.
    """

    model: str
    producer: str | None
    strip: bool | None
    consumer: str
    loader: str
    signature: str | None
    on: str
    provider: str
    seed: int = 0

    @property
    def id(self) -> str:
        """The item's name in brackets."""
        strip = {True: "stripped", False: "unstripped", None: None}[self.strip]
        name = Path(self.model).name if self.producer is None else self.model
        fields = (name, self.producer, strip, self.consumer, self.loader, self.signature)
        return "-".join(field for field in fields if field)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, in one group."""
    group = parser.getgroup("savedmodel", "SavedModel compatibility")
    for option in OPTIONS:
        text = f"{option.help} Default: {option.default or 'none'}."
        group.addoption(
            option.flag, dest=option.ini, metavar=option.metavar, default=None, help=text
        )
        parser.addini(option.ini, text, default=None)


def setting(config: pytest.Config, name: str, marker: pytest.Mark | None = None) -> str:
    """Return the value of an option: marker, command line, ini, environment, default.

    Args:
        config: pytest's.
        name: the option's.
        marker: the test's, if it has one.
    """
    option = next(option for option in OPTIONS if option.name == name)
    values = (
        marker.kwargs.get(name) if marker else None,
        config.getoption(option.ini),
        config.getini(option.ini),
        os.environ.get(option.variable),
    )
    return str(next((value for value in values if value), option.default))


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the collector of records where reports arrive."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*models, producers=None, strip='both', signatures=None, seed=0, **options): the models, by exporter "
        "or path, that savedmodel_cell is parametrised with.",
    )
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Records(config), "savedmodel-compat-records")


def pytest_report_header(config: pytest.Config) -> str:
    """Say in one line which releases, and how."""
    said = {option.name: setting(config, option.name) for option in OPTIONS}
    return (
        f"savedmodel-compat: on {said['on']}, provider {said['provider']}, loader {said['loader']}"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each cell of a test that takes ``savedmodel_cell``."""
    if _CELL not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker(MARKER)
    if marker is None:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} takes {_CELL} and has no marker {MARKER} that says which models"
        )
    requests = _requests(metafunc.config, marker)
    metafunc.parametrize(
        _CELL, requests, ids=[request.id for request in requests], indirect=True, scope="function"
    )


def _requests(config: pytest.Config, marker: pytest.Mark) -> list[CellRequest]:
    """Plan the cells of one test."""
    from savedmodel_compat.errors import SavedModelCompatError

    try:
        return list(_plan(config, marker))
    except SavedModelCompatError as error:
        raise pytest.UsageError(str(error)) from error


def _plan(config: pytest.Config, marker: pytest.Mark) -> Iterator[CellRequest]:
    on, provider = setting(config, "on", marker), setting(config, "provider", marker)
    loaders = [name.strip() for name in setting(config, "loader", marker).split(",")]
    consumers = _releases(on, provider)
    strips = {"both": (False, True), "on": (True,), "off": (False,)}[
        marker.kwargs.get("strip", "both")
    ]
    producers = (
        _releases(marker.kwargs["producers"], "venv") if "producers" in marker.kwargs else None
    )
    for model in marker.args:
        made = [(p, s) for p in producers for s in strips] if producers else [(None, None)]
        for producer, strip in made:
            for consumer in consumers:
                for loader in loaders:
                    for signature in marker.kwargs.get("signatures") or (None,):
                        yield CellRequest(
                            model=str(model if producer else config.rootpath / model),
                            producer=producer,
                            strip=strip,
                            consumer=consumer,
                            loader=loader,
                            signature=signature,
                            on=on,
                            provider=provider,
                            seed=marker.kwargs.get("seed", 0),
                        )


def _releases(spec: str, provider: str) -> list[str]:
    """Return the releases of a specifier, oldest first."""
    from savedmodel_compat import config
    from savedmodel_compat.runtimes import current, pins, specs

    if provider == "current":
        return [current.make_ready().release]
    return [pin.release for pin in specs.select(spec, pins.load(config.load()))]


@pytest.fixture(scope="session")
def savedmodel_runner() -> Iterator[Runner]:
    """Workers, exports and references that are kept from one item to the next."""
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.matrix.session import Session

    with Runner(Session.here()) as runner:
        yield runner


@pytest.fixture
def savedmodel_export(savedmodel_runner: Runner) -> Callable[..., Model]:
    """A function that exports: ``savedmodel_export(exporter, producer="2.11.1", strip=True, seed=0)``.

    It returns the model with the inputs and outputs that the producer recorded. The test is skipped, with the reason, if
    the producer does not have what the exporter needs, or this machine has no interpreter for it.
    """

    def export(exporter: str, *, producer: str, strip: bool, seed: int = 0) -> Model:
        from savedmodel_compat.errors import SavedModelCompatError
        from savedmodel_compat.matrix.ready import is_unsupported

        try:
            return savedmodel_runner.export(exporter, producer=producer, strip=strip, seed=seed)
        except SavedModelCompatError as error:
            if is_unsupported(error):
                pytest.skip(f"unsupported: {error.message}")
            raise

    return export


@pytest.fixture
def savedmodel_run(
    request: pytest.FixtureRequest, savedmodel_runner: Runner
) -> Callable[..., list[Result]]:
    """A function that runs cells: ``savedmodel_run(model, on="2.4.4", loader="c", signature=None)``.

    It returns the results, one a cell, and judges nothing: the test does. ``model`` is what ``savedmodel_export`` gave, or the
    path of a SavedModel. Options that are not given hold as they do for the session.
    """

    def run(
        model: Model | str | os.PathLike[str],
        *,
        on: str | None = None,
        loader: str | None = None,
        provider: str | None = None,
        signature: str | None = None,
    ) -> list[Result]:
        from savedmodel_compat.matrix.models import Model

        config = request.config
        where = _where(
            on or setting(config, "on"),
            provider or setting(config, "provider"),
            (loader or setting(config, "loader")).split(","),
        )
        loaded = model if isinstance(model, Model) else savedmodel_runner.load(Path(model))
        consumers = savedmodel_runner.consumers(where)
        results: list[Result] = []
        for consumer in consumers:
            results += savedmodel_runner.run(
                loaded, consumer, candidates=consumers, signature=signature
            )
        _keep(request.node, results)
        return results

    return run


@pytest.fixture
def savedmodel_cell(request: pytest.FixtureRequest, savedmodel_runner: Runner) -> list[Result]:
    """The results of this item's cell; the test's body runs only if they are `pass`.

    An infrastructure error is raised here, so that pytest reports an error and not a failure.
    """
    wanted: CellRequest = request.param
    results = _run_cell(savedmodel_runner, wanted)
    _keep(request.node, results)
    _raise_or_skip(results)
    return results


def _run_cell(runner: Runner, wanted: CellRequest) -> list[Result]:
    from savedmodel_compat.errors import SavedModelCompatError
    from savedmodel_compat.matrix.ready import is_unsupported
    from savedmodel_compat.matrix.runner import one_of

    loaders = [wanted.loader]
    candidates = runner.consumers(_where(wanted.on, wanted.provider, loaders))
    consumer: Consumer = one_of(candidates, wanted.consumer, wanted.loader)
    try:
        model = _model(runner, wanted)
    except SavedModelCompatError as error:
        if is_unsupported(error):
            pytest.skip(f"unsupported: {error.message}")
        raise
    if wanted.producer is not None:
        candidates = []
    return runner.run(model, consumer, candidates=candidates, signature=wanted.signature)


def _model(runner: Runner, wanted: CellRequest) -> Model:
    if wanted.producer is None:
        return runner.load(Path(wanted.model), seed=wanted.seed)
    return runner.export(
        wanted.model, producer=wanted.producer, strip=bool(wanted.strip), seed=wanted.seed
    )


def _where(on: str, provider: str, loaders: Sequence[str]) -> Where:
    from savedmodel_compat.errors import UsageError
    from savedmodel_compat.matrix.session import Where
    from savedmodel_compat.runtimes.base import Loader, Provider

    try:
        chosen = tuple(Loader(name.strip()) for name in loaders)
        return Where(on=on, provider=Provider(provider), loaders=chosen)
    except ValueError as error:
        raise UsageError(
            f"{error}", hint="loaders: c, v1, v2; providers: wheel, venv, current"
        ) from error


def _raise_or_skip(results: Sequence[Result]) -> None:
    from savedmodel_compat.errors import InfrastructureError

    by_outcome: dict[str, list[Result]] = {}
    for result in results:
        by_outcome.setdefault(result.outcome.value, []).append(result)
    for result in by_outcome.get("infra-error", []):
        raise InfrastructureError(f"{result.cell.id}: {result.reason}")
    if "fail" in by_outcome:
        return
    for outcome in ("not-run", "unsupported"):
        for result in by_outcome.get(outcome, []):
            pytest.skip(f"{outcome}: {result.reason} {result.message}".rstrip())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Fail an item whose cell failed, whatever its body would have said."""
    failed = [r for r in _results_of(pyfuncitem) if r.outcome.value == "fail"]
    if failed:
        from savedmodel_compat.report.words import in_words

        pytest.fail("\n\n".join(in_words(result) for result in failed), pytrace=False)


def _results_of(item: pytest.Function) -> Sequence[Result]:
    results: Sequence[Result] = item.funcargs.get(_CELL, ())  # type: ignore[assignment]
    return results


def _keep(item: pytest.Item, results: Sequence[Result]) -> None:
    """Leave the cells' records on the item; reports carry them to wherever the session is run from."""
    from savedmodel_compat.report.record import as_cell

    item.user_properties += [(_RECORD, json.dumps(as_cell(result))) for result in results]


class _Records:
    """Collects the records that reports bring, and writes them at the end; never on a worker of xdist.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started = datetime.now(timezone.utc)
        self._cells: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the records of one report; a cell that was run twice counts once, as it was last."""
        for name, value in report.user_properties:
            if name == _RECORD:
                cell = json.loads(str(value))
                self._cells[cell["id"]] = cell

    def pytest_sessionfinish(self) -> None:
        """Write the record, if a file was named."""
        path = setting(self._config, "json")
        if path:
            from savedmodel_compat.report.record import of_cells, write

            record = of_cells(list(self._cells.values()), started=self._started)
            write(record, Path(path))
