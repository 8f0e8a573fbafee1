"""Rules W1 to W4: files of warm-up requests beside a model that TensorFlow wrote."""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.checks.breaking import edit, findings

from savedmodel_compat.checks import warmup
from savedmodel_compat.model import crc, schema
from savedmodel_compat.runtimes.base import Runtime
from savedmodel_compat.tensors import from_numpy

FILE = "assets.extra/tf_serving_warmup_requests"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

# The messages as the wire format has them, by hand: a file that shares no code with its reader. It
# asks `lookup` for a word, and `serving_default` for two rows.
_WRITE = """
import struct, sys
import tensorflow as tf
def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data
def predict(signature, alias, tensor):
    spec = field(1, b"some model") + field(2, bytes([8, 3])) + field(3, signature)
    entry = field(1, alias) + field(2, tensor.SerializeToString())
    request = field(1, spec) + field(2, entry)
    return field(1, field(1, b"metadata")) + field(6, field(1, request))
with tf.io.TFRecordWriter(sys.argv[1]) as writer:
    writer.write(predict(b"lookup", b"word", tf.make_tensor_proto(["one"])))
    writer.write(predict(b"", b"x", tf.make_tensor_proto([[1., 2., 3.], [4., 5., 6.]])))
"""

Change = Callable[[Any], object]


def record(data: bytes) -> bytes:
    """Return one record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    sums = (struct.pack("<I", crc.masked(part)) for part in (length, data))
    return length + next(sums) + data + next(sums)


def write(folder: Path, *logs: Any) -> Path:
    """Write warm-up requests beside a model."""
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"".join(record(log.SerializeToString()) for log in logs))
    return file


def tensor(*sizes: int, dtype: str = "float32") -> Any:
    """Return a tensor of ones."""
    import numpy as np

    return from_numpy(np.ones(sizes, dtype))


def predict(key: str = "", **inputs: Any) -> Any:
    """Return the log of a Predict request."""
    log = schema.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = key
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(value)
    return log


def inference(kind: str, key: str, examples: int = 1) -> Any:
    """Return the log of a Classify or Regress request."""
    log = schema.PredictionLog()
    request = getattr(log, f"{kind}_log").request
    request.model_spec.signature_name = key
    request.input.example_list.examples.extend([b"example"] * examples)
    return log


def multiple(*tasks: tuple[str, str, str], examples: int = 1) -> Any:
    """Return the log of a MultiInference request of tasks: model, signature, method."""
    log = schema.PredictionLog()
    request = log.multi_inference_log.request
    for model, key, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model
        task.model_spec.signature_name = key
    request.input.example_list_with_context.examples.extend([b"example"] * examples)
    return log


def test_what_tensorflow_writes(builder: Path, venv_runtime: Callable[[str], Runtime]) -> None:
    """A file of TensorFlow's own writer, with good requests, is nothing to speak of."""
    (builder / FILE).parent.mkdir()
    command = [str(venv_runtime("2.21.0").python), "-c", _WRITE, str(builder / FILE)]
    subprocess.run(command, check=True, capture_output=True)
    assert (builder / FILE).stat().st_size > 100
    assert findings(builder, notes=True) == []
    edit(builder, lambda model: model.meta_graphs[0].signature_def.pop("lookup"))
    [found] = findings(builder, notes=True)
    assert (found.rule, found.where) == ("W3", f"{FILE}: record 1")
    assert "asks for signature 'lookup'" in found.message


@pytest.mark.parametrize(
    "logs",
    [
        [],
        [predict(x=tensor(2, 3))],
        [predict("serving_default", x=tensor(0, 3))],
        [inference("classify", "classify"), inference("regress", "regress", 5)],
        [multiple(("m", "classify", CLASSIFY), ("m", "regress", REGRESS))],
    ],
    ids=["none", "predict", "no rows", "classify and regress", "multi-inference"],
)
def test_good_requests(builder: Path, logs: list[Any]) -> None:
    """Requests that Serving answers are nothing to speak of."""
    write(builder, *logs)
    assert findings(builder, notes=True) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (record(b"")[:-1], "at byte 0, a record of 0 bytes is cut short by 1"),
        (record(b"abc")[:-5] + b"\0" * 5, "the 3 bytes of a record have another checksum"),
        (b"\x1f\x8b" + b"x" * 100, "it is no TFRecord file: it is compressed with gzip"),
        (bytes(100), "it is 100 zero bytes"),
    ],
)
def test_what_is_no_tfrecord_file(builder: Path, content: bytes, message: str) -> None:
    """W1: a file that is damaged, or something else."""
    write(builder).write_bytes(content)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.where, found.file) == ("W1", FILE, FILE)
    assert message in found.message


def test_a_file_that_was_not_fetched(builder: Path) -> None:
    """A Git LFS pointer is told for what it is, once."""
    write(builder).write_bytes(
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n"
    )
    assert [(found.rule, found.where) for found in findings(builder)] == [("L22", FILE)]


def test_a_pipe(builder: Path) -> None:
    """W1: Serving would wait for it."""
    (builder / FILE).parent.mkdir()
    os.mkfifo(builder / FILE)
    assert [found.rule for found in findings(builder)] == ["W1", "L17"]


def test_a_folder(builder: Path) -> None:
    """W1: Serving takes whatever is there for the file."""
    (builder / FILE).mkdir(parents=True)
    assert "W1" in {found.rule for found in findings(builder)}


def test_a_link_out_of_the_model_is_not_followed(builder: Path, tmp_path: Path) -> None:
    """What is outside is not read; the link itself is told by a rule of its own."""
    (tmp_path / "outside").write_bytes(b"no records")
    write(builder).unlink()
    (builder / FILE).symlink_to(tmp_path / "outside")
    assert [found.rule for found in findings(builder)] == ["L23"]


def test_a_link_within_the_model_is_read(builder: Path) -> None:
    """A link to a file of the model is as good as the file."""
    write(builder).rename(builder / "assets.extra/requests")
    (builder / "assets.extra/requests").write_bytes(b"no records")
    (builder / FILE).symlink_to("requests")
    assert [found.rule for found in findings(builder)] == ["W1"]


def test_too_many_records(builder: Path) -> None:
    """W2: a thousand are read, and one more fails the load."""
    one = predict(x=tensor(1, 3))
    write(builder, *[one] * 1000)
    assert findings(builder, notes=True) == []
    write(builder, *[one] * 1001)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.where) == ("W2", FILE)
    assert "more than 1000 records" in found.message


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\x32\x05abc"])
def test_what_is_no_prediction_log(builder: Path, data: bytes) -> None:
    """W2: a record that does not parse."""
    write(builder).write_bytes(record(data))
    [found] = findings(builder, notes=True)
    assert (found.rule, found.where) == ("W2", f"{FILE}: record 1")


@pytest.mark.parametrize("kind", ["session_run_log", "predict_streamed_log"])
def test_logs_that_are_refused(builder: Path, kind: str) -> None:
    """W2: two kinds of log are refused, and the model does not load."""
    log = schema.PredictionLog()
    getattr(log, kind).SetInParent()
    write(builder, predict(x=tensor(1, 3)), log)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.where) == ("W2", f"{FILE}: record 2")
    assert kind in found.message


def both() -> Any:
    """Return a record with two logs."""
    log = inference("classify", "classify")
    log.MergeFrom(inference("regress", "regress"))
    return log


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (schema.PredictionLog(), "it holds no log"),
        (both(), "it holds 2 logs, 'classify_log', 'regress_log'"),
    ],
)
def test_records_that_do_less_than_meant(builder: Path, log: Any, message: str) -> None:
    """W4: what Serving passes over without a word."""
    write(builder, log)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.severity.value) == ("W4", "warning")
    assert message in found.message


def test_a_very_large_record(builder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """W4: what is not looked at is said."""
    monkeypatch.setattr(warmup, "_LARGEST", 10)
    write(builder, predict(x=tensor(1, 3)))
    [found] = findings(builder, notes=True)
    assert found.rule == "W4"
    assert "only the checksum was looked at" in found.message


def bent(log: Any, change: Change) -> Any:
    """Return a Predict log, its request changed."""
    change(log.predict_log.request)
    return log


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (predict("gone", x=tensor(1, 3)), "asks for signature 'gone', but there are 'classify', "),
        (predict(), "inputs 'x' of signature 'serving_default' are missing"),
        (predict(x=tensor(1, 3), z=tensor()), "signature 'serving_default' has no inputs 'z'"),
        (predict(x=tensor(1, 3, dtype="float64")), "input 'x' is float64"),
        (predict(x=tensor(1, 4)), "input 'x' has the shape [1, 4], but the signature says [?, 3]"),
        (predict(x=tensor(3)), "input 'x' has the shape [3]"),
        (
            bent(predict(x=tensor(1, 3)), lambda r: setattr(r.inputs["x"], "dtype", 0)),
            "input 'x' has the type invalid, which is none",
        ),
        (
            bent(predict(x=tensor(1, 3)), lambda r: setattr(r.inputs["x"], "tensor_content", b"1")),
            "input 'x' holds 1 bytes, but float32 of the shape [1, 3] takes 12",
        ),
        (
            bent(
                predict(x=tensor(1, 3)),
                lambda r: setattr(r.inputs["x"].tensor_shape, "unknown_rank", True),
            ),
            "input 'x' has a shape that is not known",
        ),
        (
            bent(
                predict(x=tensor(1, 3)),
                lambda r: setattr(r.inputs["x"].tensor_shape.dim[0], "size", 1 << 62),
            ),
            "too many values to count",
        ),
        (
            bent(predict(x=tensor(1, 3)), lambda r: r.output_filter.append("z")),
            "signature 'serving_default' has no output 'z'",
        ),
        (
            bent(predict(x=tensor(1, 3)), lambda r: r.output_filter.extend(["y", "y"])),
            "output 'y' is asked for twice",
        ),
        (inference("classify", "classify", 0), "it has no examples"),
        (
            inference("classify", ""),
            "signature 'serving_default' is not for tensorflow/serving/classify",
        ),
        (
            inference("regress", "classify"),
            "signature 'classify' is not for tensorflow/serving/regress",
        ),
        (inference("regress", "gone"), "asks for signature 'gone'"),
        (multiple(), "it has no tasks"),
        (multiple(("m", "classify", CLASSIFY), examples=0), "it has no examples"),
        (multiple(("", "classify", CLASSIFY)), "a task names no model"),
        (
            multiple(("m", "classify", CLASSIFY), ("n", "regress", REGRESS)),
            "its tasks name 2 models, 'm', 'n'",
        ),
        (
            multiple(("m", "classify", CLASSIFY), ("m", "classify", CLASSIFY)),
            "signature 'classify' is asked for twice",
        ),
        (
            multiple(("m", "classify", REGRESS)),
            "signature 'classify' is not for tensorflow/serving/regress",
        ),
        (multiple(("m", "classify", "predict")), "a task's method is 'predict'"),
    ],
)
def test_requests_that_no_signature_takes(builder: Path, log: Any, message: str) -> None:
    """W3: a request that Serving would refuse, and with it the model."""
    write(builder, predict(x=tensor(1, 3)), log)
    [found] = findings(builder, notes=True)
    assert (found.rule, found.where) == ("W3", f"{FILE}: record 2")
    assert message in found.message


def test_what_has_a_default_may_be_left_out(module: Path) -> None:
    """W3: a request needs the inputs that have no default, and no others."""
    write(module, predict(x=tensor(1, 3)))
    [found] = findings(module, notes=True)
    assert "inputs 'scale' of signature 'serving_default' are missing" in found.message

    def give(model: Any) -> None:
        signature = model.meta_graphs[0].signature_def["serving_default"]
        signature.defaults["scale"].CopyFrom(tensor())

    edit(module, give)
    assert findings(module, notes=True) == []
    write(module, predict(x=tensor(1, 3), scale=tensor()), predict(scale=tensor()))
    [found] = findings(module, notes=True)
    assert found.where == f"{FILE}: record 2"
    assert "inputs 'x' of signature" in found.message


def test_many_faults_of_a_request_are_one_finding(builder: Path) -> None:
    """A request with very many faults has a few of them told."""
    log = predict(x=tensor(1, 3))
    log.predict_log.request.output_filter.extend(f"z{number}" for number in range(100_000))
    write(builder, log)
    [found] = findings(builder, notes=True)
    assert found.message.count("has no output") == 5
    assert found.message.endswith("; and more")


def test_many_bad_records_are_counted(builder: Path) -> None:
    """A file with very many bad records has a short report."""
    write(builder, *[predict("gone")] * 500)
    found = findings(builder, notes=True)
    assert len(found) == 21
    assert "… and 480 more" in {finding.message for finding in found}


def test_without_a_graph_the_requests_are_still_read(builder: Path) -> None:
    """Where the model itself does not parse, the file is still looked at."""
    write(builder, predict("gone")).write_bytes(b"no records")
    (builder / "saved_model.pb").write_bytes(b"no model")
    assert {found.rule for found in findings(builder)} == {"L1", "W1"}


def test_the_meta_graph_that_a_server_loads(builder: Path) -> None:
    """Of several MetaGraphs, the requests are for the one with the tags {serve} alone."""
    write(builder, predict(x=tensor(1, 3)))
    edit(builder, lambda model: model.meta_graphs[1].signature_def.pop("serving_default"))
    assert {found.rule for found in findings(builder)} == {"S5"}
