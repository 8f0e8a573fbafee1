"""Tests of `savedmodel_compat.model.fingerprint` on models whose fingerprints TensorFlow wrote."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from savedmodel_compat.errors import DamagedModelError, NotASavedModelError
from savedmodel_compat.matrix.models import Model
from savedmodel_compat.model import fingerprint, payloads, read, schema
from savedmodel_compat.model.fingerprint import Verdict, fingerprint64, load, verify

FROZEN = Path(__file__).parent.parent / "models" / "module-2.21.0"
COMPARED = ("saved_model_checksum", "checkpoint_hash")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a model of TensorFlow 2.21, whose fingerprint is version 4."""
    return Path(shutil.copytree(FROZEN, tmp_path / "model"))


def verdicts(folder: Path) -> dict[str, Verdict]:
    """Return the verdict on each hash that is compared."""
    return {taken.name: taken.verdict for taken in verify(read(folder)) if taken.name in COMPARED}


def both(verdict: Verdict) -> dict[str, Verdict]:
    """Return one verdict on both hashes."""
    return dict.fromkeys(COMPARED, verdict)


def edit(folder: Path, change: Callable[[schema.SavedModel], object]) -> None:
    """Change a model in place and leave its fingerprint behind."""
    file = folder / "saved_model.pb"
    proto = schema.parse(schema.SavedModel, file.read_bytes())
    change(proto)
    file.write_bytes(proto.SerializeToString(deterministic=True))


def refit(folder: Path, **changes: int) -> None:
    """Write a fingerprint that says something else."""
    proto = schema.parse(schema.FingerprintDef, (FROZEN / "fingerprint.pb").read_bytes())
    proto.version.producer = changes.pop("producer", proto.version.producer)
    for name, value in changes.items():
        setattr(proto, name, value)
    (folder / "fingerprint.pb").write_bytes(proto.SerializeToString())


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0x9AE16A3B2F90404F), (b"hello world" * 9, 1178394590905131037)],
)
def test_the_hash_is_farmhash(data: bytes, value: int) -> None:
    """Known values: that of nothing is the constant k2 of the algorithm."""
    assert fingerprint64(data) == value


def test_a_frozen_model_is_verified() -> None:
    """What TensorFlow 2.21 wrote is verified, though its Python orders maps otherwise than its C++."""
    hashes = verify(read(FROZEN))

    assert [taken.name for taken in hashes] == list(
        schema.FingerprintDef.DESCRIPTOR.fields_by_name
    )[:5]
    assert verdicts(FROZEN) == both(Verdict.VERIFIED)
    assert all(taken.found == taken.value for taken in hashes if taken.name in COMPARED)


def test_what_is_not_taken_anew_says_so() -> None:
    """The three hashes of the canonical graph are not guessed at."""
    others = [taken for taken in verify(read(FROZEN)) if taken.name not in COMPARED]

    assert [taken.verdict for taken in others] == [Verdict.UNVERIFIED] * 3
    assert all(taken.why for taken in others)


@pytest.mark.parametrize("name", ["keras2_lstm", "half_plus_two_tf2"])
def test_models_of_the_corpus_are_verified(corpus: Path, name: str) -> None:
    """Third-party models of 2.12, which Python wrote, and of 2.14, which C++ wrote."""
    assert verdicts(corpus / name) == both(Verdict.VERIFIED)


@pytest.mark.parametrize("producer", ["2.11.1", "2.21.0"])
def test_new_exports_are_verified(exported: Callable[..., Model], producer: str) -> None:
    """The first version of the fingerprint, which hashes only the graph, and the newest."""
    folder = exported("mnist_cnn_module", producer=producer).path

    assert verdicts(folder) == both(Verdict.VERIFIED)


def test_an_edited_graph_differs(folder: Path) -> None:
    """One other letter in one node is another checksum."""
    edit(folder, lambda model: setattr(model.meta_graphs[0].graph_def.node[0], "device", "/cpu:1"))

    assert verdicts(folder) == {
        "saved_model_checksum": Verdict.DIFFERS,
        "checkpoint_hash": Verdict.VERIFIED,
    }


def test_an_edit_outside_of_the_graph_differs(folder: Path) -> None:
    """The checksum covers the whole file, signatures too."""

    def rename(model: schema.SavedModel) -> None:
        signature = model.meta_graphs[0].signature_def["serving_default"]
        signature.method_name = "other"

    edit(folder, rename)

    assert verdicts(folder)["saved_model_checksum"] is Verdict.DIFFERS


def test_another_index_differs(folder: Path) -> None:
    """Variables of another model are told by their index."""
    index = folder / "variables/variables.index"
    index.write_bytes(index.read_bytes()[:-1] + b"x")

    assert verdicts(folder) == {
        "saved_model_checksum": Verdict.VERIFIED,
        "checkpoint_hash": Verdict.DIFFERS,
    }


def test_a_model_without_variables(folder: Path) -> None:
    """TensorFlow writes 0 where there is no index; any other hash asks for one."""
    (folder / "variables/variables.index").unlink()
    lost = verdicts(folder)["checkpoint_hash"]
    refit(folder, checkpoint_hash=0)

    assert (lost, verdicts(folder)["checkpoint_hash"]) == (Verdict.DIFFERS, Verdict.VERIFIED)


def test_a_model_without_fingerprint_has_no_hashes(folder: Path) -> None:
    """Before 2.11 there was none."""
    (folder / "fingerprint.pb").unlink()

    assert load(folder) is None
    assert verify(read(folder)) == ()


def test_an_unknown_version_is_not_found_wrong(folder: Path) -> None:
    """A newer TensorFlow may hash something else: that is verified or not known, never wrong."""
    refit(folder, producer=99)
    same = verdicts(folder)
    refit(folder, producer=99, saved_model_checksum=1)

    assert same == both(Verdict.VERIFIED)
    assert verdicts(folder)["saved_model_checksum"] is Verdict.UNVERIFIED


def test_a_foreign_serialization_is_not_found_wrong(folder: Path) -> None:
    """Where the fields of a file are in no order that Python or C++ writes, there is no verdict."""
    file = folder / "saved_model.pb"
    data = file.read_bytes()
    # The same message, with the version behind the graph.
    assert data.startswith(b"\x08\x01")
    file.write_bytes(data[2:] + data[:2])
    whole = verdicts(folder)["saved_model_checksum"]
    refit(folder, saved_model_checksum=1)

    assert whole is Verdict.VERIFIED
    assert verdicts(folder)["saved_model_checksum"] is Verdict.UNVERIFIED


def test_of_a_large_file_the_form_is_looked_at_without_its_constants(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The verdicts are the same where long constants are not serialized anew to find them."""
    monkeypatch.setattr(payloads, "SMALLEST_FILE", 0)
    monkeypatch.setattr(payloads, "LONG", 100)
    monkeypatch.setattr(payloads, "BYTES_PER_FIELD", 1)

    def add_constant(model: schema.SavedModel) -> None:
        value = model.meta_graphs[0].graph_def.node.add(name="c", op="Const").attr["value"]
        value.tensor.tensor_content = b"x" * 1000

    edit(folder, add_constant)
    file = folder / "saved_model.pb"
    assert payloads.shortened(file) is not None
    wrong = verdicts(folder)["saved_model_checksum"]
    data = file.read_bytes()
    file.write_bytes(data[2:] + data[:2])

    assert wrong is Verdict.DIFFERS
    assert verdicts(folder)["saved_model_checksum"] is Verdict.UNVERIFIED


def test_a_text_model_is_not_found_wrong(folder: Path) -> None:
    """A fingerprint is never of a text file."""
    from google.protobuf import text_format

    text = text_format.MessageToString(read(folder).proto)
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pbtxt").write_text(text)

    assert verdicts(folder)["saved_model_checksum"] is Verdict.UNVERIFIED


def test_a_large_file_can_be_left_out(folder: Path) -> None:
    """Whoever is in a hurry says up to which size files are hashed."""
    taken = {hash_.name: hash_ for hash_ in verify(read(folder), limit=1000)}

    assert taken["saved_model_checksum"].verdict is Verdict.UNVERIFIED
    assert "27682 bytes" in taken["saved_model_checksum"].why
    assert taken["checkpoint_hash"].verdict is Verdict.VERIFIED


def test_an_index_outside_of_the_model_is_not_read(folder: Path, tmp_path: Path) -> None:
    """A link that leads out of the model is not followed."""
    index = folder / "variables/variables.index"
    shutil.move(index, tmp_path / "index")
    index.symlink_to(tmp_path / "index")

    assert verdicts(folder)["checkpoint_hash"] is Verdict.UNVERIFIED


@pytest.mark.parametrize("content", [b"", b"\x08", b"\xff" * 20])
def test_a_damaged_fingerprint_is_an_error(folder: Path, content: bytes) -> None:
    """An empty file would parse as a fingerprint of zeros."""
    (folder / fingerprint.NAME).write_bytes(content)

    with pytest.raises(DamagedModelError, match=r"fingerprint\.pb .*(is empty|does not parse)"):
        load(folder)
    assert read(folder).fingerprint is None


def test_a_fingerprint_outside_of_the_model_is_not_read(folder: Path, tmp_path: Path) -> None:
    """Nor is the fingerprint itself."""
    shutil.move(folder / "fingerprint.pb", tmp_path / "elsewhere")
    (folder / "fingerprint.pb").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(NotASavedModelError, match="outside"):
        load(folder)
