"""Provider `current`, the TensorFlow beside the harness, gives the same results as an environment of that release.

The interpreter that runs the tests has no TensorFlow; that of an environment which has takes its place.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from savedmodel_compat.matrix import ready
from savedmodel_compat.matrix.cells import Outcome, Result
from savedmodel_compat.matrix.models import load_models
from savedmodel_compat.matrix.session import Session, Where
from savedmodel_compat.runtimes import pins, venv
from savedmodel_compat.runtimes.base import Loader, Provider

FROZEN = Path(__file__).parent.parent / "golden" / "models"
LOADERS = (Loader.C, Loader.V1, Loader.V2, Loader.KERAS)
RELEASES = ["2.11.1", "2.21.0"]


@pytest.fixture
def with_tensorflow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the interpreter of a release, and what is installed for it, in the place of this one; return the release."""
    release = str(request.param)
    runtime = venv.make_ready(pins.load().get(release))
    [packages] = (runtime.python.parent.parent / "lib").glob("python3*/site-packages")
    monkeypatch.setattr(sys, "executable", str(runtime.python))
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
    return release


@pytest.mark.parametrize("with_tensorflow", RELEASES, indirect=True)
def test_current_gives_what_an_environment_gives(with_tensorflow: str, corpus: Path) -> None:
    """Each loader comes as far with each model, for the same cause, and where it answers the answers agree."""
    release = with_tensorflow
    models = load_models(
        [
            FROZEN / "half_plus_two-1.4.1",
            *(corpus / name for name in ("keras2_lstm", "uninitialized_variable")),
        ],
        seed=0,
    )
    session = Session.here()
    current = ready.current_consumers(LOADERS, "cpu")
    assert {consumer.release for consumer in current} == {release}
    where = Where(on=release, provider=Provider.VENV, loaders=LOADERS)
    results = session.run(models, [*current, *session.consumers(where)])
    found = {
        provider: {
            (result.cell.model, result.cell.loader, result.cell.signature): outcome(result)
            for result in results
            if result.cell.provider == provider
        }
        for provider in ("current", "venv")
    }
    assert found["current"] == found["venv"]
    passed = {key[1] for key, told in found["current"].items() if told[0] is Outcome.PASS}
    assert passed == {"c", "v1", "v2", "keras"}


@pytest.mark.parametrize("with_tensorflow", RELEASES[:1], indirect=True)
def test_the_controller_imports_nothing_of_it(with_tensorflow: str) -> None:
    """TensorFlow is imported by a child of the interpreter, which is started for the cells."""
    [consumer] = ready.current_consumers((Loader.V2,), "cpu")
    assert consumer.runtime is not None
    assert consumer.runtime.release == with_tensorflow
    assert consumer.runtime.python == Path(sys.executable)
    assert "tensorflow" not in sys.modules


def outcome(result: Result) -> tuple[Outcome, object, tuple[str, ...], int]:
    """Return what is to be the same with either provider."""
    return result.outcome, result.stage, result.causes, result.compared
