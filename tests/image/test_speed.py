"""The fast way and the plain way say the same, and the fast way stays fast: told by counts, which do not vary."""

import io
import os
import random
import sys
import zlib
from functools import partial

import pytest
import realdata
from builders import docker_archive, member, tar, write

import overlaylab as ol
import overlaylab.image.compression
from overlaylab.errors import Finding
from overlaylab.image.tar_reader import TarReader
from overlaylab.linux.proof.experiments import KINDS, PATHS
from overlaylab.linux.proof.experiments import layer as experiments_layer
from overlaylab.stores.audit.layer_reader import LayerReader
from overlaylab.stores.audit.validation import report_facts
from overlaylab.stores.files.section import Section, Shared
from overlaylab.stores.files.workers import ParallelReader, Workers

INPUTS = realdata.inputs()
ENTRIES = 3_000
# Measured, and a little more. What is beyond costs every reader of every image.
CALLS_TO_READ, CALLS_TO_MERGE, CALLS_TO_WALK, CALLS_TO_LOOK = 21, 6, 14, 3


def parallel(workers, **options):
    """A reader of layers with so many threads."""
    return partial(LayerReader, digests=False, blobs=partial(ParallelReader, workers=Workers(workers)), **options)


def judged(path, **options):
    """All that verify says of an input, also why it cannot be read."""
    try:
        return report_facts(ol.validate(ol.open_store(path), **options))
    except ol.InputError as error:
        return str(error)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_threads_and_isal_find_what_one_thread_and_zlib_find(path, monkeypatch):
    pytest.importorskip("isal")
    fast = judged(path, reader_of=parallel(3))
    monkeypatch.setattr(overlaylab.image.compression, "_inflater", lambda: zlib)

    assert fast == judged(path)


@pytest.mark.parametrize("limit", [2_000, 20_000])
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_limits_hold_for_threads_too(path, limit, monkeypatch):
    limits = ol.limits.Limits(expanded=limit, free=limit, entries=limit // 100, path=limit // 10)
    fast = judged(path, reader_of=parallel(3, limits=limits))
    monkeypatch.setattr(overlaylab.image.compression, "_inflater", lambda: zlib)

    assert fast == judged(path, limits=limits)


def layer(entries=ENTRIES):
    """Small files, fifty to a folder, with some whiteouts."""
    names = [f"usr/share/d{number // 50}/{'.wh.' if number % 50 == 7 else ''}f{number}" for number in range(entries)]
    return tar(*(member(name, b"x" * 700) for name in names))


@pytest.mark.parametrize("seed", range(60))
def test_content_that_is_passed_over_hides_no_damage(seed, tmp_path):
    chance = random.Random(seed)
    data = bytearray(layer(40))
    for _ in range(3):
        data[chance.randrange(len(data))] = chance.randrange(256)
    path = tmp_path / "layer.tar"
    path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])

    def members(stream):
        found = []
        try:
            found += TarReader(stream, "layer")
        except ol.errors.Finding as finding:
            found.append(finding.problem)
        return found

    with path.open("rb") as file:
        passed_over = members(Section(Shared(file), 0, path.stat().st_size))
        assert passed_over == members(io.BytesIO(path.read_bytes()))
    assert len(passed_over) > 0


@pytest.mark.parametrize("ahead", [512, 700, 8192, 1 << 18])
def test_headers_inside_of_content_are_content(ahead):
    inner = tar(*(member(f"hidden{number}", kind="symlink", link="x") for number in range(3_000)))
    data = tar(
        member("inner.tar", inner),
        member("between", kind="dir"),
        member("again.tar", inner + b"odd"),
        member("after", b"abc"),
    )
    section = Section(Shared(io.BytesIO(data)), 0, len(data))
    section.ahead = ahead
    pieces = overlaylab.image.compression.Pieces(iter([data[i : i + ahead] for i in range(0, len(data), ahead)]))
    packed = overlaylab.image.compression.Inflated(io.BytesIO(zlib.compress(data, wbits=31)), "layer")

    for stream in (section, pieces, packed):
        assert [item.name.rstrip("/") for item in TarReader(stream, "layer")] == [
            "inner.tar",
            "between",
            "again.tar",
            "after",
        ]


def test_a_layer_without_its_end_does_not_go_on_into_what_lies_behind_it():
    layers = [tar(member(name, b"x" * 600)) for name in ("mine", "theirs")]
    cut = layers[0][: 512 + 1024]
    file = Shared(io.BytesIO(cut + layers[1]))

    assert [item.name for item in TarReader(Section(file, 0, len(cut)), "layer")] == ["mine"]
    assert Section(file, 0, len(cut)).read_at(len(cut) - 10, 100) == cut[-10:]
    assert Section(file, 0, len(cut)).read_at(len(cut), 100) == b""


def test_an_error_in_a_thread_is_raised_where_the_result_is_asked_for():
    result = Workers(1).submit(zlib.decompress, b"no")

    with pytest.raises(zlib.error):
        result()


def calls(function):
    """How many calls, of Python and of C, a function makes."""
    count = 0

    def see(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_calls_for_each_entry_stay_few():
    data = layer()
    changeset = ol.read_changeset(io.BytesIO(data), digests=False)
    below, _ = ol.to_lowerdir(changeset, lambda path: None)
    stack = ol.Overlay.of_layers([below, ol.to_lowerdir(changeset, lambda path: None)[0]])

    read = calls(lambda: ol.read_changeset(Streamed(data), digests=False)) / ENTRIES
    merge = calls(lambda: ol.to_lowerdir(changeset, lambda path: None)) / ENTRIES
    walk = calls(lambda: sum(1 for _ in stack.walk())) / ENTRIES
    look = calls(stack.look_everywhere) / ENTRIES

    assert read <= CALLS_TO_READ
    assert merge <= CALLS_TO_MERGE
    assert walk <= CALLS_TO_WALK
    assert look <= CALLS_TO_LOOK


class Streamed(overlaylab.image.compression.Pieces):
    """A tar in pieces, as an inflater gives it."""

    def __init__(self, data):
        super().__init__(iter([data[i : i + (1 << 18)] for i in range(0, len(data), 1 << 18)]))


class Counted(Shared):
    """A file that counts what is read of it."""

    taken = 0

    def read(self, offset, size):
        data = super().read(offset, size)
        self.taken += len(data)
        return data


def test_little_is_read_beside_headers_where_nobody_asks_for_content():
    data = tar(*(member(f"f{number}", b"x" * 40_000) for number in range(100)))
    file = Counted(io.BytesIO(data))

    ol.read_changeset(Section(file, 0, len(data)), digests=False)

    assert file.taken <= Section.ahead * 101 < len(data) / 4


def test_verify_hashes_each_stored_byte_once(tmp_path):
    layers = [layer(300), layer(200)]
    read = []
    store = ol.open_store(write(tmp_path, docker_archive((layers, {}))))

    assert ol.validate(store, reader_of=parallel(2, progress=read.append)).ok
    assert sum(read) == sum(map(len, layers))


def gzip_member(flags, data=b"plain bytes " * 50):
    """A gzip member with these header flags, and what they announce."""
    parts = {2: b"", 4: b"\x05\0extra", 8: b"name\0", 16: b"comment\0"}
    head = (
        b"\x1f\x8b\x08"
        + bytes([flags])
        + bytes(5)
        + b"\xff"
        + b"".join(parts[flag] for flag in (4, 8, 16) if flags & flag)
    )
    head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") if flags & 2 else b""
    packer = zlib.compressobj(wbits=-15)
    return (
        head
        + packer.compress(data)
        + packer.flush()
        + zlib.crc32(data).to_bytes(4, "little")
        + len(data).to_bytes(4, "little")
    )


def unpacked(blob):
    """The plain bytes, or why there are none."""
    try:
        return ol.unpack(blob)
    except ol.errors.Finding as finding:
        return finding.problem


@pytest.mark.parametrize("flags", range(256))
def test_headers_that_zlib_refuses_are_refused(flags, monkeypatch):
    pytest.importorskip("isal")
    sound = gzip_member(8)
    blobs = [
        gzip_member(flags),
        sound + gzip_member(flags),
        *(gzip_member(flags & 31)[:size] for size in (1, 3, 4, 11)),
    ]
    fast = [unpacked(blob) for blob in blobs]
    monkeypatch.setattr(overlaylab.image.compression, "_inflater", lambda: zlib)

    assert fast == [unpacked(blob) for blob in blobs]
    assert isinstance(fast[0], bytes) == (flags < 32)


@pytest.mark.parametrize("seed", range(40))
def test_damage_is_told_in_the_same_words_by_isal_and_zlib(seed, monkeypatch):
    pytest.importorskip("isal")
    chance = random.Random(seed)
    blob = bytearray(gzip_member(chance.randrange(32), chance.randbytes(300) * 3))
    blob[chance.randrange(chance.choice([12, len(blob)]))] ^= 1 << chance.randrange(8)
    fast = unpacked(bytes(blob))
    monkeypatch.setattr(overlaylab.image.compression, "_inflater", lambda: zlib)

    assert fast == unpacked(bytes(blob))


def zstd_blob(chance):
    """Some frames of several kinds, skippable ones among them; and where each ends."""
    zstandard = pytest.importorskip("zstandard")
    blob, plain, ends = b"", b"", [0]
    for _ in range(3):
        if chance.random() < 0.3:
            size = chance.choice([0, 1, 5, 1000])
            blob += b"\x53\x2a\x4d\x18" + size.to_bytes(4, "little") + bytes(size)
        else:
            data = chance.choice([b"", b"a" * 300_000, chance.randbytes(200_000)])
            options = {"write_checksum": chance.random() < 0.5, "write_content_size": chance.random() < 0.5}
            packer = zstandard.ZstdCompressor(**options).compressobj()
            blob, plain = blob + packer.compress(data) + packer.flush(), plain + data
        ends.append(len(blob))
    return blob, plain, ends


@pytest.mark.parametrize("seed", range(40))
def test_zstd_that_ends_within_a_frame_is_noticed_wherever_it_ends(seed):
    chance = random.Random(seed)
    blob, plain, ends = zstd_blob(chance)
    cuts = [chance.randrange(5, len(blob)) for _ in range(20)]

    assert unpacked(blob) == plain
    refused = [isinstance(unpacked(blob[:cut]), ol.errors.Problem) for cut in cuts]
    assert refused == [cut not in ends for cut in cuts]


@pytest.mark.parametrize("workers", [None, 2])
def test_a_file_that_is_written_between_two_readings_is_noticed(workers, tmp_path):
    path = write(tmp_path, docker_archive(([layer(300)], {})))
    written = []

    def write_into(count):
        if not written:
            written.append(count)
            status = path.stat()
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))

    reader_of = parallel(workers, progress=write_into) if workers else partial(LayerReader, progress=write_into)
    report = ol.validate(ol.open_store(path), reader_of=reader_of)

    at_rest = ol.validate(ol.open_store(path)).problems
    assert [problem.kind for problem in set(report.problems) - set(at_rest)] == ["changed-while-reading"]


def refusal(look):
    """What a look at all names is refused for; None where it comes to its end."""
    try:
        look()
    except Finding as finding:
        return str(finding)
    return None


def marked_layer(dice, number):
    """A layer with redirects, some of which lead nowhere that is allowed, and files without content."""
    kinds = (*KINDS, "metadata only", "marked whiteout")
    root = experiments_layer([(dice.choice(PATHS), dice.choice(kinds), "plain") for _ in range(8)], number)
    for _, inode in ol.tree.walk(root):
        if isinstance(inode, ol.Directory) and dice.random() < 0.3:
            inode.xattrs = {
                **inode.xattrs,
                "trusted.overlay.redirect": dice.choice([b"a", b"/a/b", b"/c", b"a/b", b"../a", b""]),
            }
    return root


def test_a_look_at_what_leads_on_is_refused_where_a_look_at_every_path_is():
    dice = random.Random(1)
    stacks = [ol.Overlay(lowerdirs=[marked_layer(dice, number) for number in range(3)]) for _ in range(1_000)]
    every = [refusal(lambda stack=stack: list(stack.walk())) for stack in stacks]

    assert len(set(every)) > 5 and None in every, "there are refusals, and stacks without"
    assert [refusal(stack.look_everywhere) for stack in stacks] == every


def test_a_blob_that_is_gone_when_it_is_hashed_is_a_change(tmp_path):
    store = ol.open_store(write(tmp_path, docker_archive(([layer(300)], {}))))
    opened = store.open_layer
    calls = iter([opened])

    store.open_layer = lambda layer: next(calls, lambda layer: None)(layer)
    report = ol.validate(store)

    assert [problem.kind for problem in report.problems] == ["changed-while-reading"]
    assert report.ok
