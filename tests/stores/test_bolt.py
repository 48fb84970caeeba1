"""bolt files, made here and damaged here: read whole, or refused by kind, whatever the bytes."""

import random
import struct

import pytest
import realdata
from builders import DATA

from overlaylab.errors import Finding
from overlaylab.limits import Limits
from overlaylab.stores.files.bolt import looks_like_bolt, read_bolt, read_database
from overlaylab.stores.files.open_place import open_place
from overlaylab.stores.files.place import DirectoryPlace

CONTROL = (DATA / "broken-images/control-bolt.db").read_bytes()


def fnv(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) % (1 << 64)
    return value


def page(number, flags, count, body=b"", size=4096, overflow=0):
    return (struct.pack("<QHHI", number, flags, count, overflow) + body).ljust(size * (1 + overflow), b"\0")


def meta(number, root, transaction, size=4096, pages=64, version=2):
    fields = struct.pack("<IIIIQQQQQ", 0xED0CDAED, version, size, 0, root, 0, 2**64 - 1, pages, transaction)
    return page(number, 4, 0, fields + struct.pack("<Q", fnv(fields)), size)


def leaf(*items):
    heads, tail = b"", b""
    for index, (key, value, is_bucket) in enumerate(items):
        heads += struct.pack("<IIII", is_bucket, 16 * (len(items) - index) + len(tail), len(key), len(value))
        tail += key + value
    return heads + tail


def branch(*children):
    heads, tail = b"", b""
    for index, (key, child) in enumerate(children):
        heads += struct.pack("<IIQ", 16 * (len(children) - index) + len(tail), len(key), child)
        tail += key
    return heads + tail


def bolt(*pages, size=4096, root=3):
    return meta(0, root, 2, size) + meta(1, root, 3, size) + page(2, 16, 0, size=size) + b"".join(pages)


def kind(data, **limits):
    with pytest.raises(Finding) as refused:
        read_bolt(data, "x", Limits(**limits))
    return refused.value.problem.kind


@pytest.mark.parametrize("size", [1024, 4096, 16384, 65536])
def test_page_size_is_that_of_the_writer(size):
    pages = (
        page(3, 1, 2, branch((b"a", 4), (b"k", 5)), size),
        page(4, 2, 1, leaf((b"a", b"1", 0)), size),
        page(5, 2, 1, leaf((b"k", b"2", 0)), size),
    )
    data = bolt(*pages, size=size)

    assert read_bolt(data, "x") == {b"a": b"1", b"k": b"2"}
    assert read_bolt(bytes(size) + data[size:], "x") == {b"a": b"1", b"k": b"2"}
    assert looks_like_bolt(data) and looks_like_bolt(bytes(size) + data[size:])


def test_bucket_has_pages_of_its_own_or_is_inline():
    inline = struct.pack("<QQ", 0, 0) + struct.pack("<QHHI", 0, 2, 1, 0) + leaf((b"in", b"line", 0))
    data = bolt(
        page(3, 2, 2, leaf((b"a", inline, 1), (b"b", struct.pack("<QQ", 4, 0), 1))),
        page(4, 2, 1, leaf((b"k", b"v" * 6000, 0)), overflow=1),
        page(6, 2, 0),
    )

    assert read_bolt(data, "x") == {b"a": {b"in": b"line"}, b"b": {b"k": b"v" * 6000}}


def nested(depth):
    value = struct.pack("<QQ", 0, 0) + struct.pack("<QHHI", 0, 2, 0, 0)
    for _ in range(depth):
        value = struct.pack("<QQ", 0, 0) + struct.pack("<QHHI", 0, 2, 1, 0) + leaf((b"b", value, 1))
    return value


OVERLAPPING = struct.pack("<IIII", 0, 16, 0, 4000) * 250


@pytest.mark.parametrize(
    "data,expected",
    [
        (b"", "empty"),
        (b"text", "not-bolt"),
        (bytes(20000), "not-bolt"),
        (page(0, 4, 0) + page(1, 4, 0), "not-bolt"),
        (meta(0, 3, 1, version=3) + meta(1, 3, 1, version=1), "bad-checksum"),
        (CONTROL[:4096], "truncated"),
        (bolt(), "truncated"),
        (bolt(page(4, 2, 0)), "bad-page"),
        (bolt(page(3, 4, 0)), "bad-page"),
        (bolt(page(3, 2, 9999)), "bad-page"),
        (bolt(page(3, 2, 1, struct.pack("<IIII", 0, 5000, 1, 1))), "bad-page"),
        (bolt(page(3, 2, 1, struct.pack("<IIII", 0, 16, 4294967295, 1))), "bad-page"),
        (bolt(page(3, 2, 1, struct.pack("<IIII", 0, 0, 1, 1))), "bad-page"),
        (bolt(page(3, 2, 1, leaf((b"b", b"short", 1)))), "bad-page"),
        (bolt(page(3, 2, 1, leaf((b"b", bytes(20), 1)))), "bad-page"),
        (bolt(page(3, 1, 1, branch((b"a", 9000)))), "bad-page"),
        (bolt(page(3, 1, 1, branch((b"a", 0)))), "bad-page"),
        (bolt(page(3, 1, 1, branch((b"a", 40)))), "truncated"),
        (
            bolt(page(3, 2, 0)[:16] and page(3, 2, 0, overflow=0)[:12] + struct.pack("<I", 77) + bytes(4080)),
            "truncated",
        ),
        (bolt(page(3, 1, 1, branch((b"a", 3)))), "page-cycle"),
        (bolt(page(3, 1, 2, branch((b"a", 4), (b"b", 4))), page(4, 2, 0)), "page-cycle"),
        (bolt(page(3, 2, 1, leaf((b"b", struct.pack("<QQ", 3, 0), 1)))), "page-cycle"),
        (bolt(page(3, 2, 1, leaf((b"b", nested(40), 1)))), "limit"),
        (bolt(page(3, 2, 250, OVERLAPPING, overflow=1), page(5, 2, 0)), "bad-page"),
    ],
    ids=range(24),
)
def test_damaged_file_is_refused_by_kind(data, expected):
    assert kind(data) == expected


def test_elements_are_counted():
    assert kind(bolt(page(3, 2, 9, leaf(*((bytes([i]), b"", 0) for i in range(9))))), entries=5) == "limit"


def test_any_bytes_are_read_or_refused():
    """Real databases with bytes changed, cut or repeated: a finding or buckets, and nothing else."""
    chance = random.Random(1)
    store = open_place(realdata.archive("containerd16-root"))
    real = store.read("io.containerd.metadata.v1.bolt/meta.db")[: 40 * 4096]
    for _ in range(300):
        data = bytearray(chance.choice([CONTROL, real]))
        for _ in range(chance.randrange(1, 6)):
            at = chance.choice(
                [chance.randrange(len(data)), chance.randrange(0, len(data), 4096) + chance.randrange(64)]
            )
            data[at] = chance.choice([0, 1, 2, 3, 255, chance.randrange(256)])
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        try:
            assert isinstance(read_bolt(bytes(data), "x"), dict)
        except Finding as finding:
            assert finding.problem.kind in {
                "empty",
                "not-bolt",
                "bad-checksum",
                "truncated",
                "bad-page",
                "page-cycle",
                "limit",
            }


def test_database_that_does_not_hold_still_is_told(tmp_path, monkeypatch):
    path = tmp_path / "meta.db"
    path.write_bytes(CONTROL)
    place = DirectoryPlace(str(tmp_path), "here", Limits())
    assert read_database(place, "meta.db")[1]
    read = place.read

    def and_write(*arguments):
        data = read(*arguments)
        path.write_bytes(data[:4096] + meta(1, 3, 1 + data[4096 + 64]) + data[8192:])
        return data

    monkeypatch.setattr(place, "read", and_write)
    bucket, steady = read_database(place, "meta.db")

    assert list(bucket) == [b"v1"] and not steady
