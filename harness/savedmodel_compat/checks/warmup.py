"""The requests that TensorFlow Serving replays while it loads a model; one that fails fails the load."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from savedmodel_compat.checks._many import clipped, limited
from savedmodel_compat.checks._pointers import pointers
from savedmodel_compat.checks.findings import Finding, found
from savedmodel_compat.checks.requests import (
    CLASSIFY,
    DEFAULT_KEY,
    REGRESS,
    SERVE,
    classify_faults,
    feed_fault,
    named,
    regress_faults,
)
from savedmodel_compat.checks.subject import Subject
from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import schema
from savedmodel_compat.model.damage import recognise
from savedmodel_compat.model.files import open_regular
from savedmodel_compat.model.records import Record, read_records
from savedmodel_compat.model.tree import Kind
from savedmodel_compat.model.values import MetaGraph, Signature

FILE = "assets.extra/tf_serving_warmup_requests"
# kMaxNumRecords in saved_model_warmup_util.h
_MOST_RECORDS = 1000
# What is parsed takes a multiple of its size in memory.
_LARGEST = 256 << 20
_REFUSED = ("session_run_log", "predict_streamed_log")
_LOGS = ("classify_log", "regress_log", "multi_inference_log", "predict_log", *_REFUSED)
_START = 4096
# A server stops at the first; a few more help who mends the request.
_SHOWN = 5


def check(subject: Subject) -> Iterator[Finding]:
    """Yield what is wrong with the warm-up requests, if there are any."""
    entry = subject.tree.entries.get(FILE)
    if entry is None:
        return
    if entry.kind is Kind.FOLDER:
        yield found("W1", FILE, "it is a folder; Serving tries to read it as a file", file=FILE)
    elif entry.kind is Kind.OTHER:
        message = "it is a pipe, socket or device; Serving tries to read it as a file"
        yield found("W1", FILE, message, file=FILE)
    elif (entry.kind is Kind.FILE or (entry.kind is Kind.LINK and entry.inside)) and (
        subject.tree.resolve(FILE) not in pointers(subject)
    ):
        graph = None if subject.saved is None else served(subject.saved.meta_graphs)
        findings = list(_check_file(subject.root / FILE, graph))
        for rule in ("W1", "W2", "W3", "W4"):
            yield from limited((f for f in findings if f.rule == rule), rule, FILE)


def served(meta_graphs: tuple[MetaGraph, ...]) -> MetaGraph | None:
    """Return the MetaGraph that a server loads if it is not told otherwise, or the nearest to it."""
    exact = [graph for graph in meta_graphs if set(graph.tags) == {SERVE}]
    near = [graph for graph in meta_graphs if SERVE in graph.tags]
    return next(iter([*exact, *near, *meta_graphs]), None)


def _check_file(file: Path, graph: MetaGraph | None) -> Iterator[Finding]:
    begun = 0
    start = b""
    try:
        with open_regular(file) as opened:
            start = opened.read(_START)
            opened.seek(0)
            for begun, record in enumerate(read_records(opened, largest=_LARGEST), start=1):
                if begun > _MOST_RECORDS:
                    message = f"it holds more than {_MOST_RECORDS} records, and Serving refuses it"
                    yield found("W2", FILE, message, file=FILE)
                    return
                yield from _check_record(record, f"{FILE}: record {begun}", graph)
    except DamagedModelError as error:
        other = None if begun else recognise(start)
        message = f"it is no TFRecord file: it is {other}" if other else error.message
        yield found("W1", FILE, message, file=FILE)
    except OSError as error:
        yield found("W1", FILE, f"it cannot be read: {error.strerror}", file=FILE)


def _check_record(record: Record, where: str, graph: MetaGraph | None) -> Iterator[Finding]:
    if record.data is None:
        message = f"it has {record.size} bytes; above {_LARGEST}, only the checksum was looked at"
        yield found("W4", where, message, file=FILE)
        return
    try:
        log = schema.parse(schema.PredictionLog, record.data)
    except DecodeError:
        yield found("W2", where, f"its {record.size} bytes are no PredictionLog", file=FILE)
        return
    kinds = [name for name in _LOGS if log.HasField(name)]
    if not kinds:
        yield found("W4", where, "it holds no log, and Serving passes it over", file=FILE)
    elif len(kinds) > 1:
        message = f"it holds {len(kinds)} logs, {named(kinds)}, of which Serving sees only the last"
        yield found("W4", where, message, file=FILE)
    elif kinds[0] in _REFUSED:
        yield found("W2", where, f"it holds a {kinds[0]}, which Serving refuses", file=FILE)
    elif graph is not None:
        faults = _request_faults(kinds[0], getattr(log, kinds[0]).request, graph)
        shown = list(islice(faults, _SHOWN + 1))
        if shown:
            more = "; and more" if len(shown) > _SHOWN else ""
            yield found("W3", where, "; ".join(shown[:_SHOWN]) + more, file=FILE)


def _request_faults(kind: str, request: Any, graph: MetaGraph) -> Iterator[str]:
    """Yield why a server would refuse a request, in words."""
    if kind == "multi_inference_log":
        yield from _tasks_faults(request, graph)
    elif kind == "predict_log":
        signature = _signature(request.model_spec, graph)
        yield from (
            _absent(request.model_spec, graph)
            if signature is None
            else _predict_faults(request, signature)
        )
    else:
        method = CLASSIFY if kind == "classify_log" else REGRESS
        yield from _inference_faults(request.model_spec, method, graph)
        yield from _input_faults(request)


def _signature(spec: Any, graph: MetaGraph) -> Signature | None:
    return graph.signatures.get(spec.signature_name or DEFAULT_KEY)


def _absent(spec: Any, graph: MetaGraph) -> Iterator[str]:
    key = spec.signature_name or DEFAULT_KEY
    yield f"it asks for signature '{clipped(key)}', but there are {named(graph.signatures)}"


def _predict_faults(request: Any, signature: Signature) -> Iterator[str]:
    """Yield what predict_util.cc refuses, and TensorFlow's cc/saved_model/util.cc."""
    given = request.inputs
    extra = sorted(given.keys() - signature.inputs.keys())
    if extra:
        yield f"signature '{signature.key}' has no inputs {named(extra)}"
    # As many as a request may leave out cost nothing: a model may have very many of them.
    optional = sum(alias not in signature.defaults for alias in given if alias in signature.inputs)
    missing = len(signature.inputs) - len(signature.defaults) - optional
    if missing > 0:
        required = (a for a in signature.inputs if a not in given and a not in signature.defaults)
        yield f"inputs {named(required, missing)} of signature '{signature.key}' are missing"
    for alias, tensor in sorted(given.items()):
        fault = feed_fault(tensor, signature.inputs[alias]) if alias in signature.inputs else None
        if fault:
            yield f"input '{alias}' {fault}"
    seen: set[str] = set()
    for alias in request.output_filter:
        if alias not in signature.outputs:
            yield f"signature '{signature.key}' has no output '{clipped(alias)}'"
        elif alias in seen:
            yield f"output '{alias}' is asked for twice"
        seen.add(alias)


def _inference_faults(spec: Any, method: str, graph: MetaGraph) -> Iterator[str]:
    """Yield what classifier.cc or regressor.cc refuses of the signature that a request asks for.

    Its method name may be another: a server does not check it if it is not told to, and what
    TensorFlow 2 exports is always called predict.
    """
    signature = _signature(spec, graph)
    if signature is None:
        yield from _absent(spec, graph)
        return
    faults = classify_faults(signature) if method == CLASSIFY else regress_faults(signature)
    for fault in faults:
        yield f"signature '{signature.key}' is not for {method}: {fault}"


def _tasks_faults(request: Any, graph: MetaGraph) -> Iterator[str]:
    """Yield what multi_inference.cc refuses."""
    if not request.tasks:
        yield "it has no tasks"
    models = {task.model_spec.name for task in request.tasks}
    if "" in models:
        yield "a task names no model"
    if len(models - {""}) > 1:
        yield f"its tasks name {len(models - {''})} models, {named(sorted(models - {''}))}"
    seen: set[str] = set()
    for task in request.tasks:
        key = task.model_spec.signature_name or DEFAULT_KEY
        if key in seen:
            yield f"signature '{clipped(key)}' is asked for twice"
            continue
        seen.add(key)
        if task.method_name in (CLASSIFY, REGRESS):
            yield from _inference_faults(task.model_spec, task.method_name, graph)
        else:
            yield f"a task's method is '{clipped(task.method_name)}', neither {CLASSIFY} nor {REGRESS}"
    yield from _input_faults(request)


def _input_faults(request: Any) -> Iterator[str]:
    lists = (request.input.example_list, request.input.example_list_with_context)
    if not any(len(examples.examples) for examples in lists):
        yield "it has no examples"
