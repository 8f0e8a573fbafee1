"""What became of a forked child, as the worker tells it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from savedmodel_compat.runtimes.traces import Traced, traced
from savedmodel_compat.runtimes.wire import Arrays, from_wire
from savedmodel_compat.runtimes.worker import _frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a loader, TensorFlow or an exporter said when it refused.

    Args:
        text: its message.
        type: the status code (``NOT_FOUND``) or the exception's class.
        types: the class and its bases.
        trace: the Python traceback, empty for the C++ loader.
    """

    text: str
    type: str
    types: tuple[str, ...] = ()
    trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one set of inputs.

    Args:
        outputs: the arrays by alias; None if there are none.
        failure: what was said instead.
        dtypes: TensorFlow's names of the outputs' element types; numpy has none of its own for the quantised ones.
    """

    outputs: Arrays | None = None
    failure: Failure | None = None
    dtypes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """What an exporter recorded: one array, or where one side of a call begins.

    Args:
        tags: of the MetaGraph; None for that which is served.
        signature: its key.
        call: which of the calls of that signature, from 0.
        side: ``inputs`` or ``outputs``; ``call`` says that the exporter can be asked for other calls, and has no array.
        alias: of the array, which follows in the payload; None where a side begins, which has no array.
    """

    tags: tuple[str, ...] | None
    signature: str
    call: int
    side: str
    alias: str | None

    @classmethod
    def of(cls, entry: Sequence[Any]) -> Part:
        """Return the part that a worker's header says."""
        tags, signature, call, side, alias = entry
        return cls(None if tags is None else tuple(tags), signature, call, side, alias)

    @property
    def entry(self) -> list[object]:
        """What says it in a header."""
        tags = None if self.tags is None else list(self.tags)
        return [tags, self.signature, self.call, self.side, self.alias]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one forked child, whatever it did.

    Args:
        stage: the last stage that it had begun; None if it had begun none.
        answers: one for each set of inputs that was run.
        failure: what it said when a stage before the runs failed.
        signal: the signal that ended it.
        status: its exit status, when it ended by itself without an answer.
        timed_out: whether it was killed for its time.
        out_of_memory: whether the kernel ended it, or its container, for the memory that they may use.
        out_of_processes: whether its container refused it a process or thread, and it ended without an answer.
        worker_lost: why the worker itself was lost, so that nothing is known of the cell.
        asked_again: why a worker before this one was lost, which is not part of the verdict.
        device_missing: why it could not run on the device that was wished for; it has loaded nothing then.
        traced: which nodes ran where; None if that was not asked for.
        notes: what is to be told beside the outcome, each a sentence.
        described: what a runtime says of itself and its machine, where that was asked.
        payload: the arrays, with their names, that an exporter recorded or a function returned.
        recorded: what each of an exporter's arrays is, and where a side of a call begins; see `Part`.
        seconds: of each stage, and ``cell`` for all of it.
        log: what it printed, beginning and end.
        held: whether it waits, with its model loaded, to be asked more.
    """

    stage: str | None = None
    answers: tuple[Answer, ...] = ()
    failure: Failure | None = None
    signal: int | None = None
    status: int | None = None
    timed_out: bool = False
    out_of_memory: bool = False
    out_of_processes: bool = False
    worker_lost: str | None = None
    asked_again: str | None = None
    device_missing: str | None = None
    traced: Traced | None = None
    notes: tuple[str, ...] = ()
    described: Mapping[str, Any] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    log: str = ""
    payload: tuple[tuple[str, np.ndarray[Any, Any]], ...] = ()
    recorded: tuple[Part, ...] = ()
    held: bool = False

    @property
    def completed(self) -> bool:
        """Whether the child came to its end and answered."""
        refused = self.failure is not None or self.device_missing is not None
        return not refused and self.worker_lost is None and not self.broke_off

    @property
    def broke_off(self) -> bool:
        """Whether the child ended without an answer: a signal, its time, or an exit."""
        return self.timed_out or self.signal is not None or self.status is not None


def verdict_of(
    header: dict[str, Any],
    tensors: list[_frames.Tensor],
    shown: Callable[[str], str] = str,
) -> Verdict:
    """Return what a worker's frame says of a child.

    Args:
        header: of the frame; see ``run`` in ``worker/_cell.py``.
        tensors: of the frame: the outputs of all sets of inputs, one after the other, or what an exporter recorded.
        shown: makes of the worker's words those that a user reads.
    """
    said = header["answer"]
    stages = (said or {}).get("seconds") or {}
    seconds = {"cell": header["seconds"], **{name: float(took) for name, took in stages.items()}}
    common: dict[str, Any] = {
        "stage": header["stage"],
        "seconds": seconds,
        "log": shown(header["log"]),
        "held": bool(header["held"]),
    }
    if header["garbled"]:
        return Verdict(worker_lost=f"garbage in a cell's answer: {header['garbled']}", **common)
    if said is None:
        return Verdict(
            signal=header["signal"],
            status=header["status"],
            timed_out=header["timed_out"],
            out_of_memory=header["out_of_memory"],
            out_of_processes=header["out_of_processes"],
            **common,
        )
    return _answered(said, tensors, shown, common)


def _answered(
    said: dict[str, Any],
    tensors: list[_frames.Tensor],
    shown: Callable[[str], str],
    common: dict[str, Any],
) -> Verdict:
    """Return the verdict of a child that has answered."""
    if "error" in said:
        return Verdict(failure=_failure(said, shown), **common)
    if "device_missing" in said:
        return Verdict(device_missing=str(said["device_missing"]), **common)
    if "described" in said:
        return Verdict(described=dict(said["described"]), **common)
    if "recorded" in said:
        parts = tuple(Part.of(entry) for entry in said["recorded"])
        return Verdict(recorded=parts, payload=_payload(tensors), **common)
    if "called" in said:
        return Verdict(payload=_payload(tensors), **common)
    count = len(tensors) - int(said.get("traces", 0))
    metadata = [tensor.data for tensor in tensors[count:]]
    return Verdict(
        answers=_answers(said.get("runs", []), tensors[:count], shown),
        traced=traced(metadata, common["log"]) if metadata else None,
        notes=tuple(map(str, said.get("notes", ()))),
        **common,
    )


def _payload(tensors: list[_frames.Tensor]) -> tuple[tuple[str, np.ndarray[Any, Any]], ...]:
    return tuple((tensor.name, from_wire(tensor)) for tensor in tensors)


def _failure(header: dict[str, Any], shown: Callable[[str], str]) -> Failure:
    return Failure(
        text=shown(header["error"]),
        type=header["type"],
        types=tuple(header.get("types", ())),
        trace=shown(header.get("trace", "")),
    )


def _answers(
    runs: list[dict[str, Any]], tensors: list[_frames.Tensor], shown: Callable[[str], str]
) -> tuple[Answer, ...]:
    answers, at = [], 0
    for run in runs:
        if "error" in run:
            answers.append(Answer(failure=_failure(run, shown)))
            continue
        taken = tensors[at : at + run["outputs"]]
        at += run["outputs"]
        answers.append(
            Answer(
                outputs={tensor.name: from_wire(tensor) for tensor in taken},
                dtypes={tensor.name: tensor.dtype for tensor in taken},
            )
        )
    return tuple(answers)
