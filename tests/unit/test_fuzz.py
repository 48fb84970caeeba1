"""Real inputs with bytes changed, cut, doubled or moved: always an answer or a typed refusal, never a crash or a hang."""

import copy
import gzip
import io
import random
import re
import tarfile

import pytest
import realdata
from builders import DATA

import overlaylab as ol
from overlaylab.detective import names_of
from overlaylab.layers import layer_facts
from overlaylab.owners import owner_facts
from overlaylab.present import inspect_facts

ROUNDS = 40
# Enough for every real input here; a bomb made by chance ends early.
LIMITS = ol.Limits(expanded=64 << 20, free=16 << 20)
INPUTS = [realdata.archive(name) for name in ("crane-tarball", "oci-zstd", "docker26-save", "oci-multi", "podman5-rootless")]
INPUTS += [DATA / "broken-images" / name for name in ("control-docker-archive.tar", "control-oci.tar", "control-dataroot.tar.gz")]


def harmed(data, chance):
    """The bytes with one to four small changes."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        match chance.randrange(6):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + chance.randint(1, 40)] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 40)))
            case 2:
                del data[at:]
            case 3:
                data[at:at] = data[at : at + 512]
            case 4:
                del data[at // 512 * 512 : at // 512 * 512 + 512]
            case 5:
                data[at : at + 8] = chance.choice([b"../../..", b"\xff" * 8, b'":null,"', b"77777777", b"\0" * 8])
        data = data or bytearray(b"\0")
    return bytes(data)


def look_at_all(path):
    """Everything that the command line would do with an input."""
    store = ol.open_store(path, LIMITS)
    inspect_facts(store, "input")
    ol.validate(store, limits=LIMITS)
    for part in store.parts:
        reader = ol.LayerReader(part, LIMITS)
        list(names_of(part))
        owner_facts(part, lambda _, layer: reader.bytes_of(layer))
        for target in (*part.images(), *part.containers()):
            look_at_one(part, target, reader)


def look_at_one(store, target, reader):
    """A damaged image may refuse; the others are looked at all the same."""
    for question in (
        lambda: ol.merged_entries(ol.overlay_of(target, store, reader)[0]),
        lambda: layer_facts(store, target, reader.stack(target)[0], store.marks),
        lambda: store.mount(target).command,
    ):
        try:
            question()
        except ol.OverlayLabError as error:
            assert error.problem.kind in ol.KINDS


@pytest.mark.parametrize("source", INPUTS, ids=lambda path: path.name)
def test_harmed_input_is_answered_or_refused(source, tmp_path):
    original = source.read_bytes()
    packed = source.name.endswith(".gz")
    plain = gzip.decompress(original) if packed else original
    path = tmp_path / "input"
    refused = 0
    for round_ in range(ROUNDS):
        chance = random.Random(f"{source.name} {round_}")
        # Of a packed input the plain bytes are harmed mostly, or nothing but its checksum would ever be tested.
        data = harmed(original, chance) if packed and round_ % 4 == 0 else harmed(plain, chance)
        path.write_bytes(data)
        try:
            look_at_all(path)
        except ol.OverlayLabError as error:
            assert error.problem.kind in ol.KINDS
            refused += 1

    assert 0 < refused < ROUNDS


STORES = ["containerd16-root", "podman5-rootless", "docker20-dataroot"]
DOCUMENTS = re.compile(r".*(\.json|\.db|\.gz|/link|/lower|/parent|/diff|/cache-id|/mount-id|/manifest|/=[^/]*|blobs/sha256/[^/]*|config\.v2\.json)$")


def with_a_harmed_document(members, chance):
    """A store's tar in which one document is harmed inside, so that no checksum of the packing stops the reader."""
    documents = [index for index, (info, data) in enumerate(members) if data and len(data) < 300_000 and DOCUMENTS.match(info.name)]
    chosen = chance.choice(documents)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for index, (info, data) in enumerate(members):
            if index == chosen:
                packed = data.startswith(b"\x1f\x8b")
                data = harmed(gzip.decompress(data) if packed else data, chance)
                data = gzip.compress(data, 1) if packed else data
            info = copy.copy(info)
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


@pytest.mark.parametrize("name", STORES)
def test_store_with_a_harmed_document_is_answered_or_refused(name, tmp_path):
    with tarfile.open(realdata.archive(name)) as tar:
        members = [(info, tar.extractfile(info).read() if info.isreg() else None) for info in tar]
    path, answered = tmp_path / "input", 0
    for round_ in range(ROUNDS):
        path.write_bytes(with_a_harmed_document(members, random.Random(f"{name} {round_}")))
        try:
            look_at_all(path)
            answered += 1
        except ol.OverlayLabError as error:
            assert error.problem.kind in ol.KINDS

    assert answered > ROUNDS // 2
