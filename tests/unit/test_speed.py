"""The fast way and the plain way say the same, and the fast way stays fast: told by counts, which do not vary."""

import io
import json
import random
import sys
import zlib

import pytest
import realdata
from builders import DATA, docker_archive, member, tar, write

import overlaylab as ol
import overlaylab.media
from overlaylab.present import report_facts
from overlaylab.readers.section import Section, Shared
from overlaylab.readers.workers import Workers
from overlaylab.tarball import TarReader

BROKEN = DATA / "broken-images"
INPUTS = [*(BROKEN / case["file"] for case in json.loads((BROKEN / "expected.json").read_text(encoding="utf-8"))["cases"])]
INPUTS += [realdata.archive(name) for name in realdata.NAMES]
ENTRIES = 3_000
# Measured, and a little more. What is beyond costs every reader of every image.
CALLS_TO_READ, CALLS_TO_MERGE, CALLS_TO_WALK = 46, 18, 15


def judged(path, **options):
    """All that verify says of an input, also why it cannot be read."""
    try:
        return report_facts(ol.validate(ol.open_store(path), **options))
    except ol.InputError as error:
        return str(error)


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_threads_and_isal_find_what_one_thread_and_zlib_find(path, monkeypatch):
    pytest.importorskip("isal")
    fast = judged(path, later=Workers(3).later)
    monkeypatch.setattr(overlaylab.media, "_inflater", lambda: zlib)

    assert fast == judged(path)


@pytest.mark.parametrize("limit", [2_000, 20_000])
@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_limits_hold_for_threads_too(path, limit, monkeypatch):
    limits = ol.Limits(expanded=limit, free=limit, entries=limit // 100, path=limit // 10)
    fast = judged(path, limits=limits, later=Workers(3).later)
    monkeypatch.setattr(overlaylab.media, "_inflater", lambda: zlib)

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
        except ol.Finding as finding:
            found.append(finding.problem)
        return found

    with path.open("rb") as file:
        passed_over = members(Section(Shared(file), 0, path.stat().st_size))
        assert passed_over == members(io.BytesIO(path.read_bytes()))
    assert len(passed_over) > 0


def test_an_error_in_a_thread_is_raised_where_the_result_is_asked_for():
    result = Workers(1).later(zlib.decompress, b"no")

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

    assert (read <= CALLS_TO_READ, merge <= CALLS_TO_MERGE, walk <= CALLS_TO_WALK) == (True, True, True), (read, merge, walk)


class Streamed(overlaylab.media.Pieces):
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

    assert ol.validate(store, progress=read.append, later=Workers(2).later).ok
    assert sum(read) == sum(map(len, layers))
