"""TensorFlow's own ``saved_model_cli``, of any release: runs it and reads what it prints."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from savedmodel_compat.runtimes.base import Runtime

_DRIVER = Path(__file__).parent / "programs" / "command_lines.py"
_MODULE = "tensorflow.python.tools.saved_model_cli"
_SECONDS = 300.0

_META_GRAPH = re.compile(r"MetaGraphDef with tag-set: '(.*)' contains the following SignatureDefs:")
_SIGNATURE = re.compile(r"signature_def\['(.*)'\]:")
_TENSOR = re.compile(
    r"(inputs|outputs)\['(.*)'\] tensor_info:\n"
    r"\s+dtype: (\w+)\n"
    r"\s+shape: (unknown_rank|\(.*\))\n"
    r"\s+name: (.*)\n"
)
_METHOD = re.compile(r"Method name is: ?(.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What one run of the tool came to.

    Args:
        status: its exit status.
        text: what it printed, on either channel.
    """

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A tensor of a signature, as the tool shows it.

    Args:
        dtype: such as ``DT_FLOAT``.
        shape: its sizes, -1 for one that is not known; None if the rank is not known.
        name: in the graph.
    """

    dtype: str
    shape: tuple[int, ...] | None
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSignature:
    """A signature, as the tool shows it."""

    method: str
    inputs: Mapping[str, Shown] = field(default_factory=dict)
    outputs: Mapping[str, Shown] = field(default_factory=dict)


Signatures = Mapping[str, ShownSignature]


def run(runtime: Runtime, commands: Sequence[Sequence[str]], *, home: Path) -> list[Printed]:
    """Run the tool with each of these lists of arguments, in processes of their own.

    Args:
        runtime: of provider ``venv``.
        commands: the arguments, such as ``("show", "--dir", path, "--all")``.
        home: an empty folder, which the tool takes for the user's.
    """
    script = runtime.python.with_name("saved_model_cli")
    sealed = {
        **runtime.environment,
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }
    done = subprocess.run(
        (runtime.python, "-I", _DRIVER, script, _MODULE),
        input=json.dumps([list(command) for command in commands]),
        env=sealed,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{runtime.label}: {done.stderr[-2000:]}"
    return [Printed(**each) for each in json.loads(done.stdout)]


def meta_graphs(text: str) -> Mapping[frozenset[str], Signatures]:
    """Return the signatures by tag set that ``show --all`` printed."""
    found = {}
    for tags, part in _parts(_META_GRAPH, text):
        named = frozenset(tag.strip() for tag in tags.split(",") if tag.strip())
        found[named] = {key: _signature(body) for key, body in _parts(_SIGNATURE, part)}
    return found


def _signature(text: str) -> ShownSignature:
    sides: dict[str, dict[str, Shown]] = {"inputs": {}, "outputs": {}}
    for side, alias, dtype, shape, name in _TENSOR.findall(text):
        sides[side][alias] = Shown(dtype=dtype, shape=_shape(shape), name=name)
    method = _METHOD.search(text)
    return ShownSignature(
        method=method[1].strip() if method else "",
        inputs=sides["inputs"],
        outputs=sides["outputs"],
    )


def _shape(text: str) -> tuple[int, ...] | None:
    if text == "unknown_rank":
        return None
    return tuple(int(size) for size in text.strip("()").split(",") if size.strip())


def _parts(heading: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield what each heading names, and the text from there to the next one."""
    headings = list(heading.finditer(text))
    ends = [match.start() for match in headings[1:]] + [len(text)]
    # Without any heading there is one end too many.
    for match, end in zip(headings, ends, strict=False):
        yield match[1], text[match.end() : end]
