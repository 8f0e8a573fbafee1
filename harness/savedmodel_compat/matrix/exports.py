"""Run exporters inside their producers, and keep what they wrote by the digest of what made it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from savedmodel_compat import model as saved_models
from savedmodel_compat.cache import Cache, default_root
from savedmodel_compat.errors import (
    ExportError,
    NotASavedModelError,
    UnsupportedError,
    UsageError,
    WorkerError,
)
from savedmodel_compat.matrix import _derived
from savedmodel_compat.matrix._entries import entry_of
from savedmodel_compat.matrix.inputs import components
from savedmodel_compat.matrix.judge import one_line
from savedmodel_compat.matrix.models import Model, Recording, recorded_model
from savedmodel_compat.runtimes.client import Worker
from savedmodel_compat.runtimes.requests import Export, Limits, Port
from savedmodel_compat.runtimes.verdicts import Part, Verdict
from savedmodel_compat.runtimes.wire import from_wire, to_wire
from savedmodel_compat.runtimes.worker import _frames
from savedmodel_compat.tensors import dtype_from_name

if TYPE_CHECKING:
    import numpy as np

    from savedmodel_compat.config import Configuration
    from savedmodel_compat.model import Signature
    from savedmodel_compat.runtimes.base import Runtime

_RECORDED = "recorded.bin"
_MODEL = "model"
_NOTE = "derived.txt"
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """A function that exports a model inside a producer.

    Args:
        name: what reports call its models.
        file: the file that holds it.
        function: its name there.
    """

    name: str
    file: Path
    function: str


def find_exporter(text: str, configuration: Configuration) -> Exporter:
    """Return the exporter that ``text`` names.

    Args:
        text: ``FILE.py::function``, or a name registered in the configuration.
        configuration: the repository's.

    Raises:
        UsageError: there is no such name or file.
    """
    registered = configuration.exporters.get(text)
    target = registered or text
    file, separator, function = target.partition("::")
    if not separator:
        known = ", ".join(sorted(configuration.exporters)) or "none"
        raise UsageError(
            f"no exporter is registered as '{text}' (registered: {known})",
            hint="name one as FILE.py::function, or register it under [tool.savedmodel-compat.exporters]",
        )
    path = Path(file).absolute()
    if not path.is_file():
        raise UsageError(f"exporter '{text}': there is no file {path}")
    name = text if registered else f"{path.stem}.{function}"
    return Exporter(name=name, file=path, function=function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One export that is wanted.

    Args:
        exporter: who exports.
        producer: the release that it runs in.
        strip: whether default-valued attrs are to be stripped.
        seed: of its weights and inputs.
    """

    exporter: Exporter
    producer: str
    strip: bool
    seed: int = 0

    @property
    def label(self) -> str:
        """What messages call it."""
        word = "stripped" if self.strip else "unstripped"
        return f"{self.exporter.name} of {self.producer}, {word}"


def export_model(worker: Worker, runtime: Runtime, order: Order, limits: Limits) -> Model:
    """Return the first of the models of ``order``: that which is served, unless others alone were recorded.

    It is as `export_models` in all else.
    """
    return export_models(worker, runtime, order, limits)[0]


def export_models(
    worker: Worker, runtime: Runtime, order: Order, limits: Limits
) -> tuple[Model, ...]:
    """Return the models of ``order``, one for each MetaGraph that was recorded, exporting unless the cache has them.

    Where the exporter cannot strip, or cannot but strip, the model is made from the one that it can export, with the same
    recordings, and says so in its notes.

    Args:
        worker: a Python worker of the producer; started only if there is something to do.
        runtime: the producer.
        order: what is wanted.
        limits: of the export's process.

    Raises:
        UnsupportedError: the producer does not have what the exporter needs; the exporter's own words.
        ExportError: the exporter failed, or recorded what its model does not have.
        WorkerError: the producer could not be started.
    """
    cache = Cache(root=default_root())
    name = entry_of(order, runtime, derived=_derived.key(order.producer))
    if cache.path(name).is_dir():
        return _models_in(cache.path(name), order)
    try:
        made = _exported(worker, runtime, order, limits)
    except _RefusedError as refused:
        why = refused
    else:
        return _models_in(made, order)
    other = _other_leg(lambda leg: _exported(worker, runtime, leg, limits), order, why)
    made = cache.get(name, lambda into: _derive(other, order, why.message, into))
    return _models_in(made, order)


def export_to(
    worker: Worker,
    order: Order,
    directory: Path,
    limits: Limits,
    *,
    note: Callable[[str], None] | None = None,
) -> Path:
    """Export into a folder of the user's and return where the SavedModel is.

    Args:
        worker: a Python worker of the producer.
        order: what is wanted; it is made as by `export_model`.
        directory: a folder that does not exist, or is empty.
        limits: of the export's process.
        note: told what `export_model` puts into the notes.

    Raises:
        UsageError: the folder holds something.
        UnsupportedError: as for `export_model`.
        ExportError: as for `export_model`.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"{directory} is there already", hint="name a folder that does not exist")
    target = directory.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    # What is half-made must not look like a model, so it gets its name only when it is whole.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        made = Path(temporary) / "made"
        try:
            _run(worker, order, made, limits)
        except _RefusedError as refused:
            other = Path(temporary) / "other"
            _other_leg(lambda leg: _run(worker, leg, other, limits), order, refused)
            # The exporter may have begun before it refused.
            made = Path(temporary) / "derived"
            said = _derived.derive(other, made, strip=order.strip, why=refused.message)
            if note is not None:
                note(said)
        saved_models.locate(made)
        made.rename(target)
    return saved_models.locate(directory)


class _RefusedError(UnsupportedError):
    """An exporter says that it cannot do what it is asked to, in its own words."""


def _other_leg(make: Callable[[Order], _Made], order: Order, refused: _RefusedError) -> _Made:
    """Return what ``make`` gives for the other leg of an order; if it is refused too, the first words hold."""
    try:
        return make(replace(order, strip=not order.strip))
    except _RefusedError:
        raise UnsupportedError(refused.message) from None


def _exported(worker: Worker, runtime: Runtime, order: Order, limits: Limits) -> Path:
    """Return the entry of what the exporter itself writes."""
    cache = Cache(root=default_root())
    return cache.get(entry_of(order, runtime), lambda into: _export(worker, order, limits, into))


def _derive(other: Path, order: Order, why: str, into: Path) -> None:
    """Fill an entry from that of the other leg."""
    try:
        note = _derived.derive(other / _MODEL, into / _MODEL, strip=order.strip, why=why)
    except NotASavedModelError as error:
        raise ExportError(f"{order.label} cannot be made: {error.message}") from error
    (into / _NOTE).write_text(note, encoding="utf-8")
    shutil.copyfile(other / _RECORDED, into / _RECORDED)
    _models_in(into, order)


def _models_in(entry: Path, order: Order) -> tuple[Model, ...]:
    """Return the models of an entry of the cache."""
    models = _checked_models(entry / _MODEL, order, _read_recordings(entry / _RECORDED, order))
    note = entry / _NOTE
    if not note.exists():
        return models
    said = note.read_text("utf-8")
    return tuple(replace(model, notes=(said, *model.notes)) for model in models)


def _export(worker: Worker, order: Order, limits: Limits, into: Path) -> None:
    verdict = _run(worker, order, into / _MODEL, limits)
    header = {"recorded": [part.entry for part in verdict.recorded]}
    tensors = [to_wire(name, array) for name, array in verdict.payload]
    (into / _RECORDED).write_bytes(b"".join(_frames.encode(header, tensors)))
    # What is kept is never made again, so nothing is kept that is of no use.
    _checked_models(into / _MODEL, order, _read_recordings(into / _RECORDED, order))


def _run(worker: Worker, order: Order, directory: Path, limits: Limits) -> Verdict:
    work = Export(
        file=order.exporter.file,
        function=order.exporter.function,
        directory=directory,
        strip_default_attrs=order.strip,
        seed=order.seed,
    )
    verdict = worker.export(work, limits)
    if verdict.worker_lost is not None:
        raise WorkerError(f"the worker was lost in the export: {verdict.worker_lost}")
    if verdict.failure is not None and "NotImplementedError" in verdict.failure.types:
        raise _RefusedError(one_line(verdict.failure.text) or "the exporter gave no reason")
    if not verdict.completed:
        raise ExportError(f"{order.exporter.file}: {_what_went_wrong(verdict)}")
    return verdict


def _what_went_wrong(verdict: Verdict) -> str:
    if verdict.failure is not None:
        # Raised by the worker itself: frames of it say nothing to who writes an exporter.
        if "WrongRecording" in verdict.failure.types:
            return f"the exporter's recording is wrong: {verdict.failure.text}"
        if "NoSuchFunction" in verdict.failure.types:
            return verdict.failure.text
        said = f"the exporter raised {verdict.failure.type}: {verdict.failure.text}"
        return f"{said}\n{verdict.failure.trace.rstrip()}"
    if verdict.timed_out:
        return f"the exporter did not end in {verdict.seconds['cell']:.0f} s\n{verdict.log[-2000:]}"
    end = f"signal {verdict.signal}" if verdict.signal else f"exit status {verdict.status}"
    return f"the exporter's process ended with {end}\n{verdict.log[-2000:]}"


_Recordings = dict["tuple[str, ...] | None", dict[str, list[Recording]]]
"""The calls of each signature, by the tags of its MetaGraph; None for that which is served."""


def _read_recordings(path: Path, order: Order) -> _Recordings:
    decoder = _frames.Decoder()
    decoder.feed(path.read_bytes())
    frame = decoder.frame()
    if frame is None:
        raise ExportError(f"{path} is cut short", hint=f"remove {path.parent} and export again")
    header, tensors = frame
    found: _Recordings = {}
    arrays = iter(tensors)
    sides: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    for part in map(Part.of, header["recorded"]):
        calls = found.setdefault(part.tags, {}).setdefault(part.signature, [])
        if part.alias is None and part.side == "inputs":
            if part.call != len(calls):
                tags = "" if part.tags is None else f" of MetaGraph {list(part.tags)}"
                raise ExportError(
                    f"{order.label} recorded signature '{part.signature}'{tags} twice, under keys that mean the same",
                    hint="record several calls of one signature as a list",
                )
            sides = {"inputs": {}, "outputs": {}}
            calls.append(Recording(inputs=sides["inputs"], outputs=sides["outputs"]))
        if part.side == "call":
            calls[-1] = replace(calls[-1], live=True)
        elif part.alias is not None:
            sides[part.side][part.alias] = from_wire(next(arrays))
    return found


def _checked_models(folder: Path, order: Order, recorded: _Recordings) -> tuple[Model, ...]:
    """Return a model for each MetaGraph that was recorded; where nothing was, that which is served."""
    by_tags: dict[tuple[str, ...], Model] = {}
    for tags in sorted(recorded or {None: {}}, key=lambda each: (each is not None, each or ())):
        model = _checked_model(folder, order, recorded.get(tags, {}), tags)
        if model.tags in by_tags:
            raise ExportError(
                f"{order.label} recorded MetaGraph {list(model.tags)} both with its tags and without any"
            )
        by_tags[model.tags] = model
    first, *more = by_tags.values()
    written = saved_models.read(saved_models.locate(folder)).meta_graphs
    unrecorded = [graph.tags for graph in written if graph.tags not in by_tags]
    notes = (
        f"not looked at, as the exporter recorded nothing of it: MetaGraph {list(tags)}"
        for tags in unrecorded
    )
    return replace(first, notes=(*first.notes, *notes)), *more


def _checked_model(
    folder: Path,
    order: Order,
    recordings: Mapping[str, Sequence[Recording]],
    tags: tuple[str, ...] | None,
) -> Model:
    try:
        path = saved_models.locate(folder)
        model = recorded_model(
            path,
            order.exporter.name,
            recordings,
            strip=order.strip,
            producer=order.producer,
            tags=tags,
        )
    except NotASavedModelError as error:
        raise ExportError(f"{order.label} wrote no SavedModel: {error.message}") from error
    except UsageError as error:
        raise ExportError(f"{order.label}: {error.message}") from error
    assert model.meta_graph is not None
    cases = {case.signature: case for case in model.cases}
    unknown = sorted(set(recordings) - set(cases))
    if unknown:
        raise ExportError(
            f"{order.label} recorded signatures {unknown}, and its model has {sorted(cases)}"
        )
    for key, calls in recordings.items():
        for call in calls:
            _check_aliases(order, key, "inputs", call.inputs, cases[key].inputs)
            _check_aliases(order, key, "outputs", call.outputs, cases[key].outputs)
            _check_shapes(order, model.meta_graph.signatures[key], call.inputs)
    return model


def _check_shapes(order: Order, signature: Signature, recorded: Mapping[str, Any]) -> None:
    """Refuse recorded inputs that the signature cannot have been fed with."""
    for alias, spec in signature.inputs.items():
        for name, dense in components(alias, spec):
            shape, found = dense.shape, recorded[name].shape
            if shape is None:
                continue
            fits = len(shape) == len(found) and all(
                size in {None, there} for size, there in zip(shape, found, strict=True)
            )
            if not fits:
                raise ExportError(
                    f"{order.label}, signature '{signature.key}': recorded inputs '{name}' with the shape {list(found)}, "
                    f"and the model has {['?' if size is None else size for size in shape]}"
                )


def _check_aliases(
    order: Order,
    signature: str,
    side: str,
    recorded: Mapping[str, Any],
    ports: tuple[Port, ...],
) -> None:
    wanted = {port.alias for port in ports}
    if set(recorded) != wanted:
        raise ExportError(
            f"{order.label}, signature '{signature}': recorded {side} {sorted(recorded)}, "
            f"the model has {sorted(wanted)}"
        )
    for port in ports:
        found, promised = recorded[port.alias].dtype, dtype_from_name(port.dtype).numpy
        if promised is not None and found != promised:
            said = "string" if found.kind == "O" else found.name
            raise ExportError(
                f"{order.label}, signature '{signature}': recorded {side} '{port.alias}' as {said}, "
                f"and the model has {port.dtype}"
            )
