"""Real inputs with bytes changed, cut, doubled or moved: always an answer or a typed refusal, never a crash or a hang."""

import gzip
import random

import pytest
import realdata
from builders import DATA

import overlaylab as ol
from overlaylab.present import inspect_facts

ROUNDS = 40
# Enough for every real input here; a bomb made by chance ends early.
LIMITS = ol.Limits(expanded=64 << 20, free=16 << 20)
INPUTS = [realdata.archive(name) for name in ("crane-tarball", "oci-zstd", "docker26-save", "oci-multi")]
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
    reader = ol.LayerReader(store, LIMITS)
    for target in (*store.images(), *store.containers()):
        overlay, _ = ol.overlay_of(target, store, reader)
        ol.merged_entries(overlay)


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
