"""The models of a matrix: one MetaGraph of one SavedModel each, with the inputs that its signatures are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from savedmodel_compat import model as saved_models
from savedmodel_compat.errors import DamagedModelError, UsageError
from savedmodel_compat.matrix import inputs
from savedmodel_compat.model.state import changes
from savedmodel_compat.runtimes.requests import Port
from savedmodel_compat.runtimes.wire import Arrays

if TYPE_CHECKING:
    from savedmodel_compat.matrix.goldens import Against
    from savedmodel_compat.model import MetaGraph, SavedModel, Signature, TensorSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """One call: what a producer fed to a signature and computed from it, by alias.

    Args:
        inputs: what it fed.
        outputs: what it computed.
        live: whether its exporter can be asked for more such calls; see `savedmodel_compat.runtimes.requests.Live`.
    """

    inputs: Arrays
    outputs: Arrays
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One signature of a model and what it is fed.

    Args:
        signature: its key.
        inputs: its dense inputs.
        outputs: its dense outputs.
        feeds: the sets of inputs; empty if none could be made.
        expected: the outputs that the producer recorded for each feed, or those of the golden; None if there are none.
        why_no_feeds: why there are no feeds, in words.
        against: the golden that it is compared with; None if goldens are not asked for.
        stateful: why its answers may change from call to call, in words; None if they do not.
        live: whether the exporter can be asked what it computes from other inputs.
    """

    signature: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    feeds: tuple[Arrays, ...]
    expected: tuple[Arrays, ...] | None = None
    why_no_feeds: str | None = None
    against: Against | None = None
    stateful: str | None = None
    live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One MetaGraph of one SavedModel.

    Args:
        name: what reports call it; unique in a matrix, together with tags, strip and producer.
        path: its folder.
        sha256: digest of the folder's files.
        tags: tag set of the MetaGraph.
        strip: whether default-valued attrs were stripped; None if the model cannot be read.
        producer: release that wrote it; None if the model does not say.
        cases: its signatures, less TensorFlow's own (``__saved_model_*``).
        meta_graph: what was read; None if the file does not parse.
        unreadable: the error of reading it, if its file does not parse.
        exporter: the name of the exporter that wrote it; None if it is a user's.
        notes: what a reader of the report should know of it.
    """

    name: str
    path: Path
    sha256: str
    tags: tuple[str, ...]
    strip: bool | None
    producer: str | None
    cases: tuple[Case, ...]
    meta_graph: MetaGraph | None
    unreadable: DamagedModelError | None = None
    exporter: str | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)


def load_models(
    paths: Sequence[Path | str],
    *,
    tags: tuple[str, ...] | None = None,
    signature: str | None = None,
    given: inputs.Given | None = None,
    seed: int = 0,
) -> list[Model]:
    """Read the models that a user names.

    Args:
        paths: folders of SavedModels, or Serving base folders.
        tags: the tag set to load; None takes ``serve``, else the first MetaGraph.
        signature: the only signature to run; None runs all.
        given: inputs read from a file; None generates them.
        seed: of the generated inputs.

    Raises:
        NotASavedModelError: nothing there could be a SavedModel.
        UsageError: no such tags or signature, or given inputs that no signature has.
    """
    names = _unique_names([saved_models.locate(path) for path in paths])
    models = [
        _load(path, name, tags=tags, signature=signature, given=given, seed=seed)
        for path, name in names
    ]
    if given is not None:
        _refuse_unused(given, models)
    return models


def signature_keys(path: Path) -> tuple[str, ...]:
    """Return the keys of the signatures that `load_models` gives a model, without its inputs.

    Raises:
        NotASavedModelError: nothing there could be a SavedModel, or it does not parse.
    """
    saved = saved_models.read(saved_models.locate(path))
    return tuple(key for key, _ in _signatures(_choose(saved, None), None))


def recorded_model(
    path: Path,
    name: str,
    recordings: Mapping[str, Sequence[Recording]],
    *,
    strip: bool,
    producer: str,
    tags: tuple[str, ...] | None = None,
    seed: int = 0,
) -> Model:
    """Return the model that an exporter wrote; its recordings are the reference of the cells.

    Args:
        path: where it lies.
        name: of the exporter.
        recordings: the calls of each signature, one after the other.
        strip: whether default-valued attrs were stripped.
        producer: the release that exported.
        tags: of the MetaGraph; None takes ``serve``, else the first.
        seed: of the inputs of signatures that were not recorded.

    Raises:
        NotASavedModelError: nothing there could be a SavedModel, or it does not parse.
        UsageError: it has no MetaGraph with these tags.
    """
    saved = saved_models.read(path)
    meta_graph = _choose(saved, tags)
    found = _signatures(meta_graph, None)
    unrecorded = [key for key, _ in found if key not in recordings]
    cases = tuple(
        _recorded_case(signature, meta_graph, recordings[key])
        if key in recordings
        else _generated_case(signature, meta_graph, None, seed)
        for key, signature in found
    )
    return Model(
        name=name,
        path=path,
        sha256=saved_models.digest(path),
        tags=meta_graph.tags,
        strip=strip,
        producer=producer,
        cases=cases,
        meta_graph=meta_graph,
        exporter=name,
        notes=tuple(
            f"the exporter recorded nothing of signature '{key}', and its inputs are made up"
            for key in unrecorded
        ),
    )


def _refuse_unused(given: inputs.Given, models: Sequence[Model]) -> None:
    """A name that no signature has is a typing error, and what was meant would go without its input."""
    graphs = [model.meta_graph for model in models if model.meta_graph is not None]
    unused = given.unused(signature for graph in graphs for signature in graph.signatures.values())
    if unused:
        raise UsageError(
            f"{given.path} has {', '.join(map(repr, unused))}, and no signature has such an input",
            hint="name the arrays ALIAS or SIGNATURE/ALIAS; `savedmodel-compat inspect MODEL` lists both",
        )


def _unique_names(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Name each model by its folder, with as many parents as it takes to tell them apart.

    A version folder such as ``00000123`` says nothing by itself and gets its parent at once.
    """
    unique = list(dict.fromkeys(path.absolute() for path in paths))
    named: dict[Path, str] = {}
    for path in unique:
        depth = 2 if path.name.isdigit() else 1
        while depth < len(path.parts) and _clashes(path, depth, unique):
            depth += 1
        named[path] = "/".join(path.parts[-depth:]).strip("/")
    return list(named.items())


def _clashes(path: Path, depth: int, others: Sequence[Path]) -> bool:
    return any(other != path and other.parts[-depth:] == path.parts[-depth:] for other in others)


def _load(
    path: Path,
    name: str,
    *,
    tags: tuple[str, ...] | None,
    signature: str | None,
    given: inputs.Given | None,
    seed: int,
) -> Model:
    sha256 = saved_models.digest(path)
    try:
        saved = saved_models.read(path)
    except DamagedModelError as error:
        # The loaders have the last word on a file that we cannot parse.
        return Model(
            name=name,
            path=path,
            sha256=sha256,
            tags=tags or ("serve",),
            strip=None,
            producer=None,
            cases=(),
            meta_graph=None,
            unreadable=error,
        )
    meta_graph = _choose(saved, tags)
    others = [g.tags for g in saved.meta_graphs if g is not meta_graph]
    return Model(
        name=name,
        path=path,
        sha256=sha256,
        tags=meta_graph.tags,
        strip=meta_graph.stripped_default_attrs,
        producer=meta_graph.tensorflow_version or None,
        cases=tuple(
            _generated_case(found, meta_graph, given, seed)
            for _, found in _signatures(meta_graph, signature)
        ),
        meta_graph=meta_graph,
        notes=tuple(f"not looked at: MetaGraph {list(other)}" for other in others),
    )


def _choose(saved: SavedModel, tags: tuple[str, ...] | None) -> MetaGraph:
    if tags is not None:
        return saved.meta_graph(tags)
    served = [graph for graph in saved.meta_graphs if set(graph.tags) == {"serve"}]
    return (served or list(saved.meta_graphs))[0]


def _signatures(meta_graph: MetaGraph, wanted: str | None) -> list[tuple[str, Signature]]:
    found = {k: s for k, s in sorted(meta_graph.signatures.items()) if not s.is_internal}
    if wanted is None:
        return list(found.items())
    if wanted not in found:
        raise UsageError(
            f"MetaGraph {list(meta_graph.tags)} has no signature '{wanted}'; it has {sorted(found) or 'none'}",
            hint="savedmodel-compat inspect MODEL lists the signatures",
        )
    return [(wanted, found[wanted])]


def ports(specs: Mapping[str, TensorSpec]) -> tuple[Port, ...]:
    """Return each dense tensor; a composite one gives its components.

    Args:
        specs: inputs or outputs of a signature.
    """
    return tuple(
        Port(name, dense.name, dense.dtype)
        for alias, spec in sorted(specs.items())
        for name, dense in inputs.components(alias, spec)
    )


def _stateful(meta_graph: MetaGraph, signature: Signature) -> str | None:
    found = [str(change) for change in changes(meta_graph, signature)]
    if not found:
        return None
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _recorded_case(signature: Signature, meta_graph: MetaGraph, calls: Sequence[Recording]) -> Case:
    return Case(
        signature=signature.key,
        inputs=ports(signature.inputs),
        outputs=ports(signature.outputs),
        feeds=tuple(call.inputs for call in calls),
        expected=tuple(call.outputs for call in calls),
        stateful=_stateful(meta_graph, signature),
        live=any(call.live for call in calls),
    )


def _generated_case(
    signature: Signature, meta_graph: MetaGraph, given: inputs.Given | None, seed: int
) -> Case:
    made = given.feeds(signature) if given else inputs.generate(signature, meta_graph, seed=seed)
    return Case(
        signature=signature.key,
        inputs=ports(signature.inputs),
        outputs=ports(signature.outputs),
        feeds=made.feeds,
        why_no_feeds=made.problem,
        stateful=_stateful(meta_graph, signature),
    )
