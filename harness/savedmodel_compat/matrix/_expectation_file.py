"""Reading a file of expectations: what stands in it is whole and sound, or an error names the line and what to write."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path

from savedmodel_compat import _toml
from savedmodel_compat.errors import ConfigurationError, SavedModelCompatError
from savedmodel_compat.matrix.causes import BY_ID
from savedmodel_compat.matrix.expectations import Expectation, Expectations
from savedmodel_compat.matrix.releases import Releases, parse
from savedmodel_compat.matrix.seen import UNKNOWN
from savedmodel_compat.runtimes import specs
from savedmodel_compat.runtimes.base import Loader, Provider
from savedmodel_compat.runtimes.devices import DEVICES
from savedmodel_compat.runtimes.pins import PinTable

TABLE = "expectation"
KEYS = (
    "model",
    "tags",
    "strip",
    "producer",
    "consumer",
    "loader",
    "provider",
    "device",
    "signature",
    "cause",
    "op",
    "attr",
    "reason",
    "owner",
    "link",
    "expires",
)
_REQUIRED = ("model", "cause", "reason", "expires")
_HEADER = re.compile(r"^\s*\[\[\s*[\"']?expectation[\"']?\s*\]\]", re.MULTILINE)
_ONE = re.compile(r"^\s*\[\s*[\"']?expectation[\"']?\s*\]", re.MULTILINE)
_LINK = re.compile(r"https?://\S+")
_LOADERS = tuple(map(str, Loader))
_PROVIDERS = tuple(map(str, Provider))
_DEVICE_NAMES = tuple(device.name for device in DEVICES)


def read(path: Path, table: PinTable) -> Expectations:
    """Read a file of expectations; one without any is sound.

    Args:
        path: the file.
        table: the pins and sets that its specifiers are read with.

    Raises:
        ConfigurationError: it is not there, does not parse, or an expectation is not whole.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"the expectations {path} cannot be read: {error.strerror}",
            hint="mend the path, or draft a file: savedmodel-compat expectations draft RECORD.json -o FILE",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the expectations {path} do not parse: {error}") from error
    document = _document(path, text)
    others = sorted(set(document) - {TABLE})
    if others:
        raise ConfigurationError(
            f"{path} has the unknown key {others[0]!r}",
            hint=f"each expectation is a table [[{TABLE}]], and there is nothing else in the file",
        )
    rows = document.get(TABLE, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError(
            f"{path}: {TABLE} is no list of tables", hint=f"begin each expectation with [[{TABLE}]]"
        )
    shown = _shown(path)
    places = _places(shown, text, len(rows))
    return Expectations(
        path=shown,
        entries=tuple(
            _Row(row, place, table).read() for row, place in zip(rows, places, strict=True)
        ),
    )


def _document(path: Path, text: str) -> Mapping[str, object]:
    """Parse the text; a table ``[expectation]``, which is most often what is wrong, is told with its line."""
    try:
        document = _toml.parse(text.encode())
        wrong = None
    except _toml.MalformedError as error:
        document, wrong = {}, error
    # Looked for only where something is wrong: a text of several lines may hold such a line, too.
    found = _ONE.search(text) if wrong or isinstance(document.get(TABLE), dict) else None
    if found is not None:
        line = text.count("\n", 0, found.end()) + 1
        raise ConfigurationError(
            f"{path}:{line}: [{TABLE}] is one table, where a list of them is expected",
            hint=f"begin each expectation with [[{TABLE}]], in double brackets",
        ) from wrong
    if wrong is not None:
        raise ConfigurationError(f"the expectations {path} do not parse: {wrong}") from wrong
    return document


def _shown(path: Path) -> Path:
    """Return a path as somebody who stands in the working directory would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _places(path: Path, text: str, count: int) -> Sequence[str]:
    """Return file and line of each expectation; its number where the lines cannot be told, as inside a long string."""
    lines, line, at = [], 1, 0
    for found in _HEADER.finditer(text):
        line += text.count("\n", at, found.end())
        at = found.end()
        lines.append(line)
    if len(lines) == count:
        return [f"{path}:{line}" for line in lines]
    return [f"{path}, expectation {number}" for number in range(1, count + 1)]


class _Row:
    """One table, and where it stands."""

    def __init__(self, row: Mapping[str, object], place: str, table: PinTable) -> None:
        self._row, self._place, self._table = row, place, table

    def read(self) -> Expectation:
        """Return it as an expectation."""
        self._demand_keys()
        providers = self._names("provider", _PROVIDERS)
        causes = self._causes()
        return Expectation(
            place=self._place,
            models=self._texts("model"),
            tags=self._tags(),
            strip=self._strip(),
            producer=self._releases("producer"),
            consumer=self._consumer(providers),
            loaders=self._names("loader", _LOADERS),
            providers=providers,
            devices=self._devices(),
            signatures=self._texts("signature", empty=True),
            cause=causes[0],
            or_causes=causes[1:],
            op=self._text("op"),
            attr=self._text("attr"),
            reason=self._text("reason") or "",
            owner=self._text("owner"),
            link=self._link(),
            expires=self._expires(),
        )

    def _demand_keys(self) -> None:
        others = sorted(set(self._row) - set(KEYS))
        if others:
            near = difflib.get_close_matches(others[0], KEYS, n=1)
            meant = f"; '{near[0]}' is near" if near else ""
            raise self._error(
                f"the unknown key {others[0]!r}{meant}", hint=f"its keys are {', '.join(KEYS)}"
            )
        missing = [key for key in _REQUIRED if key not in self._row]
        if missing:
            raise self._error(f"no `{missing[0]}`", hint=f"each has {', '.join(_REQUIRED)}")
        if "owner" not in self._row and "link" not in self._row:
            raise self._error(
                "neither `owner` nor `link`",
                hint="say who looks after it, or where: a failure that nobody looks after stays for ever",
            )

    def _text(self, key: str) -> str | None:
        value = self._row.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, value, "a text that is not empty")
        return value

    def _texts(self, key: str, *, empty: bool = False) -> tuple[str, ...]:
        """Return a text or a list of texts."""
        value = self._row.get(key)
        if value is None:
            return ()
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or not found:
            raise self._wrong(key, value, "a text, or a list of texts")
        for each in found:
            if not isinstance(each, str) or not (empty or each.strip()):
                raise self._wrong(key, value, "a text, or a list of texts")
        return tuple(dict.fromkeys(found))

    def _names(self, key: str, known: Sequence[str]) -> tuple[str, ...]:
        found = self._texts(key)
        unknown = [name for name in found if name not in known]
        if unknown:
            raise self._wrong(key, unknown[0], f"one of {', '.join(known)}")
        return found

    def _devices(self) -> tuple[str, ...]:
        found = self._texts("device")
        for pattern in found:
            if not any(fnmatchcase(name, pattern) for name in _DEVICE_NAMES):
                raise self._wrong("device", pattern, f"one of {', '.join(_DEVICE_NAMES)}")
        return found

    def _tags(self) -> frozenset[str] | None:
        value = self._row.get("tags")
        if value is None:
            return None
        found = value.split(",") if isinstance(value, str) else value
        if not isinstance(found, list) or not all(isinstance(tag, str) for tag in found):
            raise self._wrong("tags", value, 'a tag set, such as "serve" or ["serve", "gpu"],')
        return frozenset(tag.strip() for tag in found if tag.strip())

    def _strip(self) -> bool | str | None:
        value = self._row.get("strip")
        if value is None or isinstance(value, bool) or value == UNKNOWN:
            return value
        raise self._wrong("strip", value, f'true, false or "{UNKNOWN}"')

    def _releases(self, key: str) -> Releases | None:
        if key not in self._row:
            return None
        text = ",".join(self._texts(key))
        try:
            return parse(text, self._table)
        except SavedModelCompatError as error:
            raise self._error(f"{key} = {text!r}: {error.message}", hint=error.hint) from error

    def _consumer(self, providers: Sequence[str]) -> Releases | None:
        """Return the consumers, each of which is a pin: an expectation about one that is never run would never be judged."""
        releases = self._releases("consumer")
        if releases is not None and str(Provider.CURRENT) not in providers:
            try:
                specs.select(releases.text, self._table)
            except SavedModelCompatError as error:
                raise self._error(
                    f"consumer = {releases.text!r}: {error.message}", hint=error.hint
                ) from error
        return releases

    def _causes(self) -> tuple[str, ...]:
        causes = self._texts("cause")
        for cause in causes:
            if cause not in BY_ID:
                near = difflib.get_close_matches(cause, BY_ID, n=2)
                meant = f"; near are {' and '.join(near)}" if near else ""
                raise self._error(
                    f"cause = {cause!r}, which is none{meant}",
                    hint=f"the causes are {', '.join(sorted(BY_ID))}",
                )
        return causes

    def _link(self) -> str | None:
        link = self._text("link")
        if link is not None and not _LINK.fullmatch(link):
            raise self._wrong("link", link, "an address that begins with https://")
        return link

    def _expires(self) -> date:
        value = self._row["expires"]
        # A moment is a date to Python.
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self._wrong("expires", value, "a date without quotes, such as 2027-12-31,")
        return value

    def _wrong(self, key: str, value: object, wanted: str) -> ConfigurationError:
        return ConfigurationError(f"{self._place}: {key} is {value!r}, where {wanted} is expected")

    def _error(self, what: str, *, hint: str | None) -> ConfigurationError:
        return ConfigurationError(f"{self._place}: the expectation has {what}", hint=hint)
