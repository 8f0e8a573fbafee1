"""Models that work have no error; those that do not have the right one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.checks.breaking import GOOD, MODELS, findings

from savedmodel_compat.checks.findings import Severity
from savedmodel_compat.checks.run import check
from savedmodel_compat.errors import UnsupportedError
from savedmodel_compat.matrix.models import Model

_EXPORTERS = ("half_plus_two", "half_plus_two_module", "mnist_cnn", "mnist_cnn_module")
_PRODUCERS = ("1.15.5", "2.11.1", "2.21.0")
# Folders of the corpus that are damaged, and what is wrong with them.
_DAMAGED = {"fuzz_bad_node_attr": "M2", "uninitialized_variable": "M7"}


@pytest.mark.parametrize("name", GOOD)
def test_frozen_models_have_no_finding(name: str) -> None:
    """The models that the other tests break are whole, notes and all."""
    assert findings(MODELS / name, notes=True) == []


@pytest.mark.parametrize("strip", [True, False])
@pytest.mark.parametrize("producer", _PRODUCERS)
@pytest.mark.parametrize("exporter", _EXPORTERS)
def test_exports_have_no_error_and_no_warning(
    exported: Callable[..., Model], exporter: str, producer: str, strip: bool
) -> None:
    """What TensorFlow itself has just written breaks no rule."""
    try:
        model = exported(exporter, producer=producer, strip=strip)
    except UnsupportedError:
        # tf.saved_model.save always strips, and 1.15 has no tf.Module that it saves.
        assert exporter.endswith("_module")
        assert not strip or producer == "1.15.5"
        return
    found = check(model.path).findings
    assert [finding for finding in found if finding.severity is not Severity.NOTE] == []


def test_every_whole_model_of_the_corpus_has_no_error(corpus: Path) -> None:
    """Third-party models that load have no error, whatever else is said of them."""
    names = sorted(json.loads((corpus / "c-loader.json").read_text()))
    folders = [folder for folder in sorted(corpus.iterdir()) if folder.is_dir()]
    assert names
    for folder in folders:
        errors = [f.rule for f in check(folder).findings if f.severity is Severity.ERROR]
        if folder.name not in _DAMAGED:
            assert errors == [], folder.name


@pytest.mark.parametrize("name", _DAMAGED)
def test_damaged_models_of_the_corpus_have_the_right_error(corpus: Path, name: str) -> None:
    """A model that TensorFlow refuses has an error that says why."""
    errors = {f.rule for f in check(corpus / name).findings if f.severity is Severity.ERROR}
    assert errors == {_DAMAGED[name]}
