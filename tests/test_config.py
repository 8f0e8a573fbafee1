"""Tests of the configuration: typed values, and errors that name the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from savedmodel_compat import config
from savedmodel_compat.errors import ConfigurationError


def write(folder: Path, text: str) -> Path:
    """Write a pyproject.toml."""
    path = folder / "pyproject.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> str:
    """Return what a pyproject.toml is refused with; the file is always named."""
    path = write(folder, text)
    with pytest.raises(ConfigurationError) as caught:
        config.read(path)
    assert str(path) in caught.value.message
    return str(caught.value)


def test_the_nearest_file_is_found(tmp_path: Path) -> None:
    """The search goes up from a folder to the first pyproject.toml."""
    write(tmp_path, "")
    inner = tmp_path / "one" / "two"
    inner.mkdir(parents=True)
    nearer = write(tmp_path / "one", "")
    assert config.find(inner) == nearer


def test_exporters_become_absolute(tmp_path: Path) -> None:
    """A path is relative to the file that names it, not to the working directory."""
    path = write(
        tmp_path, '[tool.savedmodel-compat.exporters]\nsmall = "models/small.py::export"\n'
    )
    expected = f"{tmp_path.resolve()}/models/small.py::export"
    assert config.read(path).exporters == {"small": expected}


def test_a_repository_without_the_table_has_an_empty_configuration(tmp_path: Path) -> None:
    """Other tools' tables are not looked at."""
    path = write(tmp_path, "[tool.other]\nkey = 1\n")
    assert config.read(path) == config.Configuration(path=path)


def test_no_file_at_all_is_an_empty_configuration() -> None:
    """At the root of the filesystem there is no pyproject.toml."""
    assert config.load(Path("/")) == config.Configuration()


def test_pins_and_sets_are_read(tmp_path: Path) -> None:
    """A row keeps what it says, with the lock's path absolute."""
    digest = "AB" * 32
    path = write(
        tmp_path,
        f"""
        [[tool.savedmodel-compat.pins]]
        release = "2.22.0"
        python = "3.12"
        package = "tensorflow"
        lock = "locks/mine.txt"
        sha256 = "{digest}"
        bytes = 12
        [tool.savedmodel-compat.sets]
        gate = ["2.22.0", ">=2.15"]
        """,
    )
    found = config.read(path)
    assert found.sets == {"gate": ("2.22.0", ">=2.15")}
    (row,) = found.pins
    assert row.lock == tmp_path.resolve() / "locks" / "mine.txt"
    assert (row.release, row.device, row.bytes) == ("2.22.0", "cpu", 12)
    assert row.sha256 == digest.lower()


def test_this_repository_reads() -> None:
    """The exporters that this repository registers are found from inside of it."""
    found = config.load(Path(__file__).parent)
    assert "half_plus_two" in found.exporters


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    """A misspelt key does not pass unseen, and the hint lists the keys."""
    text = refusal(tmp_path, '[tool.savedmodel-compat]\nexporter = "x"\n')
    assert "unknown key 'exporter'" in text
    assert "exporters, golden, pins, sets" in text


def test_an_unknown_key_of_a_pin_is_refused(tmp_path: Path) -> None:
    """The row is named by its place."""
    text = refusal(tmp_path, '[[tool.savedmodel-compat.pins]]\nrelease = "2.4.4"\nsha = "x"\n')
    assert "tool.savedmodel-compat.pins[0]" in text
    assert "'sha'" in text


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[tool]\nsavedmodel-compat = 1", "tool.savedmodel-compat is 1"),
        ("[tool.savedmodel-compat]\nexporters = []", "exporters is []"),
        ("[tool.savedmodel-compat.exporters]\na = 1", "exporters.a is 1"),
        ("[tool.savedmodel-compat]\nsets = 'smoke'", "sets is 'smoke'"),
        ("[tool.savedmodel-compat.sets]\na = '2.4.4'", "sets.a is '2.4.4'"),
        ("[tool.savedmodel-compat.sets]\na = ['2.4.4', 2.5]", "sets.a[1] is 2.5"),
        ("[tool.savedmodel-compat]\npins = {}", "pins is {}"),
        ("[[tool.savedmodel-compat.pins]]\nrelease = 2.4", "pins[0].release is 2.4"),
        ("[[tool.savedmodel-compat.pins]]\npython = '3.8'", "pins[0] has no `release`"),
        (
            "[[tool.savedmodel-compat.pins]]\nrelease = '2.4.4'\nbytes = true",
            "pins[0].bytes is True",
        ),
        (
            "[[tool.savedmodel-compat.pins]]\nrelease = '2.4.4'\nsha256 = 'abc'",
            "pins[0].sha256 is 'abc'",
        ),
        (
            "[[tool.savedmodel-compat.pins]]\nrelease = '2.4.4'\ndevice = 'tpu'",
            "pins[0].device is 'tpu'",
        ),
    ],
)
def test_a_wrong_type_is_refused_with_its_key(tmp_path: Path, text: str, key: str) -> None:
    """The error says which key has which value."""
    assert key in refusal(tmp_path, text)


@pytest.mark.parametrize("exporter", ["models/small.py", "small::export", "small.py::not a name"])
def test_an_exporter_has_a_file_and_a_function(tmp_path: Path, exporter: str) -> None:
    """Anything but FILE.py::function is refused, with the right form as a hint."""
    text = refusal(tmp_path, f'[tool.savedmodel-compat.exporters]\nsmall = "{exporter}"\n')
    assert "exporters.small" in text
    assert "::function" in text


def test_a_file_that_does_not_parse_is_named(tmp_path: Path) -> None:
    """The line of the mistake comes from the parser."""
    assert "does not parse" in refusal(tmp_path, "[tool\n")
    assert "nested too deeply" in refusal(tmp_path, f"a = {'[' * 5000}")
    assert "does not parse" in refusal(tmp_path, f"a = {'1' * 5000}")


def test_the_file_of_expectations(tmp_path: Path) -> None:
    """It is relative to the file that names it; something else than a path is refused."""
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.savedmodel-compat]\nexpectations = "suites/expectations.toml"\n')
    assert config.read(file).expectations == tmp_path / "suites" / "expectations.toml"
    file.write_text("[tool.savedmodel-compat]\nexpectations = 7\n")
    with pytest.raises(ConfigurationError, match="expectations is 7"):
        config.read(file)
