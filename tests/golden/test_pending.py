"""Tests of proposals: left once, told apart, accepted with a reason or rejected, and never about another golden."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.golden import stored
from tests.golden.stored import data_set, factor_of, files_below, golden, key

from savedmodel_compat.errors import GoldenDamagedError, GoldenMissingError, UsageError
from savedmodel_compat.golden.pending import (
    Proposal,
    accept,
    groups,
    leave,
    listing,
    proposals,
    reject,
    reject_damaged,
)
from savedmodel_compat.golden.store import DataSet, Store
from savedmodel_compat.golden.tolerances import Check

OLD = "1.15.5-venv-v1-cpu"
NEW = "2.5.3-wheel-c-cpu"
CHECK = Check(checker="unordered", outputs=("y",), reason="rows have no order")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A store with one golden that has a tolerance and a checker of its own."""
    found = Store(tmp_path / "golden")
    found.write(golden(overrides=(stored.OVERRIDE,), checks=(CHECK,)))
    return found


def damaged(store: Store) -> GoldenDamagedError:
    """Return what is wrong with the one proposal that is damaged."""
    [error] = listing(store)[1]
    return error


def cut_short(proposal: Proposal) -> None:
    """Damage a proposal."""
    path = proposal.path / "typical.tensors"
    path.write_bytes(path.read_bytes()[:-3])


def test_a_proposal_is_left_and_listed(store: Store) -> None:
    """It has the golden that it would be, who left it, and how it differs; the golden stays as it is."""
    before = files_below(store.root)
    left = leave(store, golden(factor=2), NEW, summary="output 'y': 2 of 3 elements differ")
    [found] = proposals(store)

    assert (found.key, found.label, found.path) == (key(), NEW, left.path)
    assert found.summary == "output 'y': 2 of 3 elements differ"
    assert found.golden.data_sets[0].outputs["y"].tolist() == [0, 2, 4]
    assert found.base == store.manifest(key()).digest
    assert found.digest == left.digest == left.golden.manifest.digest
    after = files_below(store.root)
    assert {name: after[name] for name in before} == before
    assert found.path == store.root / "pending" / key().folder / NEW


def test_proposals_are_kept_out_of_version_control(store: Store) -> None:
    """Git does not see what nobody has accepted."""
    leave(store, golden(factor=2), NEW, summary="")
    assert (store.root / "pending" / ".gitignore").read_text() == "*\n"


def test_no_proposals(tmp_path: Path) -> None:
    """Where nobody left any there are none, and looking makes no folder."""
    assert proposals(Store(tmp_path / "golden")) == ()
    assert not (tmp_path / "golden").exists()


def test_the_same_proposal_twice(store: Store) -> None:
    """What is left again stays as it is, byte for byte."""
    leave(store, golden(factor=2), NEW, summary="first")
    before = files_below(store.root)
    again = leave(store, golden(factor=2, producer="2.21.0"), NEW, summary="second")
    assert again.summary == "first"
    assert files_below(store.root) == before


def test_another_proposal_of_the_same_consumer(store: Store) -> None:
    """What it answers now takes the place of what it answered before."""
    leave(store, golden(factor=2), NEW, summary="")
    leave(store, golden(factor=3), NEW, summary="")
    [found] = proposals(store)
    assert found.golden.data_sets[0].outputs["y"][1] == 3


def test_proposals_of_several_consumers(store: Store) -> None:
    """Each has its own; those with the same tensors for one golden are one group."""
    leave(store, golden(factor=2), NEW, summary="")
    leave(store, golden(factor=2), OLD, summary="")
    leave(store, golden(factor=3), "2.21.0 wheel c cpu", summary="")
    leave(store, golden(key("other"), factor=2), NEW, summary="")
    found = proposals(store)

    assert [(one.key.signature, one.label) for one in found] == [
        ("other", NEW),
        ("serving_default", OLD),
        ("serving_default", "2.21.0 wheel c cpu"),
        ("serving_default", NEW),
    ]
    assert [[one.label for one in group] for group in groups(found)] == [
        [NEW],
        [OLD, NEW],
        ["2.21.0 wheel c cpu"],
    ]


def test_accepting(store: Store) -> None:
    """The golden is the proposal then; tolerances, checkers and history stay, and the reason joins it."""
    leave(store, golden(factor=2, recorded_by="2.5.3 wheel c cpu"), NEW, summary="")
    leave(store, golden(factor=3), OLD, summary="")
    other = leave(store, golden(key("other")), OLD, summary="")
    chosen = next(one for one in proposals(store) if (one.key, one.label) == (key(), NEW))

    assert accept(store, chosen, reason=" a bug was mended ") == key()
    found = store.read(key()).manifest
    assert factor_of(store) == 2
    assert found.overrides == (stored.OVERRIDE,)
    assert found.checks == (CHECK,)
    assert [event.what for event in found.history] == ["recorded", "accepted"]
    assert found.history[1].reason == "a bug was mended"
    assert found.history[1].by == "2.5.3 wheel c cpu"
    assert found.recorded_by == "2.5.3 wheel c cpu"
    assert [one.path for one in proposals(store)] == [other.path]
    assert store.verify() == ()


def test_accepting_a_golden_that_is_new(store: Store) -> None:
    """Where there was no golden, the proposal's own history is the beginning."""
    leave(store, golden(key("other")), NEW, summary="there is no golden")
    [found] = proposals(store)
    assert found.base is None
    accept(store, found, reason="a new signature")
    assert [event.what for event in store.manifest(key("other")).history] == [
        "recorded",
        "accepted",
    ]
    assert proposals(store) == ()


@pytest.mark.parametrize("reason", ["", " \n"])
def test_no_accepting_without_a_reason(store: Store, reason: str) -> None:
    """A golden does not change without a word."""
    before = files_below(store.root)
    proposal = leave(store, golden(factor=2), NEW, summary="")
    with pytest.raises(UsageError, match="not replaced without a reason"):
        accept(store, proposal, reason=reason)
    assert factor_of(store) == 1
    assert set(before) <= set(files_below(store.root))
    assert len(proposals(store)) == 1


def test_the_golden_has_changed_since(store: Store) -> None:
    """A proposal that nobody has compared with the golden of now is not accepted."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    store.write(golden(factor=4))
    with pytest.raises(UsageError, match=f"has changed since {NEW} left its proposal") as raised:
        accept(store, proposal, reason="why not")
    assert store.manifest(key()).digest[:12] in raised.value.message
    assert str(proposal.base)[:12] in raised.value.message
    assert factor_of(store) == 4

    store.remove(key())
    with pytest.raises(UsageError, match="and is missing now"):
        accept(store, proposal, reason="why not")
    assert not store.has(key())


def test_a_proposal_about_an_older_golden_is_left_anew(store: Store) -> None:
    """The same answer compared with another golden is another proposal, which may be accepted."""
    leave(store, golden(factor=2), NEW, summary="against 1")
    store.write(golden(factor=4))
    proposal = leave(store, golden(factor=2), NEW, summary="against 4")
    assert proposal.summary == "against 4"
    accept(store, proposal, reason="it is right")
    assert factor_of(store) == 2


def test_a_tolerance_that_changed_is_no_other_golden(store: Store) -> None:
    """Editing a tolerance in the meantime stands in nobody's way, and is kept."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    path = store.place(key()) / "manifest.json"
    stored.edit(path, lambda doc: doc["tolerances"][0].update(rtol=0.5))
    accept(store, proposal, reason="it is right")
    assert store.manifest(key()).overrides[0].rtol == 0.5


def test_a_proposal_that_is_another_one_by_now(store: Store) -> None:
    """What was looked at is what is accepted or rejected, and nothing that came since."""
    looked_at = leave(store, golden(factor=2), NEW, summary="")
    leave(store, golden(factor=3), NEW, summary="")
    for decide in (
        lambda: accept(store, looked_at, reason="right"),
        lambda: reject(store, looked_at),
    ):
        with pytest.raises(UsageError, match="was replaced by another one since it was looked at"):
            decide()
    assert factor_of(store) == 1
    assert len(proposals(store)) == 1


def test_a_proposal_that_is_gone(store: Store) -> None:
    """Two people cannot decide twice."""
    one = leave(store, golden(factor=2), NEW, summary="")
    other = leave(store, golden(factor=3), OLD, summary="")
    accept(store, one, reason="right")
    with pytest.raises(UsageError, match=f"{OLD} for .* is gone"):
        accept(store, other, reason="right")
    with pytest.raises(UsageError, match="is gone"):
        reject(store, other)
    assert factor_of(store) == 2


def test_a_tolerance_of_an_output_that_would_be_gone(store: Store) -> None:
    """What a person has said of an output is not dropped in silence."""
    renamed = DataSet(name="typical", inputs={}, outputs={"z": np.zeros(3)}, dtypes={})
    proposal = leave(store, golden(key(), renamed), NEW, summary="")
    with pytest.raises(UsageError, match=r"tolerances\[0\].output is 'y'; known are z"):
        accept(store, proposal, reason="renamed")
    assert factor_of(store) == 1
    assert len(proposals(store)) == 1


def test_rejecting(store: Store) -> None:
    """One proposal goes, the others and the golden stay."""
    leave(store, golden(factor=2), NEW, summary="")
    leave(store, golden(factor=2), OLD, summary="")
    reject(store, proposals(store)[1])
    [left] = proposals(store)
    assert left.label == OLD
    reject(store, left)
    assert proposals(store) == ()
    assert os.listdir(store.root / "pending") == [".gitignore"]
    assert factor_of(store) == 1


def test_removing_a_golden_leaves_its_proposals(store: Store) -> None:
    """An update never deletes what it did not select."""
    leave(store, golden(factor=2), NEW, summary="")
    store.remove(key())
    with pytest.raises(GoldenMissingError):
        store.read(key())
    assert len(proposals(store)) == 1


def test_labels_that_are_no_file_names(store: Store) -> None:
    """Any text is a label, and two labels are two proposals; no text is none."""
    for label in ("a/b", "A", "a", "..", "con"):
        leave(store, golden(factor=2), label, summary="")
    assert [one.label for one in proposals(store)] == ["..", "A", "a", "a/b", "con"]
    with pytest.raises(UsageError, match="has no label"):
        leave(store, golden(factor=2), " ", summary="")


def test_a_damaged_proposal(store: Store) -> None:
    """It is told with its folder, is accepted by nobody, and gives way to the next one of the same consumer."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    (proposal.path / "typical.tensors").write_bytes(b"")
    error = damaged(store)
    assert error.path == proposal.path
    assert error.problem.startswith("typical.tensors: it has 0 bytes")
    assert error.hint == "remove the folder, and run the cells again"
    with pytest.raises(UsageError, match="is gone"):
        accept(store, proposal, reason="right")
    leave(store, golden(factor=2), NEW, summary="")
    assert len(proposals(store)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON"),
        ('{"schema": 2, "label": "a", "base": null, "summary": ""}', "schema is not 1"),
        ('{"schema": 1, "label": "a", "base": "b", "summary": ""}', "base is 'b'"),
        ('{"schema": 1, "label": "a", "base": null}', "has no 'summary'"),
        (
            '{"schema": 1, "label": "a", "base": null, "summary": ""}',
            "it says that it is a's proposal",
        ),
    ],
)
def test_an_edited_proposal(store: Store, text: str, said: str) -> None:
    """Another label, another golden or another form is damage."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    (proposal.path / "proposal.json").write_text(text)
    error = damaged(store)
    assert said in error.problem
    assert error.path == proposal.path
    assert "run the cells again" in str(error)


def test_one_damaged_proposal_is_in_nobody_s_way(store: Store) -> None:
    """The others are listed, accepted and rejected as if it were not there."""
    cut_short(leave(store, golden(key("a"), factor=2), NEW, summary=""))
    leave(store, golden(factor=2), NEW, summary="")
    leave(store, golden(key("b")), NEW, summary="")
    one, other = proposals(store)
    assert [one.key.signature, other.key.signature] == ["b", "serving_default"]
    accept(store, other, reason="right")
    reject(store, one)
    assert factor_of(store) == 2
    assert proposals(store) == ()
    assert "it was cut short" in damaged(store).problem


def test_rejecting_a_damaged_proposal(store: Store) -> None:
    """It goes by its folder, and the others stay; what is whole, gone or elsewhere does not go like this."""
    cut_short(leave(store, golden(factor=2), NEW, summary=""))
    whole = leave(store, golden(factor=3), OLD, summary="")
    path = damaged(store).path
    reject_damaged(store, path)
    assert listing(store)[1] == ()
    assert [one.path for one in proposals(store)] == [whole.path]
    with pytest.raises(UsageError, match="is gone since it was looked at"):
        reject_damaged(store, path)
    with pytest.raises(UsageError, match=f"is whole: the proposal of {OLD}"):
        reject_damaged(store, whole.path)
    for elsewhere in (store.place(key()), whole.path.parent, whole.path / "typical.tensors"):
        with pytest.raises(UsageError, match="is no place of a proposal"):
            reject_damaged(store, elsewhere)
    assert len(proposals(store)) == 1
    assert factor_of(store) == 1


def test_what_a_desktop_leaves_among_the_proposals(store: Store) -> None:
    """A file beside the folders, at whatever level, is nobody's proposal."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    top = store.root / "pending"
    for folder in proposal.path.parents:
        (folder / ".DS_Store").write_bytes(b"\0")
        if folder == top:
            break
    found, damage = listing(store)
    assert [one.path for one in found] == [proposal.path]
    assert damage == ()


def test_what_lies_among_the_proposals(store: Store) -> None:
    """A proposal that was moved is told, and the one that was not is whole."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    shutil.copytree(proposal.path, proposal.path.with_name("stray"))
    error = damaged(store)
    assert "it was moved or edited by hand" in error.problem
    assert error.path == proposal.path.with_name("stray")
    assert len(proposals(store)) == 1


def test_a_link_among_the_proposals(store: Store, tmp_path: Path) -> None:
    """Proposals are not written through a link."""
    (tmp_path / "outside").mkdir()
    (store.root / "pending").symlink_to(tmp_path / "outside")
    with pytest.raises(GoldenDamagedError, match="symbolic link"):
        leave(store, golden(factor=2), NEW, summary="")
    assert os.listdir(tmp_path / "outside") == []
    reject_damaged(store, damaged(store).path)
    assert listing(store) == ((), ())
    assert (tmp_path / "outside").is_dir()


@pytest.mark.parametrize("depth", range(4))
def test_a_link_below_the_proposals(store: Store, tmp_path: Path, depth: int) -> None:
    """Nothing behind a link is settled, written, read or removed; only the link itself goes."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    place = (proposal.path, *proposal.path.parents)[depth]
    place.rename(tmp_path / "outside")
    place.symlink_to(tmp_path / "outside")
    precious = tmp_path / "outside" / f".{NEW}@new"
    precious.mkdir()
    before = sorted(tmp_path.joinpath("outside").rglob("*"))

    for decide in (
        lambda: leave(store, golden(factor=3), NEW, summary=""),
        lambda: accept(store, proposal, reason="right"),
        lambda: reject(store, proposal),
    ):
        with pytest.raises(GoldenDamagedError, match="symbolic link"):
            decide()
    error = damaged(store)
    assert error.path == place
    reject_damaged(store, error.path)
    assert listing(store) == ((), ())
    assert sorted(tmp_path.joinpath("outside").rglob("*")) == before


def test_an_accept_that_died(store: Store) -> None:
    """If the golden is the new one already, its proposals go; if it is not, nothing has happened."""
    proposal = leave(store, golden(factor=2), NEW, summary="")
    marker = store.root / "pending" / "accepting.json"
    begun = {
        "model": "half_plus_two",
        "tags": ["serve"],
        "signature": "serving_default",
        "digest": proposal.digest,
    }
    marker.write_text(json.dumps(begun))
    assert len(proposals(store)) == 1
    assert not marker.exists()

    store.write(golden(factor=2))
    marker.write_text(json.dumps(begun))
    assert proposals(store) == ()
    assert not marker.exists()


def test_several_data_sets_in_a_proposal(store: Store) -> None:
    """A proposal is a golden with all that a golden has."""
    proposed = golden(key(), data_set("a", factor=2), data_set("b", factor=2, size=1))
    [found] = groups([leave(store, proposed, NEW, summary="")])
    accept(store, found[0], reason="more cases")
    assert [one.name for one in store.read(key()).data_sets] == ["a", "b"]
