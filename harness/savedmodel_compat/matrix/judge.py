"""From what a cell's process did to the cell's result."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from savedmodel_compat.golden.tolerances import Policy
from savedmodel_compat.matrix.causes import BY_ID, Explanation, explain
from savedmodel_compat.matrix.cells import Cell, Detail, Outcome, Result, Stage
from savedmodel_compat.matrix.ends import cause_and_message
from savedmodel_compat.matrix.references import Reference, compare_answers

if TYPE_CHECKING:
    from savedmodel_compat.matrix.goldens import Against
    from savedmodel_compat.runtimes.verdicts import Failure, Verdict

_LINE = 600
LOG = 4000
"""How much of a log is kept, in characters."""

_STACK = re.compile(r"^(?:Detected at node .*| {2,}.*|Node: '.*')\n", re.MULTILINE)


def one_line(text: str) -> str:
    """Return ``text`` on one line, cut at a length that a report can show, fit for any terminal."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return line if len(line) <= _LINE else line[: _LINE - 1] + "…"


def without_stack(text: str) -> str:
    """Return what a Python loader said, less the stack of whoever built the graph.

    That stack is the loader's own, and so long that nothing else would be seen of the message
    (tensorflow/python/framework/error_interpolation.py).
    """
    said = text.partition("\nOriginal stack trace for")[0].rpartition("Original error:\n")[2]
    if "defined at (most recent call last)" in said:
        said = _STACK.sub("", said)
    return said.replace("Graph execution error:\n", "").strip() or text


def judge(  # noqa: PLR0911 - one return for each kind of end
    cell: Cell, verdict: Verdict, reference: Reference | None, policy: Policy, version: str
) -> Result:
    """Return the result of a cell.

    Args:
        cell: the cell; its signature is None if only the load was asked for.
        verdict: what became of its process.
        reference: what to compare with; None if there is none.
        policy: how to compare.
        version: what the consumer says of itself.
    """
    if verdict.worker_lost is not None:
        return Result(
            cell=cell,
            outcome=Outcome.INFRA_ERROR,
            reason=f"the worker was lost: {one_line(verdict.worker_lost)}",
            log=verdict.log[-LOG:],
            tensorflow_version=version or None,
        )
    if verdict.device_missing is not None:
        reason = one_line(verdict.device_missing)
        return _base(cell, verdict, version, Outcome.UNSUPPORTED, None, reason=reason)
    if verdict.broke_off:
        return _broke_off(cell, verdict, version)
    if verdict.failure is not None:
        stage = _stage(verdict)
        return _failed(
            cell, verdict, stage, _explain(verdict.failure, stage), verdict.failure, version
        )
    if cell.signature is None:
        return _base(cell, verdict, version, Outcome.NOT_RUN, Stage.LOAD, reason="no-signatures")
    if not verdict.answers:
        return _base(cell, verdict, version, Outcome.NOT_RUN, Stage.LOAD, reason="no-outputs")
    refusal = _telling_refusal(verdict, reference)
    if refusal is not None:
        explanation = _explain(refusal, Stage.RUN)
        return _failed(cell, verdict, Stage.RUN, explanation, refusal, version)
    return _compared(cell, verdict, reference, policy, version)


def _base(
    cell: Cell,
    verdict: Verdict,
    version: str,
    outcome: Outcome,
    stage: Stage | None,
    *,
    reason: str | None = None,
    message: str = "",
    reference: str | None = None,
    compared: int = 0,
) -> Result:
    return Result(
        cell=cell,
        outcome=outcome,
        stage=stage,
        reason=reason,
        message=one_line(message),
        reference=reference,
        compared=compared,
        seconds=verdict.seconds.get("cell", 0.0),
        tensorflow_version=version,
    )


def _stage(verdict: Verdict) -> Stage:
    return Stage.RUN if verdict.stage == "run" else Stage.LOAD


def _explain(failure: Failure, stage: Stage) -> Explanation:
    # Python's KeyError carries only the key, so the class is part of what was said.
    explanation = explain(f"{failure.type}: {failure.text}", stage, trace=failure.trace)
    if explanation.cause.id in {"unclassified", "run-failed"} and failure.type == "DATA_LOSS":
        return Explanation(cause=BY_ID["file-damaged"], detail=explanation.detail)
    if failure.type in {"RESOURCE_EXHAUSTED", "ResourceExhaustedError", "MemoryError"}:
        return Explanation(cause=BY_ID["out-of-memory"], detail=explanation.detail)
    return explanation


def _failed(  # noqa: PLR0917 - the facts of one verdict
    cell: Cell,
    verdict: Verdict,
    stage: Stage,
    explanation: Explanation,
    failure: Failure,
    version: str,
) -> Result:
    return Result(
        cell=cell,
        outcome=Outcome.FAIL,
        stage=stage,
        causes=(explanation.cause.id,),
        message=one_line(without_stack(failure.text)),
        detail=explanation.detail,
        fix=_fix(explanation, cell),
        seconds=verdict.seconds.get("cell", 0.0),
        tensorflow_version=version,
        log=(verdict.log + failure.trace)[-LOG:],
    )


def _fix(explanation: Explanation, cell: Cell) -> str:
    if explanation.cause.id == "attr-unknown" and cell.strip:
        # Stripped already: what is left is not a default, or stands where stripping does not reach.
        return (
            f"the model is stripped, so '{explanation.detail.attr}' is not the producer's default: "
            "upgrade the consumer, or export with the release that serves"
        )
    return explanation.fix


def _broke_off(cell: Cell, verdict: Verdict, version: str) -> Result:
    cause, message = cause_and_message(verdict)
    return Result(
        cell=cell,
        outcome=Outcome.FAIL,
        stage=_stage(verdict),
        causes=(cause,),
        message=one_line(message),
        fix=BY_ID[cause].fix,
        seconds=verdict.seconds.get("cell", 0.0),
        tensorflow_version=version,
        log=verdict.log[-LOG:],
    )


def _telling_refusal(verdict: Verdict, reference: Reference | None) -> Failure | None:
    """Return the first failure of a run that is the model's or the consumer's doing.

    A refusal of inputs that nothing else accepted says something of the inputs, not of the consumer.
    """
    for index, answer in enumerate(verdict.answers):
        if answer.failure is None:
            continue
        accepted = reference is not None and reference.outputs[index] is not None
        if accepted or not is_about_inputs(answer.failure):
            return answer.failure
    return None


def is_about_inputs(failure: Failure) -> bool:
    """Tell whether a run's failure may be due to the inputs that were made up for it."""
    return _explain(failure, Stage.RUN).cause.id in {"input-rejected", "run-failed"}


def _compared(
    cell: Cell, verdict: Verdict, reference: Reference | None, policy: Policy, version: str
) -> Result:
    ran = [answer for answer in verdict.answers if answer.outputs is not None]
    if not ran:
        said = verdict.answers[0].failure
        message = said.text if said else ""
        return _base(
            cell,
            verdict,
            version,
            Outcome.NOT_RUN,
            Stage.RUN,
            reason="inputs-refused",
            message=message,
        )
    if reference is None or reference.unstable is not None:
        message = "" if reference is None else f"the reference is unstable: {reference.unstable}"
        return _base(
            cell,
            verdict,
            version,
            Outcome.NOT_RUN,
            Stage.RUN,
            reason="no-reference",
            message=message,
        )
    comparison = compare_answers(verdict.answers, reference, _policy_of(cell, reference, policy))
    differences, compared = comparison.differences, comparison.compared
    if not compared:
        message = f"{reference.name} refused every set of inputs that {cell.consumer} accepted"
        return _base(
            cell,
            verdict,
            version,
            Outcome.NOT_RUN,
            Stage.RUN,
            reason="no-reference",
            message=message,
        )
    if not differences:
        passed = _base(
            cell,
            verdict,
            version,
            Outcome.PASS,
            Stage.COMPARE,
            reference=reference.name,
            compared=compared,
        )
        return replace(passed, observed=comparison.observed)
    causes = tuple(dict.fromkeys(difference.cause for difference in differences))
    fix = BY_ID[causes[0]].fix
    if reference.against is not None:
        fix = _fix_of_golden(reference.against, cell)
    return Result(
        cell=cell,
        outcome=Outcome.FAIL,
        stage=Stage.COMPARE,
        causes=causes,
        message=one_line("; ".join(difference.text for difference in differences)),
        detail=Detail(node=differences[0].output),
        fix=fix,
        reference=reference.name,
        compared=compared,
        seconds=verdict.seconds.get("cell", 0.0),
        tensorflow_version=version,
        log=verdict.log[-LOG:],
        observed=comparison.observed,
    )


def _fix_of_golden(against: Against, cell: Cell) -> str:
    """Say what to do about an answer that is not the golden's: whose fault it is shows in what else is another one."""
    accept = f"`savedmodel-compat golden accept '{against.name}' --reason TEXT`"
    if against.recorded_from not in {None, cell.model_sha256}:
        return (
            "the model is not the one that the golden was recorded from: if the new answer is right, "
            f"{accept}"
        )
    return (
        "if it is rounding, give the golden's manifest a tolerance, with the reason; if the new answer is "
        f"right, {accept}; else look for ops that changed between {cell.consumer} and the golden's release"
    )


def _policy_of(cell: Cell, reference: Reference, policy: Policy) -> Policy:
    """Return how the outputs of a cell are compared: on its device, and as its golden says."""
    against = reference.against
    said = () if against is None else against.overrides
    checks = () if against is None else against.checks
    return replace(policy, device=cell.device, overrides=said, checks=checks)


def without_golden(result: Result, against: Against) -> Result:
    """Return the result of a cell that came through a run, and has no golden to be compared with.

    Args:
        result: what it would be if nobody had asked for goldens.
        against: which golden, and why it is of no use.
    """
    assert against.cause is not None
    return replace(
        result,
        outcome=Outcome.FAIL,
        stage=Stage.COMPARE,
        causes=(against.cause,),
        reason=None,
        message=one_line(against.text),
        detail=Detail(),
        fix=BY_ID[against.cause].fix,
        reference=None,
        compared=0,
    )
