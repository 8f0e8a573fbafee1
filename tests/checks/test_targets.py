"""The rules about target releases, and how they meet the findings of the others."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.checks.breaking import MODELS

from savedmodel_compat.checks.findings import Finding
from savedmodel_compat.checks.policy import Policy
from savedmodel_compat.checks.run import Options, check


def _of_targets(folder: Path, *targets: str, tags: tuple[str, ...] | None = None) -> list[Finding]:
    options = Options(targets=targets, tags=tags)
    return [finding for finding in check(folder, options).findings if finding.rule[0] == "T"]


def test_no_target_no_finding() -> None:
    """Without targets nothing is predicted."""
    report = check(MODELS / "module-2.21.0")
    assert report.outlook is None
    assert not report.findings


def test_a_release_that_refuses_is_t1() -> None:
    """It is an error, with every reason and with what would help."""
    [finding] = _of_targets(MODELS / "module-2.21.0", "2.4.4")
    assert (finding.rule, finding.severity.value, finding.where) == (
        "T1",
        "error",
        "TensorFlow 2.4.4",
    )
    assert "DisableCopyOnRead" in finding.message
    assert "debug_name" in finding.message
    assert "v1 builder" in finding.fix


def test_a_release_that_ignores_is_t2() -> None:
    """The attr, its value and a node are named."""
    [finding] = _of_targets(MODELS / "module-2.21.0", "2.11.1")
    assert finding.rule == "T2"
    assert "VarHandleOp.debug_name=" in finding.message


def test_a_release_that_loads_is_nothing() -> None:
    """No finding."""
    assert _of_targets(MODELS / "module-2.21.0", "2.15.1", "2.21.0") == []


def test_policy_holds_for_targets() -> None:
    """A rule about targets can be turned off as any other."""
    options = Options(targets=("2.11.1",), policy=Policy.of(disable=["T2"]))
    assert not check(MODELS / "module-2.21.0", options).findings


def test_no_such_tags_are_an_error() -> None:
    """Nothing is predicted for a MetaGraph that is not there, and nobody shall take that for a pass."""
    options = Options(targets=("2.11.1",), tags=("train",))
    error = check(MODELS / "builder-1.15.5", options).error
    assert error is not None
    assert "train" in error.message
    assert _of_targets(MODELS / "builder-1.15.5", "2.11.1", tags=("serve", "gpu")) == []


def test_a_checkpoint_that_lacks_a_variable_refuses_everywhere(tmp_path: Path) -> None:
    """The finding of the other rules is a reason of the prediction."""
    folder = Path(shutil.copytree(MODELS / "builder-1.15.5", tmp_path / "model"))
    shutil.rmtree(folder / "variables")
    shutil.copytree(MODELS / "module-2.21.0" / "variables", folder / "variables")
    found = _of_targets(folder, "1.15.5", "2.21.0")
    assert [finding.rule for finding in found] == ["T1", "T1"]
    assert "variable-missing" in found[0].message
    assert "mend the model first" in found[0].fix


def test_a_lost_shard_leaves_it_open(tmp_path: Path) -> None:
    """What a loader says then depends on what it reads."""
    folder = Path(shutil.copytree(MODELS / "builder-1.15.5", tmp_path / "model"))
    (folder / "variables/variables.data-00000-of-00001").unlink()
    [finding] = _of_targets(folder, "2.21.0")
    assert finding.rule == "T3"
    assert "L3" in finding.message
