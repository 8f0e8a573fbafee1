"""Tests of `savedmodel_compat.model._table`, of what unpacks its blocks, and of the keys of slices."""

from __future__ import annotations

import collections
import struct

import pytest
from tests.model import tables
from tests.model.tables import block, joined, sealed, table, unread

from savedmodel_compat.errors import DamagedModelError
from savedmodel_compat.model import crc, wire
from savedmodel_compat.model._ordered import KeyFormError, slice_of
from savedmodel_compat.model._snappy import Budget, SnappyError, unpack
from savedmodel_compat.model._table import TableReader

PAIRS = [(b"", b"header"), *((f"key{i:04}".encode(), b"v" * (i % 200)) for i in range(500))]


def entries(data: bytes) -> list[tuple[bytes, bytes]]:
    """All pairs of a table."""
    return list(TableReader(data).entries())


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_blocks_are_read_in_order(most: int) -> None:
    """What was written is read, however many blocks it is in."""
    assert entries(table(PAIRS, most=most)) == PAIRS


def test_a_table_may_be_empty() -> None:
    """Without blocks there are no pairs."""
    assert entries(joined([])) == []


def test_every_byte_counts() -> None:
    """Whichever byte changes that TensorFlow looks at, and wherever the table is cut, it is refused."""
    data = table(PAIRS[:20], most=9)
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        if at in unread(data):
            assert entries(damaged) == PAIRS[:20]
        else:
            with pytest.raises(DamagedModelError):
                entries(damaged)
        with pytest.raises(DamagedModelError):
            entries(data[:at])


def test_a_packed_block_is_unpacked() -> None:
    """TensorFlow 1.0 and 1.1 packed blocks with Snappy: literals, and copies of what came before."""
    plain = block([(b"", b"abcabcabcabcabc"), (b"k", b"")])
    # A literal of seven bytes, a copy of eleven from three back, a literal of the rest.
    cut = plain.index(b"abc") + 3
    packed = (
        bytes([len(plain), cut - 1 << 2])
        + plain[:cut]
        + bytes([11 - 4 << 2 | 1, 3])
        + bytes([len(plain) - cut - 12 << 2])
        + plain[cut + 11 :]
    )
    assert unpack(packed) == plain
    assert entries(joined([(b"k", sealed(packed, 1))])) == [(b"", b"abc" * 5), (b"k", b"")]


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (b"", "breaks off"),
        (b"\xff\xff\xff\x7f\0", "cannot hold"),
        (b"\x05\x10abc", "beyond the end"),
        (b"\x05\x08abc", "says 5 bytes and holds 3"),
        (b"\x02\x08abc", "more than the 2 bytes"),
        (b"\x05\x01\x00", "reaches back 0 bytes"),
        (b"\x05\x00a\x01\x09", "reaches back 9 bytes"),
        (b"\x05\xf4", "breaks off"),
    ],
)
def test_what_snappy_did_not_write_is_refused(packed: bytes, words: str) -> None:
    """Lengths and offsets that lie are errors, and take no memory."""
    with pytest.raises(SnappyError, match=words):
        unpack(packed)


def test_a_block_that_would_unpack_to_too_much_is_not_unpacked() -> None:
    """What it claims is compared with what is left before a byte of it is unpacked, which here does not unpack."""
    packed = wire.as_varint(300_000_000) + b"\xff" * 15_000_000
    with pytest.raises(SnappyError, match="reaches back"):
        unpack(packed)
    with pytest.raises(DamagedModelError, match="above 268435456 bytes, which is not looked at"):
        entries(joined([(b"z", sealed(packed, 1))]))


def test_what_blocks_take_is_added_up() -> None:
    """A block that alone is within the limit is refused behind one that has taken its share."""
    first = block([(b"a", bytes(1 << 20))])
    packed = wire.as_varint((256 << 20) - 2000) + b"\xff" * 14_000_000
    with pytest.raises(DamagedModelError, match="at byte 0 does not unpack"):
        entries(joined([(b"z", sealed(packed, 1))]))
    with pytest.raises(DamagedModelError, match="above 268435456 bytes"):
        entries(joined([(b"a", sealed(first)), (b"z", sealed(packed, 1))]))


def test_packed_blocks_share_a_budget() -> None:
    """The shortest literals and copies take the longest; of all blocks together, only so many are looked at."""
    ones = b"\x03" + b"\0a" * 3
    budget = Budget(elements=5)
    assert unpack(ones, budget) == b"aaa"
    assert budget.elements == 2
    with pytest.raises(SnappyError, match="too many literals and copies"):
        unpack(ones, budget)


def test_a_block_of_short_literals_is_refused() -> None:
    """It claims little, and would take long: the text names the block."""
    count = Budget().elements + 1
    packed = wire.as_varint(count) + b"\0a" * count
    with pytest.raises(DamagedModelError, match="at byte 0 does not unpack: .* too many literals"):
        entries(joined([(b"z", sealed(packed, 1))]))


def test_long_literals_are_unpacked() -> None:
    """Their length stands in one to four bytes behind the tag."""
    text = bytes(range(256)) * 2
    for width in (2, 3, 4):
        tag = bytes([59 + width << 2]) + (len(text) - 1).to_bytes(width, "little")
        assert unpack(b"\x80\x04" + tag + text) == text


def _restarts(*places: int) -> bytes:
    return struct.pack(f"<{len(places) + 1}I", *places, len(places))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has only 0 bytes"),
        (b"\xff\xff\xff\xff", "counts 4294967295 places"),
        (b"\0\0\0\0", "counts 0 places"),
        (b"\x00\x01\x00a" + _restarts(3), "begins anew at its byte 3"),
        (b"\x00\x01\x00a\x01\x01\x00b" + _restarts(0, 4), "where a key goes on"),
        (b"\x05\x01\x00a" + _restarts(0), "leads out of it"),
        (b"\x00\x7f\x00a" + _restarts(0), "leads out of it"),
        (b"\x00\x01\xff\xff\xff\xff\x0fa" + _restarts(0), "leads out of it"),
        (b"\x00\x01" + _restarts(0), "leads out of it"),
        (b"\x00\xff\xff" + _restarts(0), "leads out of it|breaks off"),
        (b"\x00\x01\x00b\x00\x01\x00a" + _restarts(0), "not greater than that before"),
        (b"\x00\x01\x00a\x01\x00\x00" + _restarts(0), "not greater than that before"),
    ],
)
def test_lengths_that_lie_are_refused(content: bytes, words: str) -> None:
    """Right checksums do not make a block right."""
    with pytest.raises(DamagedModelError, match=words):
        entries(joined([(b"z", sealed(content))]))


def test_an_unknown_packing_is_refused() -> None:
    """A newer release's way to pack blocks is named as such."""
    with pytest.raises(DamagedModelError, match="packed in a way that is not known, 7"):
        entries(joined([(b"z", sealed(block([(b"a", b"")]), 7))]))


def test_blocks_out_of_order_are_refused() -> None:
    """Keys ascend over all blocks, and the bounds of blocks with them."""
    one, two = sealed(block([(b"a", b"")])), sealed(block([(b"b", b"")]))
    with pytest.raises(DamagedModelError, match="not greater than those before"):
        entries(joined([(b"b", two), (b"c", one)]))
    with pytest.raises(DamagedModelError, match="before its last key"):
        entries(joined([(b"a", two)]))
    with pytest.raises(DamagedModelError, match="not greater than those before"):
        entries(joined([(b"b", one), (b"c", two)]))


def test_a_block_is_not_read_twice() -> None:
    """An index that lists one block again and again would make a small file large."""
    content = sealed(block([(b"a", b"")]))
    data = joined([(b"a", content)])
    index = block(
        [(b"a", tables.place(0, len(content) - 5)), (b"b", tables.place(0, 6))], restart=1
    )
    start = len(content)
    meta = sealed(block([]))
    footer = tables.place(start, len(meta) - 5) + tables.place(start + len(meta), len(index))
    forged = content + meta + sealed(index) + footer.ljust(40, b"\0") + data[-8:]
    with pytest.raises(DamagedModelError, match="within another"):
        entries(forged)


def test_shared_beginnings_take_no_unbounded_memory() -> None:
    """A long key that a million others share would otherwise fill the memory."""
    million = b"\xc0\x84\x3d"
    pairs = b"\0" + million + b"\0" + b"k" * 1_000_000
    pairs += b"".join(million + b"\x02\0" + number.to_bytes(2, "big") for number in range(600))
    read = TableReader(joined([(b"z", sealed(pairs + _restarts(0)))])).entries()
    with pytest.raises(DamagedModelError, match="above 268435456 bytes, which is not looked at"):
        collections.deque(read, maxlen=0)


def test_checksums_are_masked() -> None:
    """Known values: of 32 zero bytes, and that the mask is undone."""
    assert crc.extend(0, bytes(32)) == 0x8A9136AA
    assert crc.mask(0) == 0xA282EAD8
    assert all(crc.unmask(crc.mask(number)) == number for number in (0, 1, 0x8A9136AA, 2**32 - 1))


@pytest.mark.parametrize(
    ("code", "extents"),
    [
        ("0101 80 80", ((0, 0),)),
        ("0101 85 bf", ((5, 63),)),
        ("0102 80 c040 c1ff e04000", ((0, 64), (511, 0x4000))),
        ("0101 80 f0424242", ((0, 0x424242),)),
        ("0101 80 7f", ((0, -1),)),
        ("0101 80 3800", ((0, -1),)),
        ("0101 80 ff90" + "00" * 7, ((0, 2**60),)),
        ("0101 80 ffc0" + "7f" + "ff" * 7, ((0, 2**63 - 1),)),
    ],
)
def test_keys_of_slices(code: str, extents: tuple[tuple[int, int], ...]) -> None:
    """Numbers whose leading bits count their bytes, as the examples of TensorFlow's source file have them."""
    assert slice_of(b"\0name\0\x01" + bytes.fromhex(code)) == (b"name", extents)


def test_names_in_keys_of_slices_may_hold_any_byte() -> None:
    """Zero bytes and ff are escaped, also where what follows looks like the end of the name."""
    assert slice_of(b"\0a\0\xff\xff\0\x01\0\x01\x01\x01\x80\x81")[0] == b"a\0\xff\x01"


@pytest.mark.parametrize(
    "key",
    [
        "00",
        "0161",
        "006161",
        "006100",
        "00610001",
        "0061000100",
        "00610001 0101",
        "00610001 0101 80",
        "00610001 0101 80 f042",
        "00610001 0101 80 80 80",
        "00610001 02ffff 80 80",
        "00610001 0101 80 ffffffff",
        "0061ff77 0001 0101 80 80",
    ],
)
def test_other_keys_are_refused(key: str) -> None:
    """Whatever does not parse to its last byte is no key of a slice."""
    with pytest.raises(KeyFormError):
        slice_of(bytes.fromhex(key))
