"""Inputs that are harmed inside: documents, names, layers, databases and recipes of an archive or a store.

Each kind of harm is one function on the list of members ``[(header, content)]``. Where a document is known by its
digest, everything that names it is told the new one, so that the harm is met behind the digests and not at them.
"""

import base64
import copy
import gzip
import hashlib
import io
import json
import random
import re
import struct
import tarfile
import zlib
from typing import Any

from tests.support.builders import TYPES

EVIL = [
    "..",
    "../x",
    "/etc/passwd",
    "a/../../x",
    "./.",
    "",
    "n" * 300,
    "d/" * 300 + "f",
    "nul\0inside",
    "\udcff\udcfe",
    "\ud800",
    "a\nb",
    ".wh.",
    ".wh...",
    ".wh..wh..opq",
    ".wh.x",
    "/",
    "//",
    "con",
    "%s%n",
    "-rf",
    "\u202ename",
]
ODD: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    2**64,
    10**40,
    -(10**40),
    1e308,
    0.5,
    "",
    "x",
    "sha256:",
    "sha256:" + "0" * 64,
    "sha256:" + "g" * 64,
    "sha512:" + "0" * 128,
    "../../../etc/passwd",
    "\0",
    "\udc80",
    [],
    {},
    [[]],
    [None],
    {"": None},
    ["x"] * 50,
    "A" * 100_000,
]
DOCUMENT = re.compile(
    r".*(\.json|/link|/lower|/parent|/diff|/cache-id|/mount-id|/init-id|/size|/manifest|/=[^/]*|/sha256/[^/]*|config\.v2\.json|repositories|oci-layout)$"
)
MARKS = ["opaque", "redirect", "metacopy", "whiteout", "origin", "impure", "nlink", "uuid"]
VALUES = [b"y", b"x", b"", b"/", b"/a", b"..", b"a/b", b"\xff\xfe", b"n" * 300, b"."]
HEX = re.compile(rb"[0-9a-f]{64}")
GZIP = b"\x1f\x8b"


def _content(tar, info):
    """The bytes of a regular file in a tar; None for anything else."""
    return tar.extractfile(info).read() if info.isreg() else None


def members_of(path):
    """The members of a tar, packed or not."""
    with tarfile.open(path) as tar:
        return [(info, _content(tar, info)) for info in tar]


def packed(members, size=None):
    """The tar of some members; names and headers may be as wrong as they like.

    Args:
        size: ``(index, number)``: a member whose header lies about its size.
    """
    out = io.BytesIO()
    for index, (info, data) in enumerate(members):
        info = copy.copy(info)
        info.size = size[1] if size and size[0] == index else len(data or b"")
        # What a pax header says counts more than what is asked for here.
        info.pax_headers = {
            key: value for key, value in info.pax_headers.items() if key not in ("path", "linkpath", "size")
        }
        try:
            header = info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        except (UnicodeError, ValueError):
            info.name = "unsayable"
            info.linkname = ""
            header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogatepass")
        out.write(header + (data or b"") + bytes(-len(data or b"") % 512))
    return out.getvalue() + bytes(1024)


def harmed(data, chance):
    """The bytes with one to four small changes."""
    data = bytearray(data or b"\0")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(7):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + chance.randint(1, 40)] = chance.randbytes(chance.randint(1, 40))
            case 2:
                del data[at:]
            case 3:
                data[at:at] = data[at : at + 512]
            case 4:
                del data[at // 512 * 512 : at // 512 * 512 + 512]
            case 5:
                data[at : at + 8] = chance.choice([b"../../..", b"\xff" * 8, b'":null,"', b"77777777", b"\0" * 8])
            case 6:
                data[at:at] = chance.choice(
                    [b"[" * 5000, b'{"a":' * 3000, b"9" * 6000, b'"', b"\\", b"\xed\xa0\x80", b"\n\n"]
                )
        data = data or bytearray(b"\0")
    return bytes(data)


def unzipped(data):
    """What a gzip holds; the same bytes if it is none, or a harmed one."""
    if not data.startswith(GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, ValueError, zlib.error):
        return data


# where documents are known by their digests


def renamed(members, before, after):
    """Tell everything that names some bytes by their digest the new one; what changes by that gets a new digest too."""
    todo = [(_hex(before), _hex(after))]
    for old, new in todo[:200]:
        for index, (info, data) in enumerate(members):
            if info is None:
                continue
            if old in info.name:
                info = copy.copy(info)
                info.name = info.name.replace(old, new)
            changed = data
            if data and len(data) < 400_000 and old.encode() in data:
                changed = data.replace(old.encode(), new.encode())
            members[index] = (info, changed)
            if changed is not data and len(todo) < 200:
                todo.append((_hex(data), _hex(changed)))
    return members


def _hex(data):
    return hashlib.sha256(data or b"").hexdigest()


def replaced(members, index, data):
    """Put other bytes in place of a member's, and let the digests follow."""
    info, before = members[index]
    members[index] = (info, data)
    return renamed(members, before, data)


def _pick(members, chance, wanted):
    found = [index for index, (info, data) in enumerate(members) if wanted(info, data)]
    return chance.choice(found) if found else None


def _is_json(info, data):
    return bool(data) and len(data) < 300_000 and data.lstrip()[:1] in (b"{", b"[")


# the kinds of harm


def bytes_of_a_document(members, chance):
    """Single bytes of a document, unpacked if it is packed."""
    index = _pick(members, chance, lambda info, data: data and len(data) < 300_000 and DOCUMENT.match(info.name))
    if index is not None:
        data = members[index][1]
        plain = unzipped(data) if chance.random() < 0.8 else data
        new = harmed(plain, chance)
        new = gzip.compress(new, 1) if plain is not data else new
        members = (
            replaced(members, index, new)
            if chance.random() < 0.7
            else [*members[:index], (members[index][0], new), *members[index + 1 :]]
        )
    return members


def value_of_a_document(members, chance):
    """A value of a JSON document becomes another, is gone, or is there twice."""
    index = _pick(members, chance, _is_json)
    if index is None:
        return members
    try:
        value = json.loads(members[index][1])
    except (ValueError, RecursionError):
        return members
    for _ in range(chance.randint(1, 3)):
        value = _edited(value, chance)
    text = json.dumps(value, separators=(",", ":"))
    if chance.random() < 0.05:
        text = "[" * 100_000 + text
    return replaced(members, index, text.encode("utf-8", "surrogatepass"))


def _places(value, found, above=None, key=None):
    if above is not None:
        found.append((above, key))
    for name in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        _places(value[name], found, value, name)
    return found


def _edited(value, chance):
    places = _places(value, [])
    if not places or chance.random() < 0.02:
        return copy.deepcopy(chance.choice(ODD))
    above, key = chance.choice(places)
    match chance.randrange(6):
        case 0 | 1:
            above[key] = copy.deepcopy(chance.choice(ODD))
        case 2:
            del above[key]
        case 3:
            other, name = chance.choice(places)
            above[key] = copy.deepcopy(other[name]) if other is not above[key] else None
        case 4:
            if isinstance(above, list):
                above[key:key] = [copy.deepcopy(above[key])] * chance.choice([1, 2, 300])
            else:
                above[chance.choice(EVIL)] = copy.deepcopy(above[key])
        case 5:
            if isinstance(above[key], str):
                above[key] = (
                    chance.choice(EVIL)
                    if chance.random() < 0.5
                    else above[key][: chance.randrange(len(above[key]) + 1)] + chance.choice(EVIL)
                )
            else:
                above[key] = copy.deepcopy(chance.choice(ODD))
    return value


def member(members, chance):
    """A member is gone, doubled, renamed, swapped, linked, or of another type."""
    index = chance.randrange(len(members))
    info, data = copy.copy(members[index][0]), members[index][1]
    other = chance.randrange(len(members))
    match chance.randrange(8):
        case 0:
            del members[index]
            return members
        case 1:
            members.insert(other, (info, harmed(data, chance) if data and chance.random() < 0.5 else data))
            return members
        case 2:
            info.name = chance.choice(EVIL) if chance.random() < 0.5 else f"{info.name}/{chance.choice(EVIL)}"
        case 3:
            members[index], members[other] = (info, members[other][1]), (members[other][0], data)
            return members
        case 4:
            info.type, data = chance.choice(list(TYPES.values())), data if chance.random() < 0.5 else None
            info.linkname = chance.choice([*EVIL, members[other][0].name, info.name, "../" * 20 + "etc/passwd", "/etc"])
        case 5:
            info.name = members[other][0].name
        case 6:
            info.type, info.linkname, data = (
                chance.choice([b"1", b"2"]),
                chance.choice([members[other][0].name, info.name, "/", "..", "."]),
                None,
            )
        case 7:
            info.uid, info.mode, info.mtime = (
                chance.choice([0, 2**21, 2**40]),
                chance.choice([0, 0o7777, 0o170000]),
                chance.choice([-1, 0, 2**40]),
            )
    members[index] = (info, data)
    return members


def mark(members, chance):
    """A member gets an overlay mark, or is a whiteout."""
    index = _pick(
        members,
        chance,
        lambda info, data: "/diff/" in info.name or "/fs/" in info.name or info.name.endswith(("/diff", "/fs")),
    )
    if index is not None:
        info, data = copy.copy(members[index][0]), members[index][1]
        space = chance.choice(["trusted.overlay.", "trusted.overlay.", "user.overlay."])
        value = chance.choice(VALUES).decode("utf-8", "surrogateescape")
        info.pax_headers = info.pax_headers | {f"SCHILY.xattr.{space}{chance.choice(MARKS)}": value}
        if chance.random() < 0.3:
            info.type, info.devmajor, info.devminor, data = tarfile.CHRTYPE, 0, 0, None
        members[index] = (info, data)
    return members


def recipe(members, chance):
    """A line of a tar-split recipe is edited, gone, doubled or moved."""
    index = _pick(members, chance, lambda info, data: data and "tar-split" in info.name)
    if index is None:
        return members
    lines = [
        line
        for line in unzipped(members[index][1]).splitlines(keepends=True)
        if line[:1] == b"{" and line[-2:] == b"}\n"
    ]
    at = chance.randrange(len(lines)) if lines else 0
    match chance.randrange(5):
        case 0:
            del lines[at : at + 1]
        case 1:
            lines[at:at] = lines[at : at + 1] * chance.choice([1, 2, 1000])
        case 2:
            chance.shuffle(lines)
        case _:
            line = _loaded(lines[at]) if lines else {}
            key = chance.choice(["type", "name", "size", "payload", "position", "name_raw"])
            line[key] = chance.choice([*ODD, *EVIL, base64.b64encode(harmed(b"payload" * 99, chance)).decode()])
            lines[at : at + 1] = [json.dumps(line).encode() + b"\n"]
    if chance.random() < 0.5:
        lines = [json.dumps(_loaded(line) | {"position": number}).encode() + b"\n" for number, line in enumerate(lines)]
    data = gzip.compress(b"".join(lines), 1)
    members[index] = (members[index][0], data if chance.random() < 0.9 else data[: len(data) // 2])
    return members


def _loaded(line):
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = {}
    return value if isinstance(value, dict) else {}


def layer(members, chance):
    """A member of a layer's tar is harmed, and the layer packed again under its new digests."""
    index = _pick(
        members, chance, lambda info, data: bool(data) and len(data) < 2_000_000 and _layer_bytes(data) is not None
    )
    if index is None:
        return members
    data = members[index][1]
    plain = _layer_bytes(data)
    try:
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            inner = [(info, _content(tar, info)) for info in tar]
    except (tarfile.TarError, ValueError):
        return members
    if not inner:
        return members
    for _ in range(chance.randint(1, 3)):
        inner = chance.choice([member, _whiteouts])(inner, chance) if inner else inner
    new = packed(
        inner,
        (chance.randrange(len(inner) + 1), chance.choice([0, 1, 511, 2**33, 2**41])) if chance.random() < 0.1 else None,
    )
    if chance.random() < 0.2:
        new = harmed(new, chance)
    members = renamed(members, plain, new)
    return replaced(members, index, gzip.compress(new, 1) if data.startswith(GZIP) else new)


def _layer_bytes(data):
    """The plain tar of a layer; None if this is none."""
    plain = unzipped(data)
    return plain if plain[257:262] == b"ustar" else None


def _whiteouts(inner, chance):
    info = tarfile.TarInfo(chance.choice(inner)[0].name.rstrip("/"))
    above, _, name = info.name.rpartition("/")
    info.name = f"{above}/" * bool(above) + chance.choice(
        [f".wh.{name}", ".wh..wh..opq", ".wh..wh.plnk", ".wh.", ".wh...", f".wh..wh.{name}"]
    )
    inner.insert(chance.randrange(len(inner) + 1), (info, b""))
    return inner


def database(members, chance):
    """A bolt database."""
    index = _pick(members, chance, lambda info, data: bool(data) and info.name.endswith(".db"))
    if index is not None:
        members[index] = (members[index][0], harmed_database(members[index][1], chance))
    return members


def harmed_database(data, chance):
    """A bolt file with harm where its structure is: pages, elements, metas with right checksums."""
    data = bytearray(data)
    size = 4096 if len(data) >= 4096 else 512
    pages = max(1, len(data) // size)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(pages) * size
        number = chance.choice([0, 1, 2, 3, pages - 1, pages, 2**16 - 1, 2**31, 2**32 - 1, chance.randrange(pages)])
        match chance.randrange(7):
            case 0:
                struct.pack_into("<H", data, start + 8, chance.choice([1, 2, 4, 16, 0, 3, 0xFFFF]))
            case 1:
                struct.pack_into("<H", data, start + 10, number & 0xFFFF)
            case 2:
                struct.pack_into("<I", data, start + 12, number & 0xFFFFFFFF)
            case 3:
                # A field of an element: flags, position, sizes, or the page of a child.
                at = start + 16 + 16 * chance.randrange(8) + 4 * chance.randrange(4)
                if at + 4 <= len(data):
                    struct.pack_into("<I", data, at, number & 0xFFFFFFFF)
            case 4:
                other = chance.randrange(pages) * size
                data[start : start + size] = data[other : other + size]
            case 5:
                _new_meta(data, chance.choice([0, size]), chance, number)
            case 6:
                data = bytearray(harmed(bytes(data), chance))
                pages = max(1, len(data) // size)
                data += bytes(max(0, size - len(data)))
    return bytes(data)


def _new_meta(data, start, chance, number):
    """A field of a meta page, with a checksum that holds."""
    if len(data) < start + 80:
        return
    at, form = chance.choice([(24, "<I"), (32, "<Q"), (40, "<Q"), (48, "<Q"), (56, "<Q"), (64, "<Q")])
    struct.pack_into(form, data, start + at, number & 0xFFFFFFFF)
    value = 0xCBF29CE484222325
    for byte in data[start + 16 : start + 72]:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    struct.pack_into("<Q", data, start + 72, value)


HARMS = [
    bytes_of_a_document,
    value_of_a_document,
    value_of_a_document,
    member,
    mark,
    recipe,
    layer,
    layer,
    database,
    database,
]


def harmed_archive(members, seed):
    """An archive or a store with one to three kinds of harm in it, and sometimes in its own bytes; the same for the
    same seed.
    """
    chance = random.Random(seed)
    members = list(members)
    for _ in range(chance.randint(1, 3)):
        members = chance.choice(HARMS)(members, chance)
    size = (
        (chance.randrange(len(members) + 1), chance.choice([0, 1, 513, 2**33, 2**45]))
        if chance.random() < 0.03
        else None
    )
    data = packed(members, size)
    if chance.random() < 0.08:
        data = harmed(data, chance)
    return gzip.compress(data, 1) if chance.random() < 0.1 else data
