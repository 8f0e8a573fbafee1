"""Tests of which golden a signature is compared with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from savedmodel_compat.golden.store import Golden, Key, Store
from savedmodel_compat.matrix.goldens import key_of, name_of, with_golden
from savedmodel_compat.matrix.models import Model, load_models

ROOT = Path(__file__).parent.parent.parent / "golden"
KEY = Key(model="half_plus_two", tags=("serve",), signature="serving_default")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "golden")


def put(store: Store, model: str) -> Key:
    """Write a golden of this repository under another model's name."""
    there = Store(ROOT).read(KEY)
    key = replace(KEY, model=model)
    manifest = replace(there.manifest, model=model, data_sets=())
    store.write(Golden(key=key, manifest=manifest, data_sets=there.data_sets))
    return key


@pytest.fixture
def model(tmp_path: Path) -> Model:
    """A user's model, two folders down."""
    source = ROOT / "models" / "half_plus_two-1.4.1"
    folder = shutil.copytree(source, tmp_path / "served" / "half_plus_two" / "00000123")
    [found] = load_models([folder])
    return found


def test_a_version_answers_to_the_goldens_of_its_base(model: Model, store: Store) -> None:
    """A new golden is called by the folder above the number, so that the next version is compared with it."""
    assert name_of(model, store.root) == "half_plus_two"
    base = put(store, "half_plus_two")
    assert key_of(model, "serving_default", store) == base
    later = replace(model, path=model.path.with_name("00000124"))
    assert key_of(later, "serving_default", store) == base
    own = put(store, "half_plus_two/00000124")
    assert key_of(later, "serving_default", store) == own
    assert key_of(model, "serving_default", store) == base


def test_the_longest_name_is_the_most_telling(model: Model, store: Store) -> None:
    """Of two goldens that a path could mean, that with more of the path is meant."""
    short = put(store, "half_plus_two")
    assert key_of(model, "serving_default", store) == short
    long = put(store, "served/half_plus_two")
    assert key_of(model, "serving_default", store) == long


def test_a_producer_of_its_own(exported: Callable[..., Model], store: Store) -> None:
    """An exporter's golden holds for all producers but those that have one of their own."""
    of_all, own = put(store, "half_plus_two"), put(store, "half_plus_two@2.11.1")
    made = exported("half_plus_two")
    assert key_of(made, "serving_default", store) == own
    other = replace(made, producer="2.4.4")
    assert key_of(other, "serving_default", store) == of_all


def test_a_frozen_model_goes_by_its_own_name(store: Store) -> None:
    """Wherever the repository lies, and whatever an exporter is called."""
    [model] = load_models([ROOT / "models" / "half_plus_two-1.4.1"])
    assert name_of(model, ROOT) == "half_plus_two-1.4.1"
    assert key_of(model, "serving_default", Store(ROOT)).model == "half_plus_two-1.4.1"


def test_a_case_is_fed_with_its_golden(exported: Callable[..., Model], store: Store) -> None:
    """Every data set is a feed, with its outputs as what is expected."""
    put(store, "half_plus_two")
    model = exported("half_plus_two")
    [case] = [case for case in model.cases if case.signature == "serving_default"]
    found = with_golden(model, case, store)
    assert found.against is not None
    assert found.against.data_sets == ("typical", "one", "many", "edges")
    assert [len(feed["x"]) for feed in found.feeds] == [4, 1, 17, 8]
    assert found.expected is not None
    assert len(found.expected) == len(found.feeds)


def test_a_missing_golden_leaves_the_inputs(exported: Callable[..., Model], store: Store) -> None:
    """The signature is run with its own, and has nothing to be compared with."""
    model = exported("half_plus_two")
    case = model.cases[-1]
    found = with_golden(model, case, store)
    assert found.against is not None
    assert found.against.cause == "golden-missing"
    assert (found.feeds, found.expected) == (case.feeds, None)


def test_no_two_goldens_have_one_name() -> None:
    """What parts the parts of a name is written otherwise within them."""
    keys = [
        Key(model="a", tags=("serve",), signature="x:serve:y"),
        Key(model="a:serve:x", tags=("serve",), signature="y"),
        Key(model="p", tags=("a", "b"), signature="s"),
        Key(model="p", tags=("a+b",), signature="s"),
        Key(model="p%3a", tags=("a",), signature="s"),
        Key(model="p:", tags=("a",), signature="s"),
    ]
    assert len({key.name for key in keys}) == len(keys)
    assert KEY.name == "half_plus_two:serve:serving_default"
