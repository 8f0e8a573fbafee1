"""The pytest plugin: one test item a cell, outcomes mapped to pytest's own.

A test that takes ``savedmodel_cell`` and carries the marker ``savedmodel`` becomes one item for each cell;
``savedmodel_export`` and ``savedmodel_run`` are there for tests that want to say more. Importing this module imports
nothing but the standard library and pytest: it is loaded in every pytest run of every environment it is installed in.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from savedmodel_compat import _plugin_cells as cells
from savedmodel_compat import _plugin_gate as gate
from savedmodel_compat._plugin_golden import (
    MODE,
    mode_of,
    note_use,
    note_written,
    proposed_by,
    writing_of,
)
from savedmodel_compat._plugin_golden_end import Deselected, Unused, Written
from savedmodel_compat._plugin_options import MARKER, OPTIONS, as_list, is_given, setting
from savedmodel_compat._plugin_pace import Pace
from savedmodel_compat._plugin_record import Records, keep
from savedmodel_compat.errors import SavedModelCompatError

if TYPE_CHECKING:
    import os

    from savedmodel_compat.checks.run import Report
    from savedmodel_compat.matrix.calls import Called
    from savedmodel_compat.matrix.cells import Result
    from savedmodel_compat.matrix.models import Model
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.search.subject import Subject

__all__ = [
    "OPTIONS",
    "savedmodel_call",
    "savedmodel_cell",
    "savedmodel_check",
    "savedmodel_export",
    "savedmodel_run",
    "savedmodel_runner",
    "savedmodel_subject",
]

_CELL = "savedmodel_cell"
_SUBJECT = "savedmodel_subject"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, in one group."""
    group = parser.getgroup("savedmodel", "SavedModel compatibility")
    for option in OPTIONS:
        words = f" ({', '.join(option.choices)})" if option.choices else ""
        text = f"{option.help.removesuffix('.')}{words}. Default: {option.default or 'none'}."
        if option.is_switch:
            group.addoption(
                option.flag, dest=option.ini, action="store_const", const="true", help=text
            )
        else:
            group.addoption(
                option.flag, dest=option.ini, metavar=option.metavar, default=None, help=text
            )
        parser.addini(option.ini, text, default=None)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the collector of records where reports arrive."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(*models, producers=None, strip='both', signatures=None, seed=0, **options): the "
        "models, by exporter or path, that savedmodel_cell is parametrised with.",
    )
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Deselected(), "savedmodel-compat-deselected")
        return
    try:
        _check(config)
    except SavedModelCompatError as error:
        raise pytest.UsageError(str(error)) from error
    config.pluginmanager.register(Written(config), "savedmodel-compat-written")
    config.pluginmanager.register(Unused(config), "savedmodel-compat-unused")
    session = gate.Gate(config)
    config.pluginmanager.register(session, "savedmodel-compat-gate")
    config.pluginmanager.register(Pace(), "savedmodel-compat-pace")
    path = setting(config, "json")
    if path and not config.getoption("collectonly"):
        records = Records(Path(path), session.judgement)
        config.pluginmanager.register(records, "savedmodel-compat-records")


def _check(config: pytest.Config) -> None:
    """Refuse what the session's options say wrong before any test is collected."""
    for option in OPTIONS:
        setting(config, option.name)
    if setting(config, "provider") == "docker" and importlib.util.find_spec("docker") is None:
        raise pytest.UsageError(
            "provider docker needs the Docker SDK for Python, which is not there\n\n"
            "hint: install savedmodel-compat with its extra [docker], or `pip install docker`"
        )
    if is_given(config, "on"):
        cells.releases(config, setting(config, "on"), "wheel")
    gate.check(config)
    path = setting(config, "json")
    if path and not Path(path).absolute().parent.is_dir():
        raise pytest.UsageError(f"the record {path} cannot be written: there is no such folder")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist which goldens may be written: what was typed, the controller knows."""
    node.workerinput[MODE] = mode_of(node.config)


def pytest_report_header(config: pytest.Config) -> str:
    """Say in one line which releases, and how."""
    said = [f"{name} {setting(config, name)}" for name in ("on", "provider", "loader")]
    if setting(config, "device") != "cpu":
        said.append(f"device {setting(config, 'device')}")
    said.append(f"golden {mode_of(config)}")
    named = (gate.EXPECTATIONS, gate.FLOORS)
    said += [f"{name} {setting(config, name)}" for name in named if setting(config, name)]
    return f"savedmodel-compat: {', '.join(said)}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each cell of a test that takes ``savedmodel_cell`` or ``savedmodel_subject``."""
    found = [name for name in (_CELL, _SUBJECT) if name in metafunc.fixturenames]
    if not found:
        return
    marker = metafunc.definition.get_closest_marker(MARKER)
    where = metafunc.definition.nodeid
    if len(found) > 1:
        _fail(f"{where} takes {' and '.join(found)}: make two tests of it, one for each")
    [taken] = found
    if marker is None:
        _fail(f"{where} takes {taken}, and no marker {MARKER} says which models")
    try:
        requests = cells.plan(metafunc.config, marker)
        gate.expectations(metafunc.config)
    except SavedModelCompatError as error:
        _fail(f"{where}: {error}")
    metafunc.parametrize(
        taken, requests, ids=[request.id for request in requests], indirect=True, scope="function"
    )


@pytest.fixture(scope="session")
def savedmodel_runner(pytestconfig: pytest.Config) -> Iterator[Runner]:
    """Workers, exports and references that are kept from one item to the next."""
    from savedmodel_compat.matrix.runner import Runner
    from savedmodel_compat.matrix.session import Session

    root = pytestconfig.rootpath
    try:
        session = Session.here(start=root)
    except SavedModelCompatError as error:
        _fail(str(error))
    with Runner(session, root=root) as runner:
        yield runner


@pytest.fixture
def savedmodel_export(savedmodel_runner: Runner) -> Callable[..., Model]:
    """A function that exports: ``savedmodel_export(exporter, producer="2.11.1", strip=True, seed=0, tags=None)``.

    It returns the model with the inputs and outputs that the producer recorded; of several MetaGraphs that with ``tags``, or
    without them that which is served. The test is skipped, with the reason, if
    the producer does not have what the exporter needs, or this machine has no interpreter for it.
    """

    def export(
        exporter: str,
        *,
        producer: str,
        strip: bool,
        seed: int = 0,
        tags: Sequence[str] | None = None,
    ) -> Model:
        __tracebackhide__ = True
        from savedmodel_compat.matrix.ready import is_unsupported

        try:
            return savedmodel_runner.export(
                exporter,
                producer=producer,
                strip=strip,
                seed=seed,
                tags=None if tags is None else tuple(tags),
            )
        except SavedModelCompatError as error:
            if is_unsupported(error):
                pytest.skip(f"unsupported: {error.message}")
            _raise(error)

    return export


@pytest.fixture
def savedmodel_run(
    request: pytest.FixtureRequest, savedmodel_runner: Runner
) -> Callable[..., list[Result]]:
    """A function that runs cells: ``savedmodel_run(model, on="2.4.4", loader="c", device="cpu", signature=None)``.

    It returns the results, one a cell, and judges nothing: the test does. ``model`` is what ``savedmodel_export`` gave, or the
    path of a SavedModel, relative to pytest's rootdir. Options that are not given hold as they do for the test.
    """
    marker = request.node.get_closest_marker(MARKER)

    def run(
        model: Model | str | os.PathLike[str],
        *,
        on: str | None = None,
        loader: str | None = None,
        provider: str | None = None,
        device: str | None = None,
        signature: str | None = None,
    ) -> list[Result]:
        __tracebackhide__ = True
        from savedmodel_compat.matrix.models import Model

        given = {"on": on, "loader": loader, "provider": provider, "device": device}
        said = {n: v or setting(request.config, n, marker) for n, v in given.items()}
        try:
            where = cells.where_of(
                said["on"], said["provider"], as_list(said["loader"]), as_list(said["device"])
            )
            loaded = model if isinstance(model, Model) else savedmodel_runner.load(model)
            results = savedmodel_runner.run_all(loaded, where, signature=signature)
        except SavedModelCompatError as error:
            _raise(error)
        keep(request.node, results)
        return results

    return run


@pytest.fixture
def savedmodel_call(savedmodel_runner: Runner) -> Callable[..., list[Called]]:
    """A function that calls one of yours: ``savedmodel_call("programs/train.py::steps", on="2.4.4,2.21.0", directory=…)``.

    The function runs inside each release, in a virtual environment and a process of its own, with the arguments by name
    (of what JSON has; paths arrive as text), and returns a dict of arrays by name. It gives a list of answers, one a release, with ``release``,
    ``arrays`` and ``failure`` (None, or with ``type`` and ``text``), and judges nothing. The test is skipped, with the reason, if this
    machine has no interpreter for a release.
    """

    def called(function: str, *, on: str, **arguments: object) -> list[Called]:
        __tracebackhide__ = True
        from savedmodel_compat.matrix.ready import is_unsupported

        try:
            return savedmodel_runner.call(function, on, arguments)
        except SavedModelCompatError as error:
            if is_unsupported(error):
                pytest.skip(f"unsupported: {error.message}")
            _raise(error)

    return called


@pytest.fixture
def savedmodel_check(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """A function that fails the test if a model breaks a static rule: ``savedmodel_check("models/my_model")``.

    It returns the report, whose findings may say more. The path is relative to pytest's rootdir; ``disable`` and ``error``
    name rules, over those of ``[tool.savedmodel-compat.check]``; ``fail_on`` is ``"error"`` or ``"warning"``; ``serving``
    and ``tensor_data`` are as on the command line. Nothing of the model is run, and no TensorFlow is needed.
    """

    def check(
        path: str | os.PathLike[str],
        *,
        disable: str | Sequence[str] = (),
        error: str | Sequence[str] = (),
        fail_on: str | None = None,
        serving: bool = False,
        tensor_data: bool = True,
    ) -> Report:
        __tracebackhide__ = True
        from savedmodel_compat import config
        from savedmodel_compat.checks.policy import Policy
        from savedmodel_compat.checks.run import Options, check
        from savedmodel_compat.report.check import as_text

        root = pytestconfig.rootpath
        try:
            said = Policy.of(disable=_several(disable), error=_several(error))
            configuration = config.load(root)
            policy = said.over(Policy.of_configuration(configuration))
            options = Options(serving=serving, tensor_data=tensor_data, policy=policy)
            report = check(root / path, options)
            failing = report.failing(fail_on or configuration.fail_on)
        except SavedModelCompatError as problem:
            _raise(problem)
        if failing:
            # The rules first: pytest's summary shows the beginning.
            ids = ", ".join(dict.fromkeys(finding.rule for finding in failing))
            _fail(f"{ids}: {path}\n{as_text([report], policy)}")
        return report

    return check


def _several(ids: str | Sequence[str]) -> Sequence[str]:
    return [ids] if isinstance(ids, str) else ids


def _raise(error: SavedModelCompatError) -> NoReturn:
    """Raise an error whose text says it all, without the harness' own frames."""
    __tracebackhide__ = True
    raise error.with_traceback(None) from None


@pytest.fixture
def savedmodel_cell(request: pytest.FixtureRequest, savedmodel_runner: Runner) -> list[Result]:
    """The results of this item's cell; the test's body runs only if they are `pass`.

    An infrastructure error is raised here, so that pytest reports an error and not a failure.
    """
    directory, writing = request.param.golden.directory, writing_of(request.config)
    try:
        ran = cells.run(savedmodel_runner, request.param, writing)
    except SavedModelCompatError as error:
        _fail(str(error))
    finally:
        note_written(request.node, directory, writing.news())
        note_use(request.node, directory, writing.used())
    results = gate.judged(request.node, ran.results)
    keep(request.node, results, gated=True)
    note_written(request.node, directory, proposed_by(results))
    failing = gate.breaches(request.node) or _not_as_predicted(request.node, results)
    _end_unless_run(ran, failing=bool(failing))
    return results


@pytest.fixture
def savedmodel_subject(
    request: pytest.FixtureRequest, savedmodel_runner: Runner
) -> Iterator[Subject]:
    """This item's model in its release and loader, for the functions of ``savedmodel_compat.properties``.

    The test is skipped, with the reason, where there is no such model or runtime, and where a property does not apply.
    """
    from savedmodel_compat import _plugin_search as searching
    from savedmodel_compat.matrix.ready import is_unsupported

    marker = request.node.get_closest_marker(MARKER)
    try:
        search = searching.search_of(request.config, marker, request.node.nodeid)
        subject = searching.subject_of(savedmodel_runner, request.param, search)
    except SavedModelCompatError as error:
        if is_unsupported(error):
            pytest.skip(f"unsupported: {error.message}")
        _fail(str(error))
    with subject:
        yield subject


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Skip what a property does not apply to, and show of a broken one what it says and no frames."""
    try:
        return (yield)
    except Exception as error:
        if _SUBJECT in getattr(item, "fixturenames", ()):
            from savedmodel_compat._plugin_search import told

            told(error)
        raise


def _not_as_predicted(item: pytest.Item, results: Sequence[Result]) -> list[Result]:
    """Return what differs from its prediction, where the item is to fail for it."""
    strict = setting(item.config, "strict_prediction", item.get_closest_marker(MARKER))
    if strict != "true":
        return []
    from savedmodel_compat.matrix.predicted import disagreements

    return disagreements(results)


def _end_unless_run(ran: cells.Ran, *, failing: bool) -> None:
    """End the item where there is nothing for its body to look at; what fails it is the call's to report."""
    by_outcome: dict[str, list[Result]] = {}
    for result in ran.results:
        by_outcome.setdefault(result.outcome.value, []).append(result)
    for result in by_outcome.get("infra-error", ()):
        reason = result.reason if ran.problem is None else ran.problem
        _fail(f"infra-error: {result.cell.id}\n{reason}")
    if "fail" in by_outcome or failing:
        return
    for outcome in ("not-run", "unsupported"):
        for result in by_outcome.get(outcome, ()):
            pytest.skip(f"{outcome}: {result.reason} {result.message}".rstrip())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Fail an item whose cell failed, or differs from a prediction that is to hold, whatever its body would have said.

    An item is an expected failure if all that failed of it was expected, and nothing that was expected did not.
    """
    results: Sequence[Result] = pyfuncitem.funcargs.get(_CELL, ())  # type: ignore[assignment]
    failed = [r for r in results if r.outcome.value == "fail" and not r.expected]
    differing = _not_as_predicted(pyfuncitem, results)
    broken = gate.breaches(pyfuncitem)
    if failed or differing or broken:
        from savedmodel_compat.report.words import disagreement, in_words

        paragraphs = [*broken, *map(in_words, failed), *map(disagreement, differing)]
        _fail("\n\n".join(paragraphs))
    if any(result.expected for result in results):
        pytest.xfail(gate.why_expected(pyfuncitem))


def _fail(text: str) -> NoReturn:
    """Fail with a text that says it all: no frames, and nothing of what was being handled."""
    raise pytest.fail.Exception(text, pytrace=False) from None
