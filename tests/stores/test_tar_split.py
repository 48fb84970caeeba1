"""The recipe for a layer's tar: what it gives back, and every way in which it can be wrong."""

import base64
import gzip
import json

import pytest
from builders import member, tar

from overlaylab.errors import Finding
from overlaylab.limits import DEFAULT_LIMITS, Limits
from overlaylab.stores.files.place import DirectoryPlace
from overlaylab.stores.tar_split import RebuiltTar, TarSplit, crc64

DATA = b"some content\n"
PLAIN = tar(member("./etc/x", DATA))
SIZE = len(DATA)


def segment(data):
    return {"type": 2, "payload": base64.b64encode(data).decode()}


def file(name="./etc/x", size=SIZE, data=DATA, **fields):
    return {
        "type": 1,
        "name": name,
        "size": size,
        "payload": base64.b64encode(crc64(data).to_bytes(8, "big")).decode(),
    } | fields


GOOD = (segment(PLAIN[:512]), file(), segment(PLAIN[512 + len(DATA) :]))


def recipe(tmp_path, *lines, raw=None, limits=DEFAULT_LIMITS):
    """A layer of one file and its recipe."""
    folder = tmp_path / "diff/etc"
    folder.mkdir(parents=True)
    (folder / "x").write_bytes(DATA)
    if raw is None:
        raw = gzip.compress(
            b"".join(json.dumps({"position": i} | line).encode() + b"\n" for i, line in enumerate(lines))
        )
    (tmp_path / "recipe").write_bytes(raw)
    return TarSplit(DirectoryPlace(str(tmp_path), "here", limits), "recipe", "diff")


def refusal(recipe):
    with pytest.raises(Finding) as refused:
        list(recipe.tar())
    return refused.value.problem


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_tar_is_rebuilt_from_raw_bytes_and_files(pack, tmp_path):
    raw = pack(b"".join(json.dumps({"position": i} | line).encode() + b"\n" for i, line in enumerate(GOOD)))

    assert RebuiltTar.open(recipe(tmp_path, raw=raw)).read() == PLAIN


def test_empty_and_absent_payloads_are_no_bytes(tmp_path):
    lines = (
        {"type": 2, "payload": ""},
        {"type": 2, "payload": None},
        {"type": 2},
        {"type": 1, "name": "etc/", "payload": None},
    )

    assert list(recipe(tmp_path, *lines).tar()) == [b""] * 4


def test_name_that_is_not_utf8_stands_in_name_raw(tmp_path):
    made = recipe(tmp_path, file(name_raw=base64.b64encode(b"etc/\xe9").decode(), name=None))
    (tmp_path / "diff/etc" / b"\xe9".decode("utf-8", "surrogateescape")).write_bytes(DATA)

    assert b"".join(made.tar()) == DATA


@pytest.mark.parametrize(
    "lines,kind",
    [
        ([segment(b"a") | {"position": 1}], "tarsplit-order"),
        ([segment(b"a"), segment(b"b") | {"position": 0}], "tarsplit-order"),
        ([segment(b"a") | {"position": None}], "tarsplit-order"),
        ([segment(b"a") | {"position": "0"}], "bad-json"),
        ([segment(b"a") | {"position": -1}], "absurd-size"),
        ([{"type": 3}], "bad-json"),
        ([{"payload": ""}], "bad-json"),
        ([{"type": 2, "payload": "§"}], "bad-json"),
        ([{"type": 2, "payload": "abc"}], "bad-json"),
        ([{"type": 2, "payload": 7}], "bad-json"),
        ([file(size=-1)], "absurd-size"),
        ([file(size=len(DATA) + 1)], "size-mismatch"),
        ([file(size=len(DATA) - 1)], "size-mismatch"),
        ([file(size=1 << 62)], "size-mismatch"),
        ([file(name="etc/none")], "missing-content"),
        ([file(name="etc")], "missing-content"),
        ([file(name="etc/x/y")], "missing-content"),
        ([file(name="../outside")], "path-escape"),
        ([file(name="a/../../outside")], "path-escape"),
        ([file(name="a\0b")], "path-escape"),
    ],
)
def test_wrong_line_is_refused_by_its_kind(lines, kind, tmp_path):
    (tmp_path / "outside").write_bytes(DATA)

    assert refusal(recipe(tmp_path, *lines)).kind == kind


@pytest.mark.parametrize(
    "raw,kind",
    [
        (gzip.compress(b"{"), "bad-json"),
        (gzip.compress(b"[]\n"), "bad-json"),
        (gzip.compress(b"\n"), "empty"),
        (gzip.compress(b'{"type":2,"position":0}\n')[:-3], "bad-compression"),
        (b"\x1f\x8b\x08\x00 broken", "bad-compression"),
        (gzip.compress(b"[" * 100_000), "bad-json"),
        (gzip.compress(b" " * (9 << 20)), "limit"),
        (gzip.compress(b'{"type":2,"position":1' + b"0" * 6000 + b"}\n"), "bad-json"),
    ],
    ids=["cut", "array", "blank line", "cut gzip", "broken gzip", "deep", "long line", "long number"],
)
def test_recipe_that_is_no_recipe(raw, kind, tmp_path):
    assert refusal(recipe(tmp_path, raw=raw)).kind == kind


def test_symlinks_are_not_followed(tmp_path):
    made = recipe(tmp_path, file(name="link/x"))
    (tmp_path / "diff/link").symlink_to("etc")
    (tmp_path / "diff/direct").symlink_to("etc/x")

    assert refusal(made).kind == "missing-content"
    (tmp_path / "recipe").write_text(json.dumps({"position": 0} | file(name="direct")))
    assert refusal(made).kind == "missing-content"


def test_bombs_are_refused(tmp_path):
    assert refusal(recipe(tmp_path, *GOOD, limits=Limits(expanded=1000))).kind == "limit"


def test_lines_are_counted(tmp_path):
    assert refusal(recipe(tmp_path, *[segment(b"")] * 20, limits=Limits(entries=3))).kind == "limit"


def test_changed_file_is_named(tmp_path):
    made = recipe(tmp_path, *GOOD)
    assert list(made.changed_files()) == []
    (tmp_path / "diff/etc/x").write_bytes(DATA.upper())

    (problem,) = made.changed_files()
    assert (problem.kind, problem.where) == ("crc-mismatch", "here: diff/etc/x")


def test_crc_goes_on_from_piece_to_piece():
    assert crc64(b"6789", crc64(b"12345")) == crc64(b"123456789") == 0xB90956C775A41001
    assert crc64(b"") == 0
