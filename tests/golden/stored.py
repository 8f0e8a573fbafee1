"""Goldens for the tests of the store: small ones, with all that a manifest may say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from savedmodel_compat.golden import _exchange
from savedmodel_compat.golden.manifest import Event, Manifest, Source
from savedmodel_compat.golden.store import DataSet, Golden, Key, Store
from savedmodel_compat.golden.tolerances import Override

Array = np.ndarray[Any, Any]

SOURCE = Source(
    kind="exporter",
    name="suites/exporters/half_plus_two.py::export_module",
    sha256="0123456789abcdef" * 4,
    strip_default_attrs=True,
    seed=7,
)
SURROUNDINGS = {
    "tensorflow": {"release": "2.11.1", "build": None, "package": "tensorflow-cpu"},
    "cpu": {"model": "Some CPU @ 2.5 GHz", "features": ["avx", "avx2", "fma"]},
    "determinism": {},
    "threads": {"inter": 2, "intra": 2},
}
OVERRIDE = Override(output="y", device="gpu", rtol=1e-3, reason="TF32 keeps 10 bits")


def key(signature: str = "serving_default", *, model: str = "half_plus_two") -> Key:
    """Return the key of a golden of the MetaGraph ``serve``."""
    return Key(model=model, tags=("serve",), signature=signature)


def data_set(name: str = "typical", *, factor: float = 1.0, size: int = 3) -> DataSet:
    """Return y = factor * x."""
    x = np.arange(size, dtype=np.float32)
    return DataSet(name=name, inputs={"x": x}, outputs={"y": x * np.float32(factor)}, dtypes={})


def manifest_of(which: Key, **said: Any) -> Manifest:
    """Return a manifest without its data sets, which the store makes."""
    fields: dict[str, Any] = {
        "model": which.model,
        "tags": which.tags,
        "signature": which.signature,
        "producer": "2.11.1",
        "recorded_by": "2.11.1 venv v2 cpu",
        "source": SOURCE,
        "surroundings": SURROUNDINGS,
        "data_sets": (),
        "history": (Event(date="2026-02-28", what="recorded", reason="", by="2.11.1 venv v2 cpu"),),
    }
    return Manifest(**{**fields, **said})


def golden(which: Key | None = None, *sets: DataSet, factor: float = 1.0, **said: Any) -> Golden:
    """Return a golden with the data sets given, or with one typical one."""
    which = which or key()
    return Golden(
        key=which,
        manifest=manifest_of(which, **said),
        data_sets=sets or (data_set(factor=factor),),
    )


def of_arrays(
    inputs: Mapping[str, Array],
    outputs: Mapping[str, Array],
    dtypes: Mapping[str, str] | None = None,
) -> Golden:
    """Return a golden whose one data set has these arrays."""
    return golden(
        None, DataSet(name="typical", inputs=inputs, outputs=outputs, dtypes=dtypes or {})
    )


def factor_of(store: Store, which: Key | None = None) -> float:
    """Return the factor of a golden that `golden` made."""
    found = store.read(which or key()).data_sets[0].outputs["y"]
    return float(found[1])


def files_below(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder, by name; what is hidden, too."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def never_swap() -> None:
    """Make this process one of a system on which folders cannot change places."""
    vars(_exchange)["exchange"] = lambda *_: False


def edit(path: Path, change: Any) -> None:
    """Edit a JSON file: ``change`` is called with its document."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
