"""Checkpoints that releases write, and what those releases themselves read from them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.checks.run import check
from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model.checkpoint import read_index, read_strings, read_tensor, verify
from savedmodel_compat.runtimes.base import Runtime

RELEASES = ("1.15.5", "2.11.1", "2.21.0")
FORMS = ("kinds", "many", "strings", "variants", "sharded", "saver", "objects")


@pytest.fixture(scope="module", params=RELEASES)
def written(
    request: pytest.FixtureRequest,
    venv_runtime: Callable[[str], Runtime],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Checkpoints of every form, written by a release."""
    folder = tmp_path_factory.mktemp("written")
    script = Path(__file__).with_name("exporters.py")
    python = venv_runtime(request.param).python
    done = subprocess.run(
        [str(python), str(script), str(folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def truth(written: Path) -> dict[str, dict[str, Any]]:
    """What `tf.train.load_checkpoint` reads, by checkpoint and tensor."""
    content: dict[str, dict[str, Any]] = json.loads((written / "truth.json").read_text())
    return content


@pytest.mark.parametrize("form", FORMS)
def test_what_tensorflow_reads_is_read(
    written: Path, truth: dict[str, dict[str, Any]], form: str
) -> None:
    """Names, types, shapes and every bit of the values; and all checksums are right."""
    checkpoint = read_index(written / f"{form}.index")
    seen: list[int] = []

    assert list(verify(checkpoint, seen.append)) == []
    assert sum(seen) == checkpoint.total_bytes
    assert checkpoint.tensors.keys() == truth[form].keys()
    for name, expected in truth[form].items():
        entry = checkpoint.tensors[name]
        assert (entry.dtype, list(entry.shape)) == (expected["dtype"], expected["shape"])
        if "strings" in expected:
            found = [base64.b64encode(text).decode() for text in read_strings(checkpoint, name)]
            assert found == expected["strings"], name
            assert read_tensor(checkpoint, name).shape == entry.shape
        elif "bytes" in expected:
            value = read_tensor(checkpoint, name)
            assert list(value.shape) == expected["shape"]
            assert base64.b64encode(value.tobytes()).decode() == expected["bytes"], name


def test_parts_and_data_files(written: Path) -> None:
    """A sharded Saver's partitioned variables are one tensor each, of slices in both files."""
    checkpoint = read_index(written / "sharded.index")
    slices = {name: len(tensor.slices) for name, tensor in checkpoint.tensors.items()}

    assert checkpoint.num_shards == 2
    assert slices == {"whole": 0, "rows": 3, "columns": 2, "both": 2}
    assert {entry.shard for entry in checkpoint.stored} == {0, 1}
    assert checkpoint.parameters == 2 * 3 + 10 * 4 + 2 * 70 * 3 + 200
    assert checkpoint.data_bytes == 4 * checkpoint.parameters
    assert checkpoint.orphans == ()


def test_strings_are_counted_apart(written: Path) -> None:
    """Numbers of parameters and bytes are of numbers."""
    checkpoint = read_index(written / "objects.index")

    assert checkpoint.parameters == 4 * 3 + 1
    assert checkpoint.data_bytes == 4 * 3 * 4 + 8
    assert checkpoint.strings == 2


def test_the_old_format_is_named(written: Path) -> None:
    """A checkpoint of the format V1 is a sorted table too, and is told from a damaged index."""
    with pytest.raises(DamagedModelError, match="checkpoint of the old format V1") as caught:
        read_index(written / "old")
    assert caught.value.hint is not None
    assert "SaverDef.V2" in caught.value.hint


def test_a_model_in_parts_has_no_finding(written: Path) -> None:
    """The restore op asks for slices, as they are stored, from two data files."""
    rules = {finding.rule for finding in check(written / "model").findings}
    assert [rule for rule in sorted(rules) if rule[0] == "V" or rule in {"L3", "M7"}] == []
