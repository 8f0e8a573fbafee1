"""What a SavedModel holds, as JSON and as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from savedmodel_compat.model import graph, state
from savedmodel_compat.model.values import Encoding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy as np

    from savedmodel_compat.model import (
        MetaGraph,
        ModelFile,
        ObjectGraph,
        SavedModel,
        Signature,
        TensorSpec,
    )
    from savedmodel_compat.model.files import FileDigest
    from savedmodel_compat.model.fingerprint import Hash

SCHEMA = 1
_FOLDERS = ("variables", "assets", "assets.extra", "debug")
_LABEL = 15
_VALUES_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    nodes: int
    functions: int
    function_nodes: int
    ops: tuple[str, ...]


def as_json(
    model: SavedModel,
    digest: str | None,
    *,
    manifest: Sequence[FileDigest] = (),
    hashes: Sequence[Hash] = (),
) -> dict[str, Any]:
    """Return what a model holds, ready for `json.dumps`. Version 1 of it may grow, not change.

    Args:
        model: what was read.
        digest: SHA-256 of its folder, in hex; None leaves it out, and the manifest with it.
        manifest: its files, as `files.manifest` gives them.
        hashes: those of its fingerprint, as `fingerprint.verify` gives them.
    """
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "path": str(model.path),
        "file": model.file.name,
        "format": model.format,
        "schema_version": model.schema_version,
        "meta_graphs": [_meta_graph_json(meta_graph) for meta_graph in model.meta_graphs],
        "fingerprint": _fingerprint_json(model, hashes),
        "files": [{"name": file.name, "size": file.size} for file in model.files],
        "notes": list(model.notes),
    }
    if digest is None:
        return record
    return {**record, "sha256": digest, "manifest": [_file_json(file) for file in manifest]}


def as_text(
    model: SavedModel,
    digest: str | None,
    *,
    manifest: Sequence[FileDigest] = (),
    hashes: Sequence[Hash] = (),
) -> str:
    """Return what a model holds, as lines to read; control codes in its names are escaped.

    Args:
        model: what was read.
        digest: SHA-256 of its folder, in hex; None leaves it out, and the manifest with it.
        manifest: its files, as `files.manifest` gives them.
        hashes: those of its fingerprint, as `fingerprint.verify` gives them.
    """
    lines = [*_model_lines(model, digest, hashes)]
    if digest is not None and manifest:
        lines += ["", "files", *_manifest_lines(manifest)]
    for meta_graph in model.meta_graphs:
        lines += ["", *_meta_graph_lines(meta_graph)]
    return "\n".join(printable(line) for line in lines)


def printable(text: str) -> str:
    """Return a text with control codes, marks of direction and lone surrogates escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def shape_text(shape: tuple[int | None, ...] | None) -> str:
    """Return a shape as ``unknown rank``, ``[None, 28]`` or ``[]`` for a scalar."""
    return "unknown rank" if shape is None else str(list(shape))


def _meta_graph_json(meta_graph: MetaGraph) -> dict[str, Any]:
    size = _size(meta_graph)
    saver = meta_graph.saver
    return {
        "tags": list(meta_graph.tags),
        "tensorflow_version": meta_graph.tensorflow_version,
        "tensorflow_git_version": meta_graph.tensorflow_git_version,
        "stripped_default_attrs": meta_graph.stripped_default_attrs,
        "versions": {
            "producer": meta_graph.producer,
            "min_consumer": meta_graph.min_consumer,
            "bad_consumers": list(meta_graph.bad_consumers),
        },
        "nodes": size.nodes,
        "functions": size.functions,
        "function_nodes": size.function_nodes,
        "ops": list(size.ops),
        "signatures": {
            key: _signature_json(meta_graph, signature)
            for key, signature in meta_graph.signatures.items()
        },
        "assets": [{"name": asset.name, "tensor": asset.tensor} for asset in meta_graph.assets],
        "init_op": meta_graph.init_op,
        "saver": {
            "filename_tensor": saver.filename_tensor,
            "restore_op": saver.restore_op,
            "save_tensor": saver.save_tensor,
        }
        if saver
        else None,
        "object_graph": _object_graph_json(meta_graph.object_graph),
    }


def _signature_json(meta_graph: MetaGraph, signature: Signature) -> dict[str, Any]:
    return {
        "method_name": signature.method_name,
        "internal": signature.is_internal,
        "inputs": {alias: _spec_json(spec) for alias, spec in signature.inputs.items()},
        "outputs": {alias: _spec_json(spec) for alias, spec in signature.outputs.items()},
        "defaults": {
            alias: {"shape": list(value.shape), "text": _value_text(value)}
            for alias, value in signature.defaults.items()
        },
        "changes": [
            {
                "op": each.op,
                "node": each.node,
                "function": each.function,
                "effect": each.effect.name.lower(),
            }
            for each in _changes(meta_graph, signature)
        ],
    }


def _spec_json(spec: TensorSpec) -> dict[str, Any]:
    record: dict[str, Any] = {
        "name": spec.name or None,
        "dtype": spec.dtype,
        "shape": None if spec.shape is None else list(spec.shape),
        "unknown_rank": spec.shape is None,
        "encoding": spec.encoding.value,
    }
    if spec.encoding is not Encoding.DENSE:
        record["type_spec"] = spec.type_spec
        record["components"] = {name: _spec_json(part) for name, part in spec.components.items()}
    return record


def _object_graph_json(objects: ObjectGraph) -> dict[str, Any]:
    return {
        "nodes": objects.nodes,
        "kinds": dict(objects.kinds),
        "children": dict(objects.children),
        "concrete_functions": objects.concrete_functions,
    }


def _fingerprint_json(model: SavedModel, hashes: Sequence[Hash]) -> dict[str, Any] | None:
    fingerprint = model.fingerprint
    if fingerprint is None:
        return None
    # The hashes have 64 bits: as numbers, many readers of JSON would round them.
    return {
        "saved_model_checksum": str(fingerprint.saved_model_checksum),
        "graph_def_program_hash": str(fingerprint.graph_def_program_hash),
        "signature_def_hash": str(fingerprint.signature_def_hash),
        "saved_object_graph_hash": str(fingerprint.saved_object_graph_hash),
        "checkpoint_hash": str(fingerprint.checkpoint_hash),
        "producer": fingerprint.producer,
        "uuid": fingerprint.uuid,
        "verdicts": {taken.name: taken.verdict.value for taken in hashes},
    }


def _file_json(file: FileDigest) -> dict[str, Any]:
    record: dict[str, Any] = {"name": file.name, "size": file.size, "sha256": file.sha256}
    return record if file.target is None else {**record, "link": file.target}


def _manifest_lines(manifest: Sequence[FileDigest]) -> Iterator[str]:
    """Yield a line a file: SHA-256, size, name; in the place of the first, that it is a link."""
    width = max(len(str(file.size)) for file in manifest)
    for file in manifest:
        leads = "" if file.target is None else f" -> {file.target}, which is not followed"
        yield f"  {file.sha256 or 'link'.ljust(64)}  {file.size:>{width}}  {file.name}{leads}"


def _size(meta_graph: MetaGraph) -> _Size:
    library = meta_graph.proto.graph_def.library.function
    return _Size(
        nodes=len(meta_graph.proto.graph_def.node),
        functions=len(library),
        function_nodes=sum(len(function.node_def) for function in library),
        ops=tuple(sorted(graph.ops_used(meta_graph.proto))),
    )


def _model_lines(model: SavedModel, digest: str | None, hashes: Sequence[Hash]) -> Iterator[str]:
    size = next((file.size for file in model.files if file.name == model.file.name), 0)
    yield f"SavedModel {model.path}"
    yield _line("file", f"{model.file.name}, {size} bytes, schema version {model.schema_version}")
    if digest is not None:
        yield _line("sha256", digest)
    for folder in _FOLDERS:
        files = model.files_in(folder)
        if files:
            yield _line(folder, _files_text(files, folder))
    if "variables" not in {file.name.partition("/")[0] for file in model.files}:
        yield _line("variables", "none")
    if model.fingerprint:
        checksum = f"{model.fingerprint.saved_model_checksum:016x}"
        uuid = f", uuid {model.fingerprint.uuid}" if model.fingerprint.uuid else ""
        yield _line("fingerprint", f"checksum {checksum}{uuid}")
    for verdict in dict.fromkeys(taken.verdict for taken in hashes):
        names = ", ".join(taken.name for taken in hashes if taken.verdict is verdict)
        yield _line("", f"{verdict.value}: {names}")
    for note in model.notes:
        yield _line("note", note)


def _files_text(files: tuple[ModelFile, ...], folder: str) -> str:
    names = ", ".join(file.name[len(folder) + 1 :] for file in files[:_VALUES_SHOWN])
    more = f" and {len(files) - _VALUES_SHOWN} more" if len(files) > _VALUES_SHOWN else ""
    return f"{names}{more} ({sum(file.size for file in files)} bytes)"


def _meta_graph_lines(meta_graph: MetaGraph) -> Iterator[str]:
    size = _size(meta_graph)
    bad = ", ".join(map(str, meta_graph.bad_consumers))
    git = f" ({meta_graph.tensorflow_git_version})" if meta_graph.tensorflow_git_version else ""
    yield f"MetaGraph {list(meta_graph.tags)}"
    yield _line(
        "producer", f"TensorFlow {meta_graph.tensorflow_version or 'of unknown version'}{git}"
    )
    yield _line("default attrs", "stripped" if meta_graph.stripped_default_attrs else "kept")
    yield _line(
        "graph version",
        f"{meta_graph.producer}, oldest consumer {meta_graph.min_consumer}"
        + (f", bad consumers {bad}" if bad else ""),
    )
    yield _line(
        "graph",
        f"{size.nodes} nodes, {size.functions} functions with {size.function_nodes} nodes,"
        f" {len(size.ops)} distinct ops",
    )
    if meta_graph.init_op:
        yield _line("init op", meta_graph.init_op)
    if meta_graph.saver:
        yield _line("restore op", meta_graph.saver.restore_op)
    for asset in meta_graph.assets:
        yield _line("asset", f"{asset.name} fed to {asset.tensor}")
    yield from _object_lines(meta_graph.object_graph)
    for signature in meta_graph.signatures.values():
        yield from _signature_lines(meta_graph, signature)
    if not meta_graph.signatures:
        yield _line("signatures", "none")


def _object_lines(objects: ObjectGraph) -> Iterator[str]:
    if not objects.nodes:
        return
    kinds = ", ".join(f"{count} {kind}" for kind, count in objects.kinds.items())
    yield _line("object graph", f"{objects.nodes} objects: {kinds}")
    if objects.children:
        children = ", ".join(f"{name} ({kind})" for name, kind in objects.children.items())
        yield _line("root", children)


def _signature_lines(meta_graph: MetaGraph, signature: Signature) -> Iterator[str]:
    method = f", method {signature.method_name}" if signature.method_name else ""
    internal = ", TensorFlow's own" if signature.is_internal else ""
    yield f"  signature '{signature.key}'{method}{internal}"
    rows = [
        *_rows("input", signature.inputs, signature.defaults),
        *_rows("output", signature.outputs, {}),
    ]
    widths = [max((len(printable(row[i])) for row in rows), default=0) for i in range(4)]
    for row in rows:
        cells = (printable(cell).ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"    {'  '.join((*cells, *row[4:]))}".rstrip()
    for change in _changes(meta_graph, signature)[:1]:
        yield f"    stateful: {printable(str(change))}"


def _changes(meta_graph: MetaGraph, signature: Signature) -> tuple[state.Change, ...]:
    # TensorFlow's own signatures initialise and train, which is all that they are for.
    return () if signature.is_internal else state.changes(meta_graph, signature)


def _rows(
    role: str, specs: Mapping[str, TensorSpec], defaults: Mapping[str, np.ndarray[Any, Any]]
) -> Iterator[tuple[str, ...]]:
    for alias, spec in specs.items():
        for name, part in _with_components(alias, spec):
            kind = part.dtype if part.type_spec is None else f"{part.dtype} {part.type_spec}"
            where = part.name if part.encoding is Encoding.DENSE else part.encoding.value
            row = (role, name, f"{kind} {shape_text(part.shape)}", where)
            given = defaults.get(name)
            yield row if given is None else (*row, f"default {_value_text(given)}")


def _with_components(alias: str, spec: TensorSpec) -> Iterator[tuple[str, TensorSpec]]:
    yield alias, spec
    for name, part in spec.components.items():
        yield from _with_components(f"{alias}/{name}", part)


def _value_text(value: np.ndarray[Any, Any]) -> str:
    items: Iterable[Any] = value.ravel()[:_VALUES_SHOWN].tolist()
    shown = ", ".join(map(str, items))
    more = ", …" if value.size > _VALUES_SHOWN else ""
    return shown if value.ndim == 0 else f"[{shown}{more}] of shape {list(value.shape)}"


def _line(label: str, text: str) -> str:
    return f"  {label.ljust(_LABEL)}{text}"
