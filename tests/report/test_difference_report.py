"""Tests of `savedmodel_compat.report.difference`."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from savedmodel_compat.model.difference import Change, Difference, GraphDifference, compare_paths
from savedmodel_compat.report import difference as report

MODELS = Path(__file__).parent.parent / "models"


def change(
    name: str, before: str | None, after: str | None, meaning: str = "", *, breaks: bool = False
) -> Change:
    """Return a change of an input."""
    return Change(
        what="input", name=name, before=before, after=after, meaning=meaning, breaks=breaks
    )


@pytest.fixture
def found() -> Difference:
    """A difference with a change of each form."""
    parts: dict[str, Any] = dict.fromkeys(GraphDifference.__annotations__, ())
    parts["tags"] = ("serve",)
    parts["signatures"] = (
        change("k: x", "float32 []", "int32 []", "clients must send another type", breaks=True),
        change("k: y", None, "int32 []"),
        change("k: z", "int32 []", None),
    )
    return Difference(
        a=Path("/old"),
        b=Path("/new"),
        tags=(),
        meta_graphs=(GraphDifference(**parts),),
        variables=(),
        assets=(),
        notes=("the variables of /new were left out",),
    )


def test_the_text_reads_like_a_diff(found: Difference) -> None:
    """What A has stands behind a minus, what B has behind a plus, and below what it means."""
    assert report.as_text(found).splitlines() == [
        "- /old",
        "+ /new",
        "MetaGraph [serve]",
        "  signatures",
        "    - input k: x: float32 []",
        "    + input k: x: int32 []",
        "        clients must send another type",
        "    + input k: y: int32 []",
        "    - input k: z: int32 []",
        "note: the variables of /new were left out",
    ]


def test_no_difference_is_said(tmp_path: Path) -> None:
    """The same model twice: the text says what was looked at."""
    folder = MODELS / "module-2.21.0"
    text = report.as_text(compare_paths(folder, folder))

    [line] = text.splitlines()[2:]
    assert line.startswith("no difference in signatures, ops, attrs, ")
    assert "by the checksums of the index" in line


def test_the_record_survives_a_trip_through_text(found: Difference) -> None:
    """Everything is in the record, an absent side as null."""
    record = json.loads(json.dumps(report.as_json(found), allow_nan=False))

    assert (record["schema"], record["a"], record["b"]) == (1, "/old", "/new")
    assert record["parts"] == ["any", "signature"]
    assert record["notes"] == ["the variables of /new were left out"]
    [pair] = record["meta_graphs"]
    assert pair["tags"] == ["serve"]
    assert pair["signatures"][1] == {
        "what": "input",
        "name": "k: y",
        "before": None,
        "after": "int32 []",
        "meaning": None,
        "breaks": False,
    }
    assert pair["signatures"][0]["breaks"]


def test_every_field_is_documented(found: Difference) -> None:
    """The page of the records names every field of the record and of a change, and every part."""
    page = (
        (MODELS.parents[1] / "docs/record.md").read_text(encoding="utf-8").split("## Of `diff`")[1]
    )
    record = report.as_json(found)
    [pair] = record["meta_graphs"]
    names = {*record, *pair, *pair["signatures"][0]}
    parts = "signature ops variables constants assets files producer any".split()
    assert [name for name in (*names, *parts) if f"`{name}`" not in page] == []


def test_files_have_sections_of_their_own(found: Difference) -> None:
    """Files of ``assets.extra/`` and all others are told below the assets."""
    lines = report.as_text(
        replace(found, meta_graphs=(), extra_files=(change("w", None, "1 bytes"),),
                files=(change("fingerprint.pb", "2 bytes", None),))
    ).splitlines()  # fmt: skip

    assert lines[2:6] == [
        "extra files",
        "  + input w: 1 bytes",
        "files",
        "  - input fingerprint.pb: 2 bytes",
    ]


def test_the_record_of_real_models_has_every_part() -> None:
    """A v1 model and a v2 model differ in nearly everything."""
    record = report.as_json(compare_paths(MODELS / "builder-1.15.5", MODELS / "module-2.21.0"))

    assert record["tags"]
    assert record["variables"]
    assert {name for name, changes in record["meta_graphs"][0].items() if changes} == {
        "tags",
        "signatures",
        "ops",
        "attrs",
        "functions",
        "constants",
        "computations",
        "producer",
    }


def test_names_cannot_forge_lines(found: Difference) -> None:
    """Control codes in the names of a model are escaped."""
    hostile = Difference(
        a=found.a,
        b=found.b,
        tags=(),
        meta_graphs=(),
        variables=(change("\x1b[2J\nnote: all is well", None, "float32 []"),),
        assets=(),
    )
    lines = report.as_text(hostile).splitlines()

    assert len(lines) == 4
    assert lines[3] == r"  + input \x1b[2J\nnote: all is well: float32 []"


def test_names_of_files_survive_json(tmp_path: Path) -> None:
    """Bytes of a name that are no UTF-8 are escaped, so that every reader of JSON takes the record."""
    folder = Path(shutil.copytree(MODELS / "module-2.21.0", tmp_path / "m"))
    Path(os.fsdecode(bytes(folder) + b"/assets/\xff")).touch()
    record = report.as_json(compare_paths(MODELS / "module-2.21.0", folder))
    assert [change["name"] for change in record["assets"]] == [r"\udcff"]
    json.dumps(record, ensure_ascii=False).encode()


def test_thousands_of_changes_are_cut(found: Difference) -> None:
    """The text shows some and counts the rest; the record has all."""
    many = Difference(
        a=found.a,
        b=found.b,
        tags=(),
        meta_graphs=(),
        variables=tuple(change(f"v{index}", "float32 []", None) for index in range(1000)),
        assets=(),
    )

    assert len(report.as_text(many).splitlines()) < 100
    assert "… and 960 more" in report.as_text(many)
    assert len(report.as_json(many)["variables"]) == 1000
