"""Damaged files of every kind: always a finding, never an exception, never a hang."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from tests.checks.breaking import GOOD, MODELS, findings

from savedmodel_compat.checks.run import check
from savedmodel_compat.model import schema

_PLACES = 200
_FLIPS = 200

# What a file's damage must be found as, at least: any of these rules.
_FILES = {
    "saved_model.pb": {"L1"},
    "variables/variables.index": {"V1", "L3"},
    "variables/variables.data-00000-of-00001": {"V2", "L3"},
    "fingerprint.pb": {"L7"},
    "debug/saved_model_debug_info.pb": {"L6"},
    "assets.extra/tf_serving_warmup_requests": {"W1"},
}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The v2 model with a file of every kind."""
    folder = tmp_path_factory.mktemp("whole") / "module"
    shutil.copytree(MODELS / "module-2.21.0", folder)
    _add_debug_information(folder)
    _add_warmup(folder)
    assert findings(folder) == []
    return folder


def _add_debug_information(folder: Path) -> None:
    information = schema.GraphDebugInfo(files=["model.py"])
    for number in range(20):
        trace = information.traces[f"node_{number}@function"]
        trace.file_line_cols.add(file_index=0, line=number, func="predict")
    (folder / "debug").mkdir()
    (folder / "debug/saved_model_debug_info.pb").write_bytes(information.SerializeToString())


def _add_warmup(folder: Path) -> None:
    log = schema.PredictionLog()
    log.predict_log.request.model_spec.signature_name = "lookup"
    words = log.predict_log.request.inputs["word"]
    words.dtype = 7
    words.tensor_shape.dim.add(size=1)
    words.string_val.append(b"one")
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra/tf_serving_warmup_requests").write_bytes(
        record(log.SerializeToString()) * 3
    )


def record(data: bytes) -> bytes:
    """Return a record of a TFRecord file: length, its checksum, the data, their checksum."""
    from savedmodel_compat.model import crc

    length = len(data).to_bytes(8, "little")
    return b"".join(
        (
            length,
            crc.masked(length).to_bytes(4, "little"),
            data,
            crc.masked(data).to_bytes(4, "little"),
        )
    )


@pytest.mark.parametrize("name", _FILES)
def test_a_file_cut_short_is_found(whole: Path, tmp_path: Path, name: str) -> None:
    """Cut at each of two hundred places, a file has its finding; a shard's or a record's end is the only exception."""
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    file = folder / name
    data = file.read_bytes()
    cuts = sorted({len(data) * place // _PLACES for place in range(_PLACES)})
    missed = []
    for cut in cuts:
        file.write_bytes(data[:cut])
        found = {finding.rule for finding in check(folder).findings}
        if not found & _FILES[name]:
            missed.append(cut)
    assert [cut for cut in missed if not _is_whole(name, data, cut)] == []


def _is_whole(name: str, data: bytes, cut: int) -> bool:
    """Tell whether what is left of a file is a whole file that says less."""
    if name.endswith("requests"):
        return cut % (len(data) // 3) == 0
    # A protocol buffer that ends between two fields is one that has fewer of them.
    if name.endswith("debug_info.pb"):
        return _parsed(schema.GraphDebugInfo, data[:cut]) is not None
    if name == "fingerprint.pb":
        # Only the identifier, which nothing depends on, comes after the version.
        fingerprint = _parsed(schema.FingerprintDef, data[:cut])
        return fingerprint is not None and fingerprint.HasField("version")
    return False


def _parsed(message: Any, data: bytes) -> Any | None:
    try:
        return schema.parse(message, data)
    except DecodeError:
        return None


@pytest.mark.parametrize("name", _FILES)
def test_bytes_that_flip_never_raise(whole: Path, tmp_path: Path, name: str) -> None:
    """Whatever byte of whatever file is wrong, the check ends and says what it sees."""
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    file = folder / name
    data = file.read_bytes()
    chance = random.Random(name)
    for _ in range(_FLIPS):
        broken = bytearray(data)
        broken[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(broken)
        check(folder)


@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 4096,
        b"\xff" * 4096,
        b"\x0a\xff\xff\xff\xff\x0f",
        random.Random(1).randbytes(4096),
    ],
    ids=["empty", "zeros", "ones", "a length that lies", "noise"],
)
def test_a_file_of_something_else_is_found(
    whole: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    """A file that holds something else altogether has its finding."""
    folder = Path(shutil.copytree(whole, tmp_path / "model"))
    (folder / name).write_bytes(content)
    found = {finding.rule for finding in check(folder).findings}
    # No record, and no field, is what an empty file of these holds.
    if content or not name.endswith(("requests", "debug_info.pb")):
        assert found & (_FILES[name] | {"V3"})


@pytest.mark.parametrize("name", GOOD)
def test_a_folder_in_place_of_a_file_is_found(copy_of: Callable[[str], Path], name: str) -> None:
    """A folder named as a file is named is no such file."""
    folder = copy_of(name)
    for file in ("variables/variables.index", "variables/variables.data-00000-of-00001"):
        (folder / file).unlink()
        (folder / file).mkdir()
    assert "L3" in {finding.rule for finding in check(folder).findings}


def test_an_index_of_another_model_is_found(copy_of: Callable[[str], Path]) -> None:
    """The variables of one model beside the graph of another lack what it restores."""
    folder, other = copy_of("module-2.21.0"), copy_of("builder-1.15.5")
    shutil.rmtree(folder / "variables")
    shutil.copytree(other / "variables", folder / "variables")
    assert {"M7", "L7"} <= {finding.rule for finding in check(folder).findings}


def test_only_the_index_of_another_model_is_found(copy_of: Callable[[str], Path]) -> None:
    """An index alone of another export does not fit the data beside it."""
    folder, other = copy_of("module-2.21.0"), copy_of("builder-1.15.5")
    shutil.copy(other / "variables/variables.index", folder / "variables/variables.index")
    found = {finding.rule for finding in check(folder).findings}
    assert {"M7", "V7"} <= found


def test_deep_nesting_is_found(tmp_path: Path) -> None:
    """Messages in messages in messages end in a finding, not in a stack that overflows."""
    folder = tmp_path / "model"
    folder.mkdir()
    data = b""
    for _ in range(5000):
        length, size = b"", len(data)
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        data = b"\x12" + length + bytes([size]) + data
    (folder / "saved_model.pb").write_bytes(b"\x08\x01" + data)
    assert check(folder).findings
