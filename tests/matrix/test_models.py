"""Tests of the models of a matrix: their names, their MetaGraph, their signatures and inputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from savedmodel_compat.errors import NotASavedModelError, UsageError
from savedmodel_compat.matrix.inputs import Given
from savedmodel_compat.matrix.models import Model, load_models, signature_keys
from savedmodel_compat.model import schema


@pytest.fixture
def half(tmp_path: Path, exported: Callable[..., Model]) -> Path:
    """Return a copy of a model with three signatures, to be changed."""
    folder = tmp_path / "served" / "half"
    shutil.copytree(exported("half_plus_two").path, folder)
    return folder


def edit(folder: Path, change: Callable[[schema.SavedModel], object]) -> None:
    """Change a model's protocol buffer."""
    file = folder / "saved_model.pb"
    saved = schema.SavedModel.FromString(file.read_bytes())
    change(saved)
    file.write_bytes(saved.SerializeToString())


def test_a_model(half: Path) -> None:
    """What the model says of itself is what its cells are made of."""
    [model] = load_models([half])
    assert (model.name, model.path, model.tags) == ("half", half, ("serve",))
    assert (model.producer, model.strip) == ("2.11.1", True)
    assert [case.signature for case in model.cases] == [
        "classify_x_to_y",
        "regress_x_to_y",
        "serving_default",
    ]
    assert model.notes == ()
    assert len(model.sha256) == 64


def test_a_case(half: Path) -> None:
    """A signature has its dense tensors and made-up inputs, and nobody recorded outputs."""
    case = load_models([half])[0].cases[-1]
    assert [(port.alias, port.tensor, port.dtype) for port in case.inputs] == [
        ("x", "x:0", "float32")
    ]
    assert [port.alias for port in case.outputs] == ["y"]
    assert [feed["x"].shape for feed in case.feeds] == [(1, 1), (3, 1)]
    assert case.expected is None


def test_the_seed_decides_the_inputs(half: Path) -> None:
    """The same seed makes the same inputs, another makes others."""
    inputs = [load_models([half], seed=seed)[0].cases[-1].feeds[1]["x"] for seed in (1, 1, 2)]
    assert np.array_equal(inputs[0], inputs[1])
    assert not np.array_equal(inputs[0], inputs[2])


def test_what_was_recorded_is_expected(exported: Callable[..., Model]) -> None:
    """An exporter's own model carries its recordings."""
    case = exported("half_plus_two").cases[-1]
    [feed], expected = case.feeds, case.expected
    assert expected is not None
    assert np.allclose(expected[0]["y"], feed["x"] * 0.5 + 2)


def test_the_digest_is_of_the_files(half: Path) -> None:
    """The same files have the same digest wherever they lie, and other files have another."""
    before = load_models([half])[0].sha256
    elsewhere = half.rename(half.with_name("other"))
    assert load_models([elsewhere])[0].sha256 == before
    edit(elsewhere, lambda saved: saved.meta_graphs[0].graph_def.node[0].ClearField("device"))
    (elsewhere / "variables" / "variables.index").write_bytes(b"other")
    assert load_models([elsewhere])[0].sha256 != before


def test_names_of_version_folders(half: Path) -> None:
    """A version says nothing by itself; a base folder stands for its newest version."""
    base = half.with_name("base")
    for version in ("1", "00000012"):
        shutil.copytree(half, base / version)
    models = load_models([base, base / "1", half])
    assert [model.name for model in models] == ["base/00000012", "base/1", "half"]


def test_names_that_clash(half: Path) -> None:
    """Folders of one name are told apart by as many parents as it takes."""
    copies = [half.parent.parent / where / "x" / "half" for where in ("a", "b")]
    for copy in copies:
        shutil.copytree(half, copy)
    names = [model.name for model in load_models([half, *copies])]
    assert names == ["served/half", "a/x/half", "b/x/half"]


def test_a_model_that_is_named_twice(half: Path) -> None:
    """Two ways to name a folder are one model."""
    assert len(load_models([half, half / "."])) == 1


def test_serve_comes_first(half: Path) -> None:
    """Of several MetaGraphs the one that is served is taken, and the others are noted."""

    def add_train(saved: schema.SavedModel) -> None:
        served = schema.SavedModel.FromString(saved.SerializeToString()).meta_graphs[0]
        del saved.meta_graphs[0].meta_info_def.tags[:]
        saved.meta_graphs[0].meta_info_def.tags.extend(["train"])
        saved.meta_graphs.add().CopyFrom(served)

    edit(half, add_train)
    [model] = load_models([half])
    assert (model.tags, model.notes) == (("serve",), ("not looked at: MetaGraph ['train']",))
    assert load_models([half], tags=("train",))[0].tags == ("train",)


def test_the_first_where_nothing_is_served(half: Path) -> None:
    """Without a MetaGraph that is served, the first is taken with its own tags."""
    edit(half, lambda saved: saved.meta_graphs[0].meta_info_def.tags.append("gpu"))
    assert set(load_models([half])[0].tags) == {"serve", "gpu"}


def test_tags_that_are_not_there(half: Path) -> None:
    """A tag set that no MetaGraph has is an error of usage."""
    with pytest.raises(UsageError, match="train"):
        load_models([half], tags=("train",))


def test_one_signature(half: Path) -> None:
    """A signature that is named is the only one."""
    [model] = load_models([half], signature="regress_x_to_y")
    assert [case.signature for case in model.cases] == ["regress_x_to_y"]


def test_a_signature_that_is_not_there(half: Path) -> None:
    """The error names those that there are."""
    with pytest.raises(UsageError, match="no signature 'predict'; it has .*'serving_default'"):
        load_models([half], signature="predict")


def test_tensorflow_s_own_signatures(half: Path) -> None:
    """A signature of the loader's is no cell."""

    def add_internal(saved: schema.SavedModel) -> None:
        saved.meta_graphs[0].signature_def["__saved_model_init_op"].method_name = "x"

    edit(half, add_internal)
    assert "__saved_model_init_op" not in signature_keys(half)
    assert [case.signature for case in load_models([half])[0].cases] == list(signature_keys(half))


def test_given_inputs(half: Path, tmp_path: Path) -> None:
    """Inputs of a file take the place of made-up ones, for the signatures that it is about."""
    np.savez(tmp_path / "inputs.npz", x=np.array([[7.0]], np.float32))
    given = Given.read(tmp_path / "inputs.npz")
    [model] = load_models([half], given=given)
    assert [feed["x"].tolist() for feed in model.cases[-1].feeds] == [[[7.0]]]
    assert model.cases[0].feeds == ()
    assert "names none of its inputs" in (model.cases[0].why_no_feeds or "")


def test_given_inputs_that_nothing_has(half: Path, tmp_path: Path) -> None:
    """An array that no signature takes is a typing error."""
    np.savez(tmp_path / "inputs.npz", x=np.array([[7.0]], np.float32), z=np.array([1], np.float32))
    with pytest.raises(UsageError, match="'z'"):
        load_models([half], given=Given.read(tmp_path / "inputs.npz"))


def test_a_file_that_does_not_parse(half: Path) -> None:
    """The loaders have the last word on a damaged file: it is a model without signatures."""
    file = half / "saved_model.pb"
    file.write_bytes(file.read_bytes()[:300])
    [model] = load_models([half])
    assert (model.cases, model.tags, model.strip, model.producer) == ((), ("serve",), None, None)
    assert model.unreadable is not None
    assert str(file) in model.unreadable.message


def test_no_model_there(tmp_path: Path) -> None:
    """A folder without a SavedModel is refused before anything runs."""
    with pytest.raises(NotASavedModelError, match=str(tmp_path)):
        load_models([tmp_path])
