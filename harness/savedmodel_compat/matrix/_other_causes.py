"""Causes of runs and of comparisons, and those that can come at any stage."""

from __future__ import annotations

from savedmodel_compat.matrix._cause import UPGRADE, Cause, Sign, signs
from savedmodel_compat.matrix.cells import Stage

OUT_OF_MEMORY = Cause(
    id="out-of-memory",
    stage=None,
    meaning="The process needed more memory than the cell may use.",
    fix="raise --memory, or feed smaller inputs",
    signs=signs(
        r"^MemoryError",
        r"OOM when allocating tensor",
        r"\bbad_alloc\b",
        r"failed to allocate memory",
    ),
)

RUN_CAUSES: tuple[Cause, ...] = (
    Cause(
        id="signature-missing",
        stage=Stage.RUN,
        meaning="The signature, or a tensor that it names, is not in the loaded graph.",
        fix="compare `savedmodel-compat inspect` with what the exporter meant",
        signs=(
            *signs(
                r"of the signature: node '(?P<node>[^']*)'",
                r"The name '(?P<node>[^':]+)[^']*' refers to a Tensor",
                r"FeedInputs: unable to find feed output (?P<node>\S+)",
                r"FetchOutputs node (?P<node>\S+?): ",
                r"Tensor (?P<node>\S+), specified in either feed_devices or fetch_devices was not found",
                r"Fetch argument [^\n]{0,400} cannot be interpreted as a Tensor",
                r"'(?P<node>[^']+)' holds a NoneType, which is no tensor",
                r"signature '(?P<node>[^']+)' is not among the loaded object's",
                r"tensor alias not found in signature: (?P<node>[^\s.]+)",
                r"[Ss]erving signature (?:key|name:?) \\?\"(?P<node>[^\"\\]+)\\?\" not found",
                r"Expected \w+ signature method_name",
            ),
            Sign(
                pattern=r"endpoint '(?P<node>[^']+)' is neither an attribute of the reloaded SavedModel",
                fix="name one of the signatures that `savedmodel-compat inspect` lists, such as call_endpoint='serving_default'",
            ),
        ),
    ),
    Cause(
        id="input-rejected",
        stage=Stage.RUN,
        meaning="The consumer refuses inputs that the reference accepts.",
        fix="compare the signature's dtypes and shapes; give inputs with --inputs",
        signs=signs(
            r"You must feed a value for placeholder tensor '(?P<node>[^']+)'",
            r"Could not parse example input",
            r"Expects arg\[\d+\] to be \w+ but \w+ is provided",
            r"Could not find matching (?:concrete )?function to call",
            r"cannot compute \S+ as input #",
            r"Python inputs incompatible with input_signature|Binding inputs to tf\.function failed",
            r"missing required arguments: |got unexpected keyword arguments",
            r"Cannot feed value of shape",
            r"input size does not match signature: ",
            r"Missing named input|does not have named input|Expecting (?:shape|tensor size)",
        ),
    ),
    Cause(
        id="run-failed",
        stage=Stage.RUN,
        meaning="The model loads, and running it gives an error that the reference does not give.",
        fix="look at the message and the node that it names",
    ),
)

OTHER_CAUSES: tuple[Cause, ...] = (
    Cause(
        id="output-names-differ",
        stage=Stage.COMPARE,
        meaning="The outputs do not have the reference's names.",
        fix="look whether this loader renames outputs, or the signature changed",
    ),
    Cause(
        id="output-dtype-differs",
        stage=Stage.COMPARE,
        meaning="An output has another element type than the reference.",
        fix="compare the signatures",
    ),
    Cause(
        id="output-shape-differs",
        stage=Stage.COMPARE,
        meaning="An output has another shape than the reference.",
        fix="compare the signatures, and the ops that make this output",
    ),
    Cause(
        id="output-mismatch",
        stage=Stage.COMPARE,
        meaning="An output has other values than the reference, beyond the tolerance.",
        fix="if the difference is rounding, widen --rtol/--atol; else look for ops that changed between the releases",
    ),
    Cause(
        id="golden-missing",
        stage=Stage.COMPARE,
        meaning="Goldens are asked for, and there is none of this signature.",
        fix="record it from a release that answers right: `savedmodel-compat golden record`",
    ),
    Cause(
        id="golden-damaged",
        stage=Stage.COMPARE,
        meaning="The golden's files are not what its manifest says, or do not hold together.",
        fix="restore the golden's folder from version control, or record it again",
    ),
    Cause(
        id="golden-stale",
        stage=Stage.COMPARE,
        meaning="The golden was recorded with other inputs than the signature takes.",
        fix="if the signature was meant to change, record the golden again: `savedmodel-compat golden record`",
    ),
    Cause(
        id="attr-ignored",
        stage=Stage.COMPARE,
        meaning="The consumer drops an attr that it does not know, and its value is not the op's default.",
        fix=f"{UPGRADE}: '{{attr}}' of {{op}} does nothing there",
    ),
    Cause(
        id="crashed",
        stage=None,
        meaning="The process ended by a signal, or without an answer.",
        fix="look at the log; an abort is a CHECK failure inside TensorFlow",
        signs=signs(
            r"was compiled to use \w+ instructions, but these aren't available",
            r"\bIllegal instruction\b",
            fix="the build needs a newer processor than this machine has: take another build, or another machine",
        ),
    ),
    Cause(
        id="timed-out",
        stage=None,
        meaning="The cell did not end in its time.",
        fix="raise --timeout, or look for a queue that nothing fills",
    ),
    Cause(
        id="unclassified",
        stage=None,
        meaning="None of the known texts; the message is kept.",
        fix="read the message; a report of it makes the harness better",
    ),
)
