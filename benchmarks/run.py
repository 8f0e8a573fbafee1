"""Measure what the harness promises of its speed and memory, and print it beside the targets."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import _cells
import _containers
import _golden_compare
import _golden_store
import _matrix
import _prediction
import _ready
import _search
import _static
import savedmodel_compat
from _bench import Bench, session
from _measure import Row, Unit
from savedmodel_compat.errors import SavedModelCompatError
from savedmodel_compat.matrix.runner import Runner

BENCHMARKS: Mapping[str, Callable[[Bench], Iterator[Row]]] = {
    "cell": _cells.rows,
    "ready": _ready.rows,
    "matrix": _matrix.rows,
    "memory": _matrix.memory_rows,
    "static": _static.rows,
    "prediction": _prediction.rows,
    "containers": _containers.rows,
    "golden-compare": _golden_compare.rows,
    "golden-store": _golden_store.rows,
    "search": _search.rows,
}
_ROUNDS = 9
_QUICK_ROUNDS = 3


def main(arguments: Sequence[str]) -> int:
    """Run the benchmarks; return 1 if one of them could not be measured, else 0.

    Args:
        arguments: what stands after the script's name.
    """
    options = _parsed(arguments)
    started = datetime.now(timezone.utc)
    rows: list[tuple[str, Row]] = []
    problems: list[tuple[str, str]] = []
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} CPUs, load {load:.1f}, {platform.platform()}", file=sys.stderr)
    print(_line("what", "median", "min", "max", "target", ""))
    with tempfile.TemporaryDirectory() as folder, Runner(session()) as runner:
        bench = Bench(
            runner=runner,
            folder=Path(folder),
            rounds=_QUICK_ROUNDS if options.quick else _ROUNDS,
            is_quick=options.quick,
            cold=options.cold,
        )
        for name in options.only or BENCHMARKS:
            try:
                for row in BENCHMARKS[name](bench):
                    rows.append((name, row))
                    _show(row)
            except (SavedModelCompatError, OSError) as error:
                problems.append((name, str(error)))
                print(f"{name} could not be measured: {error}", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps(_record(started, load, rows, problems), indent=1) + "\n")
    return 1 if problems else 0


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller matrices")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    parser.add_argument(
        "--cold", metavar="RELEASE", help="also build this release in an empty cache (it downloads)"
    )
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="run this one; may be repeated"
    )
    return parser.parse_args(arguments)


def _show(row: Row) -> None:
    target = f"{row.target} {row.unit.value}" if row.target else ""
    numbers = (_number(number, row.unit) for number in (row.value, row.least, row.most))
    print(_line(row.what, *numbers, target, row.verdict), flush=True)
    if row.note:
        print(f"    {row.note}", flush=True)


def _line(what: str, *fields: str) -> str:
    median, least, most, target, verdict = fields
    return f"{what:<60}{median:>11}{least:>11}{most:>11}  {target:<12}{verdict}".rstrip()


def _number(number: float | None, unit: Unit) -> str:
    if number is None:
        return ""
    places = 1 if unit is Unit.MILLISECONDS else 2
    return f"{number:.{places}f} {unit.value}"


def _record(
    started: datetime,
    load: float,
    rows: Sequence[tuple[str, Row]],
    problems: Sequence[tuple[str, str]],
) -> dict[str, object]:
    """Return what ``--json`` writes."""
    return {
        "schema": 1,
        "harness": savedmodel_compat.__version__,
        "started": started.isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "load": [load, os.getloadavg()[0]],
            "platform": platform.platform(),
            "python": platform.python_version(),
        },
        "rows": [
            {
                "benchmark": name,
                **dataclasses.asdict(row),
                "unit": row.unit.value,
                "target": str(row.target) if row.target else None,
                "verdict": row.verdict or None,
            }
            for name, row in rows
        ],
        "not_measured": [{"benchmark": name, "problem": text} for name, text in problems],
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
