"""Reading and writing files of expectations: each mistake has its line and says what to write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from tests.matrix.made_cells import TABLE, expectation

from savedmodel_compat.errors import ConfigurationError
from savedmodel_compat.matrix._expectation_file import read
from savedmodel_compat.matrix._expectation_text import as_text
from savedmodel_compat.matrix.expectations import Expectations

WHOLE = """
[[expectation]]
model = ["mnist_*", "half_plus_two"]
tags = "serve, gpu"
strip = false
producer = ">=1.15.5"
consumer = "<1.14"
loader = ["c", "v1"]
provider = "wheel"
device = "cpu*"
signature = ["serving_default", ""]
cause = "attr-unknown"
op = "Conv2D"
attr = "explicit_paddings"
reason = "Conv2D.explicit_paddings came with 1.14"
owner = "ops"
link = "https://example.com/1"
expires = 2027-12-31
"""
LEAST = """
# The least that one has.
[[expectation]]
model = "mnist_cnn"
cause = "attr-unknown"
reason = "it is known"
owner = "ops"
expires = 2027-12-31
"""

Reader = Callable[[str], Expectations]


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Write a text to a file and read it."""
    monkeypatch.chdir(tmp_path)

    def read_text(text: str) -> Expectations:
        (tmp_path / "expectations.toml").write_text(text, encoding="utf-8")
        return read(tmp_path / "expectations.toml", TABLE)

    return read_text


def test_a_whole_one(reading: Reader) -> None:
    """Every key is read; lists, single texts and wildcards are taken."""
    [one] = reading(WHOLE).entries
    assert one.place == "expectations.toml:2"
    assert one.models == ("mnist_*", "half_plus_two")
    assert one.tags == frozenset(("serve", "gpu"))
    assert (one.strip, one.loaders, one.providers) == (False, ("c", "v1"), ("wheel",))
    assert (one.devices, one.signatures) == (("cpu*",), ("serving_default", ""))
    assert one.claim == "attr-unknown Conv2D.explicit_paddings"
    assert one.whose == "ops https://example.com/1"
    assert one.expires == date(2027, 12, 31)
    assert one.consumer is not None
    assert one.consumer.has("1.13.2")


def test_several_causes(reading: Reader) -> None:
    """A list allows each of them, and is written as it was read; one that is none is refused."""
    listed = LEAST.replace('"attr-unknown"', '["attr-unknown", "crashed"]')
    [one] = reading(listed).entries
    assert one.causes == ("attr-unknown", "crashed")
    assert one.claim == "attr-unknown or crashed"
    assert reading(as_text([one])).entries[0].causes == one.causes
    with pytest.raises(ConfigurationError, match="'crushed', which is none; near are crashed"):
        reading(LEAST.replace('"attr-unknown"', '["attr-unknown", "crushed"]'))


def test_each_has_its_line(reading: Reader) -> None:
    """The line of each is that of its table."""
    assert [each.place for each in reading(WHOLE + LEAST).entries] == [
        "expectations.toml:2",
        "expectations.toml:21",
    ]


def test_numbers_where_lines_cannot_be_told(reading: Reader) -> None:
    """A text that holds what looks like a table leaves the numbers of the expectations to tell them apart."""
    text = LEAST.replace('"it is known"', '"""\n[[expectation]]\nis known"""')
    assert [each.place for each in reading(text).entries] == ["expectations.toml, expectation 1"]


def test_an_empty_file_expects_nothing(reading: Reader) -> None:
    """A repository without known failures may say so."""
    assert reading("# none\n").entries == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('model = "mnist_cnn"\n', "", "no `model`"),
        ('cause = "attr-unknown"\n', "", "no `cause`"),
        ('reason = "it is known"\n', "", "no `reason`"),
        ("expires = 2027-12-31\n", "", "no `expires`"),
        ('owner = "ops"\n', "", "neither `owner` nor `link`"),
        ('owner = "ops"', 'owner = " "', "owner is ' '"),
        ('owner = "ops"', 'link = "ticket 7"', "link is 'ticket 7'"),
        ('"it is known"', '""', "reason is ''"),
        ('"attr-unknown"', '"attr-unkown"', "near are attr-unknown"),
        ("2027-12-31", '"2027-12-31"', "a date without quotes"),
        ("2027-12-31", "2027-12-31T00:00:00", "a date without quotes"),
        ('"mnist_cnn"', "[]", "model is []"),
        ('"mnist_cnn"', "7", "model is 7"),
        ("owner", 'consumr = "2.4"\nowner', "'consumer' is near"),
        ("owner", 'consumer = "2.99"\nowner', "consumer = '2.99'"),
        ("owner", 'consumer = ">2.99"\nowner', "consumer = '>2.99'"),
        ("owner", 'consumer = ">=x"\nowner', "is not a range"),
        ("owner", 'producer = "smok"\nowner', "producer = 'smok'"),
        ("owner", 'loader = "v3"\nowner', "loader is 'v3'"),
        ("owner", 'provider = "pip"\nowner', "provider is 'pip'"),
        ("owner", 'device = "tpu"\nowner', "device is 'tpu'"),
        ("owner", 'strip = "on"\nowner', "strip is 'on'"),
        ("owner", "tags = 3\nowner", "tags is 3"),
        ("owner", 'op = ""\nowner', "op is ''"),
        ("[[expectation]]", "[[expectations]]", "unknown key 'expectations'"),
        ("[[expectation]]", "[expectation]", "[expectation] is one table"),
        ("[[expectation]]", "[expectation]", "begin each expectation with [[expectation]]"),
        ("[[expectation]]", "expectation = [3]\n[x]", "unknown key 'x'"),
        ("[[expectation]]", "[[expectation", "do not parse"),
    ],
)
def test_mistakes(reading: Reader, before: str, after: str, said: str) -> None:
    """Seeded faults: what is missing, misspelled or of another kind is told with the file, before anything runs."""
    with pytest.raises(ConfigurationError) as caught:
        reading(LEAST.replace(before, after, 1))
    assert said in str(caught.value)
    assert "expectations.toml" in str(caught.value)


def test_single_brackets(reading: Reader) -> None:
    """Seeded fault: one or more tables where a list is meant are told with the line of the first, and nothing of what is in them."""
    for text in (f"# {LEAST[:3]}\n\n{LEAST}", LEAST + LEAST):
        said = text.replace("[[expectation]]", "[expectation]")
        line = said[: said.index("[expectation]")].count("\n") + 1
        with pytest.raises(ConfigurationError, match=rf"toml:{line}: \[expectation\] is") as caught:
            reading(said)
        assert "mnist" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="is no list of tables"):
        reading("expectation = 3")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that was named and is gone expects nothing by mistake: it is an error."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read(tmp_path / "gone.toml", TABLE)


def test_a_release_of_ones_own(reading: Reader) -> None:
    """Provider `current` may have a release that is not pinned; any producer may."""
    [one] = reading(
        LEAST.replace("owner", 'provider = "current"\nconsumer = "2.7.0"\nowner')
    ).entries
    assert one.consumer is not None
    assert one.consumer.has("2.7.0")
    assert reading(LEAST.replace("owner", 'producer = "2.7.0"\nowner')).entries


def test_what_is_written_is_read(reading: Reader) -> None:
    """All fields come back from the text, with whatever characters a name has."""
    whole = expectation(
        models=('a "quoted" \\ name', "b\x7f\n", "ü[[]x]"),
        tags=frozenset(("b", "a")),
        strip="unknown",
        producer="1.15.5,unknown",
        consumer=">=2.4,<2.6",
        loaders=("c",),
        providers=("wheel", "venv"),
        devices=("cpu",),
        signatures=("", "x"),
        op="Op",
        attr="T",
        link="https://example.com/1",
    )
    entries = reading(as_text([whole, expectation()])).entries
    places = ("expectations.toml:3", "expectations.toml:21")
    assert [each.place for each in entries] == list(places)
    for written, found, place in zip([whole, expectation()], entries, places, strict=True):
        for name in (*written.__dataclass_fields__,):
            want = place if name == "place" else getattr(written, name)
            assert getattr(found, name) == want, name


def test_a_text_that_python_cannot_read(reading: Reader) -> None:
    """What is nested beyond all measure, or a number of thousands of digits, is an error of the file."""
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        reading(f"a = {'[' * 5000}")
    with pytest.raises(ConfigurationError, match="do not parse"):
        reading(f"a = {'1' * 5000}")
