"""Writing expectations as the file that `_expectation_file` reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from savedmodel_compat._toml import quoted, several
from savedmodel_compat.matrix.expectations import Expectation

_HEAD = """\
# Drafted: look at each reason, narrow or widen the patterns, and say who looks after them.
"""


def as_text(entries: Iterable[Expectation]) -> str:
    """Return the text of a file with these expectations."""
    return _HEAD + "".join(f"\n[[expectation]]\n{_lines(each)}" for each in entries)


def _lines(entry: Expectation) -> str:
    return "".join(f"{key} = {value}\n" for key, value in _fields(entry))


def _fields(entry: Expectation) -> Iterator[tuple[str, str]]:
    yield "model", several(entry.models)
    if entry.tags is not None:
        yield "tags", f"[{', '.join(map(quoted, sorted(entry.tags)))}]"
    if entry.strip is not None:
        yield (
            "strip",
            quoted(entry.strip) if isinstance(entry.strip, str) else str(entry.strip).lower(),
        )
    if entry.producer is not None:
        yield "producer", quoted(entry.producer.text)
    if entry.consumer is not None:
        yield "consumer", quoted(entry.consumer.text)
    lists = (
        ("loader", entry.loaders),
        ("provider", entry.providers),
        ("device", entry.devices),
        ("signature", entry.signatures),
    )
    yield from ((name, several(values)) for name, values in lists if values)
    yield "cause", several(entry.causes)
    texts = (
        ("op", entry.op),
        ("attr", entry.attr),
        ("reason", entry.reason),
        ("owner", entry.owner),
        ("link", entry.link),
    )
    yield from ((name, quoted(text)) for name, text in texts if text)
    yield "expires", entry.expires.isoformat()
