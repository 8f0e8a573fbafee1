"""Inputs that the user gives in a file."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from savedmodel_compat.errors import UsageError
from savedmodel_compat.matrix._feeds import Array, Arrays, Made, components
from savedmodel_compat.tensors import DType, dtype_from_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from savedmodel_compat.model import Signature, TensorSpec

_HOW_TO_WRITE = "write it with numpy.savez(FILE, ALIAS=array) and arrays of numbers, bools or text"
_UNREADABLE = (ValueError, RuntimeError, OSError, EOFError, zipfile.BadZipFile, zlib.error)
# Which kinds of arrays (numpy's letters) an input of a type may be given as.
_FITTING_KINDS = {"bool": "b", "string": "SU", "integer": "iu", "float": "iuf", "complex": "iufc"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The arrays of an ``.npz`` file: one set of inputs for each signature that they fit.

    Args:
        path: the file.
        arrays: by ``ALIAS``, for every signature that has such an input, or by ``SIGNATURE/ALIAS``,
            for that one alone; the latter wins.
    """

    path: Path
    arrays: Arrays

    @classmethod
    def read(cls, path: Path) -> Given:
        """Read a file.

        Raises:
            UsageError: it is missing, no ``.npz`` file, damaged, empty, or holds pickled objects.
        """
        if not path.is_file():
            raise UsageError(f"the inputs file {path} is not there", hint=_HOW_TO_WRITE)
        if not zipfile.is_zipfile(path):
            raise UsageError(f"the inputs file {path} is not an .npz file", hint=_HOW_TO_WRITE)
        arrays = _read(path)
        if not arrays:
            raise UsageError(f"the inputs file {path} holds no arrays", hint=_HOW_TO_WRITE)
        return cls(path=path, arrays=arrays)

    def feeds(self, signature: Signature) -> Made:
        """Return the one set of inputs that the file has for a signature.

        Arrays become the input's element type where nothing is lost but the precision of a float;
        an input that the signature has a default for may be left out.

        Returns:
            The set, or the problem that the file is not about this signature.

        Raises:
            UsageError: the file lacks some of the inputs, or an array has another type or shape.
        """
        wanted = _inputs(signature)
        keys = {name: key for name in wanted if (key := self._key(signature, name)) is not None}
        if wanted and not keys:
            problem = f"the inputs file {self.path} names none of its inputs {sorted(wanted)}"
            return Made(problem=problem)
        missing = sorted(set(wanted) - set(keys) - set(signature.defaults))
        if missing:
            raise UsageError(
                f"the inputs file {self.path} lacks {missing} of signature '{signature.key}'; "
                f"it has {sorted(self.arrays)}",
                hint="add them, or name the signature that the file is for with --signature",
            )
        feed = {name: signature.defaults[name] for name in wanted if name not in keys}
        for name, key in keys.items():
            where = f"'{key}', for input '{name}' of signature '{signature.key}',"
            feed[name] = _fitted(
                self.arrays[key], wanted[name], f"the inputs file {self.path}: {where}"
            )
        return Made(feeds=(feed,))

    def unused(self, signatures: Iterable[Signature]) -> tuple[str, ...]:
        """Return the keys that name no input of any of the signatures, sorted."""
        names = {
            key
            for signature in signatures
            for name in _inputs(signature)
            for key in (name, f"{signature.key}/{name}")
        }
        return tuple(sorted(set(self.arrays) - names))

    def _key(self, signature: Signature, name: str) -> str | None:
        keys = (f"{signature.key}/{name}", name)
        return next((key for key in keys if key in self.arrays), None)


def _inputs(signature: Signature) -> dict[str, TensorSpec]:
    """Return the dense inputs of a signature by name."""
    inputs = signature.inputs.items()
    return {name: dense for alias, spec in inputs for name, dense in components(alias, spec)}


def _read(path: Path) -> dict[str, Array]:
    name = None
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            for name in stored.files:
                arrays[name] = stored[name]
    except _UNREADABLE as error:
        member = "" if name is None else f": '{name}'"
        raise UsageError(
            f"the inputs file {path}{member} cannot be read: {error}", hint=_HOW_TO_WRITE
        ) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise UsageError(f"the inputs file {path}: '{name}' is no array", hint=_HOW_TO_WRITE)
    return arrays


def _fitted(array: Array, spec: TensorSpec, where: str) -> Array:
    """Return an array as the input wants it, or say why it cannot be."""
    if not _has_shape(array, spec):
        raise UsageError(
            f"{where} has the shape {list(array.shape)}, "
            f"the signature wants {list(spec.shape or ())}",
            hint="None stands for any size; `savedmodel-compat inspect MODEL` shows all shapes",
        )
    dtype = dtype_from_name(spec.dtype)
    found = _converted(array, dtype)
    if found is None:
        raise UsageError(
            f"{where} is {array.dtype}, which does not become {spec.dtype} without loss",
            hint=f"save it as {spec.dtype}",
        )
    return found


def _has_shape(array: Array, spec: TensorSpec) -> bool:
    if spec.shape is None:
        return True
    sizes = zip(array.shape, spec.shape, strict=False)
    return array.ndim == len(spec.shape) and all(want in (None, have) for have, want in sizes)


def _converted(array: Array, dtype: DType) -> Array | None:
    """Return an array in the given type; None if there is none, or values would be lost."""
    kind = dtype.numpy
    if kind is None:
        return None
    if array.dtype.kind == "V":
        # numpy stores the types of ml_dtypes as bytes of their size.
        is_raw = kind.isbuiltin != 1 and array.dtype.itemsize == kind.itemsize
        return array.view(kind) if is_raw else None
    family = _family(dtype)
    if array.dtype.kind not in _FITTING_KINDS[family]:
        return None
    if family == "string":
        return _as_bytes(array)
    return _cast(array, kind, family)


def _family(dtype: DType) -> str:
    name = dtype.name.removesuffix("_ref")
    if name in ("bool", "string"):
        return name
    if name.startswith("complex"):
        return "complex"
    return "float" if "float" in name else "integer"


def _as_bytes(array: Array) -> Array:
    flat = np.empty(array.size, dtype=object)
    flat[:] = [s.encode() if isinstance(s, str) else s for s in array.ravel().tolist()]
    strings: Array = flat.reshape(array.shape)
    return strings


def _cast(array: Array, kind: np.dtype[Any], family: str) -> Array | None:
    """Return an array of numbers in another type, or None if a value does not fit into it."""
    if family == "bool":
        return array
    most: float
    least: float
    if family == "integer":
        integers = ml_dtypes.iinfo(kind)
        least, most = int(integers.min), int(integers.max)
    else:
        floats = ml_dtypes.finfo(np.empty(0, dtype=kind).real.dtype)
        # Beyond this not every integer has a floating-point number of its own.
        last = 2 ** (int(floats.nmant) + 1)
        most = last if array.dtype.kind in "iu" else float(floats.max)
        least = -most
    if not all(_is_within(part, least, most) for part in (array.real, array.imag)):
        return None
    cast: Array = array.astype(kind)
    return cast


def _is_within(array: Array, least: float, most: float) -> bool:
    finite = array[np.isfinite(array)]
    if not finite.size:
        return True
    return bool(least <= finite.min().item() and finite.max().item() <= most)
