"""The goldens of a matrix: which of them each signature is compared with, and what a cell that differs leaves for review."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat.errors import GoldenDamagedError, GoldenMissingError, SavedModelCompatError
from savedmodel_compat.golden.store import DataSet, Golden, Key, Store
from savedmodel_compat.tensors import dtype_from_name

if TYPE_CHECKING:
    from savedmodel_compat.golden.manifest import Manifest
    from savedmodel_compat.golden.tolerances import Check, Override
    from savedmodel_compat.matrix.models import Case, Model
    from savedmodel_compat.runtimes.requests import Port

MISSING, DAMAGED, STALE = "golden-missing", "golden-damaged", "golden-stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """The golden that a signature is compared with, or why there is none to compare with.

    Args:
        key: of the golden.
        data_sets: their names, in the order of the case's feeds.
        dtypes: TensorFlow's names of the outputs' element types, of each data set.
        overrides: of tolerances.
        checks: of outputs that are right in more than one way.
        recorded_from: digest of the model that it was recorded from; None if that was an exporter's.
        cause: why nothing can be compared; None if it can.
        text: the same in words.
    """

    key: Key
    data_sets: tuple[str, ...] = ()
    dtypes: tuple[Mapping[str, str], ...] = field(default=(), hash=False)
    overrides: tuple[Override, ...] = ()
    checks: tuple[Check, ...] = field(default=(), hash=False)
    recorded_from: str | None = None
    cause: str | None = None
    text: str = ""

    @property
    def name(self) -> str:
        """What reports call the golden."""
        return self.key.name


def with_goldens(models: Sequence[Model], store: Store) -> list[Model]:
    """Return models whose signatures are fed and compared with what their goldens hold.

    A signature whose golden is missing, damaged or of other inputs keeps its own, is run with them, and fails where it
    would be compared.

    Args:
        models: as they were read or exported.
        store: the goldens.
    """
    return [
        replace(model, cases=tuple(with_golden(model, case, store) for case in model.cases))
        for model in models
    ]


def with_golden(model: Model, case: Case, store: Store) -> Case:
    """Return one signature with the golden that it is compared with; see `with_goldens`."""
    key = key_of(model, case.signature, store)
    try:
        golden = store.read(key)
    except GoldenMissingError as error:
        return _without(case, key, MISSING, error)
    except GoldenDamagedError as error:
        return _without(case, key, DAMAGED, error)
    problem = _unfit(golden, case)
    if problem is not None:
        return _without(case, key, STALE, problem)
    sets, source = golden.data_sets, golden.manifest.source
    return replace(
        case,
        feeds=tuple(each.inputs for each in sets),
        expected=tuple(each.outputs for each in sets),
        against=Against(
            key=key,
            data_sets=tuple(each.name for each in sets),
            dtypes=tuple(outputs_of(each.dtypes) for each in sets),
            overrides=golden.manifest.overrides,
            checks=golden.manifest.checks,
            recorded_from=source.sha256 if source.kind == "model" else None,
        ),
        why_no_feeds=None,
    )


def key_of(model: Model, signature: str, store: Store) -> Key:
    """Return the key under which a store has the golden of a signature, or would have it.

    What an exporter wrote goes by the exporter's name, with ``@RELEASE`` if there is a golden for that producer alone. A
    frozen model of the store goes by its own name, any other by as much of the end of its path as a golden is
    called by.

    Args:
        model: of the signature.
        signature: its key in the MetaGraph.
        store: where to look.
    """
    keys = [
        Key(model=name, tags=model.tags, signature=signature) for name in _names(model, store.root)
    ]
    return next((key for key in keys if store.has(key)), keys[-1])


def name_of(model: Model, root: Path) -> str:
    """Return what a golden of a model is called that is made now."""
    return list(_names(model, root))[-1]


def _names(model: Model, root: Path) -> Iterator[str]:
    """Yield what a model's goldens may be called, the most telling first; the last is what a new one is called."""
    if model.exporter is not None:
        if model.producer is not None:
            yield f"{model.exporter}@{model.producer}"
        yield model.exporter
        return
    frozen = (root / "models").absolute()
    path = model.path.absolute()
    if path.is_relative_to(frozen):
        yield path.relative_to(frozen).parts[0]
        return
    parts = path.parts[1:]
    if path.name.isdigit() and len(parts) > 1:
        # It is a version of what is in the folder above it, and the next one answers to the same goldens.
        yield from _ends(parts, least=2)
        parts = parts[:-1]
    yield from _ends(parts, least=1)


def _ends(parts: Sequence[str], *, least: int) -> Iterator[str]:
    """Yield the end of a path in every length, the longest first."""
    yield from ("/".join(parts[-depth:]) for depth in range(len(parts), least - 1, -1))


def outputs_of(dtypes: Mapping[str, str]) -> dict[str, str]:
    """Return the element types of the outputs of a data set by alias."""
    start = "outputs/"
    return {key[len(start) :]: name for key, name in dtypes.items() if key.startswith(start)}


def fitting(
    manifest: Manifest, sets: Sequence[DataSet]
) -> tuple[tuple[Override, ...], tuple[Check, ...]]:
    """Return the tolerances and checkers of a manifest that are of outputs which data sets have.

    Args:
        manifest: of the golden that is there.
        sets: of the one that may take its place.
    """
    names = {alias for each in sets for alias in each.outputs}
    overrides = (each for each in manifest.overrides if each.output in {None, *names})
    checks = (each for each in manifest.checks if names.issuperset(_named(each)))
    return tuple(overrides), tuple(checks)


def _named(check: Check) -> set[str]:
    """Return the outputs that a check names, itself or in its options: whatever is text there is an output."""
    return {*check.outputs, *(value for value in check.options.values() if isinstance(value, str))}


def _unfit(golden: Golden, case: Case) -> SavedModelCompatError | None:
    """Return why a signature cannot be fed with a golden's inputs, if it cannot."""
    wanted = {port.alias: port.dtype.removesuffix("_ref") for port in case.inputs}
    for each in golden.data_sets:
        have = {alias: each.dtypes[f"inputs/{alias}"] for alias in each.inputs}
        if have != wanted:
            return SavedModelCompatError(
                f"data set '{each.name}' of golden {golden.key.name} has the inputs {_listed(have)}, and signature "
                f"'{case.signature}' takes {_listed(wanted)}",
                hint="if the signature was meant to change, record the golden again",
            )
    return None


def _listed(dtypes: Mapping[str, str]) -> str:
    return ", ".join(f"{alias}: {name}" for alias, name in sorted(dtypes.items())) or "none"


def _without(case: Case, key: Key, cause: str, error: SavedModelCompatError) -> Case:
    against = Against(key=key, cause=cause, text=error.message)
    return replace(case, expected=None, against=against)


def data_set(
    name: str,
    case: Case,
    inputs: Mapping[str, object],
    outputs: Mapping[str, object],
    *,
    dtypes: Mapping[str, str] | None = None,
    why: str = "",
) -> DataSet:
    """Return the data set that a signature's inputs and outputs make.

    Args:
        name: of the data set.
        case: the signature, which knows the element types of its inputs and outputs.
        inputs: arrays by alias.
        outputs: arrays by alias.
        dtypes: the element types that the outputs had, where they are known; None takes the signature's.
        why: what it is for.
    """
    known = {f"inputs/{alias}": dtype for alias, dtype in _of_ports(case.inputs)}
    known |= {f"outputs/{alias}": dtype for alias, dtype in _of_ports(case.outputs)}
    known |= {f"outputs/{alias}": dtype for alias, dtype in (dtypes or {}).items()}
    used = {f"inputs/{alias}" for alias in inputs} | {f"outputs/{alias}" for alias in outputs}
    return DataSet(
        name=name,
        inputs=inputs,  # type: ignore[arg-type] # arrays, which a Mapping of objects does not say
        outputs=outputs,  # type: ignore[arg-type]
        dtypes={key: known[key] for key in sorted(used)},
        why=why,
    )


def _of_ports(ports: Sequence[Port]) -> Iterator[tuple[str, str]]:
    for port in ports:
        yield port.alias, dtype_from_name(port.dtype).name.removesuffix("_ref")
