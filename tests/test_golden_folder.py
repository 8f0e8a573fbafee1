"""The goldens of this repository: whole, fresh, small, and of every exporter."""

from __future__ import annotations

from pathlib import Path

from savedmodel_compat import config
from savedmodel_compat.golden import frozen
from savedmodel_compat.golden.store import Store
from savedmodel_compat.matrix.golden_status import State, standings

ROOT = Path(__file__).parent.parent
STORE = Store(ROOT / "golden")
MOST_BYTES = 15_000_000


def test_they_stay_small() -> None:
    """Frozen models and tensors together stay under 15 MB."""
    assert 0 < frozen.size(STORE.root) < MOST_BYTES


def test_they_are_whole() -> None:
    """Every file is what its manifest says, down to means and counts."""
    assert STORE.verify() == ()
    found = {name: frozen.verify(STORE.root, name) for name in frozen.names(STORE.root)}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_every_exporter_and_every_frozen_model_has_its_own() -> None:
    """None is missing, stale or unused: whoever adds or changes an exporter records its goldens."""
    found = standings(STORE, config.read(ROOT / "pyproject.toml"))
    assert found
    assert [(each.name, each.why) for each in found if each.state is not State.FRESH] == []


def test_each_says_who_made_it_and_why() -> None:
    """A manifest names the release, its build or package, the platform, the processor, and a reason."""
    for key in list(STORE.keys()):
        manifest = STORE.manifest(key)
        assert manifest.producer
        assert manifest.recorded_by
        assert manifest.history[0].reason
        around = manifest.surroundings
        assert around["tensorflow"]["package"]
        assert around["platform"]
        assert around["cpu"]["features"]
        assert {"onednn", "tf32", "determinism", "device", "threads", "flags"} <= set(around)


def test_several_releases_froze_models() -> None:
    """What is checked against a new TensorFlow was written by old ones, too."""
    producers = {frozen.read(STORE.root, name).producer for name in frozen.names(STORE.root)}
    assert {"1.4.1", "1.15.5", "2.4.4", "2.6.5", "2.11.1", "2.21.0"} <= producers
