"""The exercises of notebook 09: who notices a change, what another compression changes, wasted bytes, and forgery."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import cache

from overlaylab.course.answers import in_order, letters
from overlaylab.course.exercises import exercise, prediction
from overlaylab.image.changeset_tar import read_changeset
from overlaylab.image.compression import pack
from overlaylab.image.config import parse_config
from overlaylab.image.digest import Digest, chain_ids
from overlaylab.image.document import go_json
from overlaylab.image.media_types import MediaType
from overlaylab.image.samples import layer_tar, tiny_layer
from overlaylab.overlay.oci.commits import LayerTar
from overlaylab.overlay.oci.import_layer import to_lowerdirs
from overlaylab.overlay.whiteouts import TRUSTED
from overlaylab.stores.archive_writer import write_oci_layout
from overlaylab.stores.audit.layer_changes import layer_work
from overlaylab.stores.audit.learner_image import Own
from overlaylab.stores.audit.tampering import Tampering, spots, tamper
from overlaylab.stores.detect import store_in
from overlaylab.stores.files.flipped import Flip
from overlaylab.stores.files.open_place import place_of

prediction("09-wasted", "b", deleters="a", gone="c")
prediction("09-file", "c", id="a", nobody="b", engine="d")
prediction("09-pointer", "b", config="a", all="c", nobody="d")


def names(packing: Callable[[bytes], bytes]) -> dict[str, object]:
    """The five names of an image with one layer, whose blob is compressed in some way."""
    tar = tiny_layer()
    blob, diff_id = packing(tar), LayerTar.of(tar).diff_id
    config = go_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}})
    layers = [{"digest": Digest.of(blob), "size": len(blob)}]
    manifest = go_json({"schemaVersion": 2, "config": {"digest": Digest.of(config)}, "layers": layers})
    digests = (*map(Digest.of, (config, manifest, blob)), diff_id, chain_ids([diff_id]))
    return dict(zip("abcde", digests, strict=True))


def changed() -> str:
    """The letters of the names that differ between two compressions."""
    one, other = names(lambda tar: pack(tar, "gzip")), names(lambda tar: pack(tar, "none"))
    return "".join(letter for letter in one if one[letter] != other[letter])


exercise(
    "09-repack",
    changed,
    read=letters,
    blob_only="c",
    id_too="abc",
    id_not_manifest="ac",
    diff_too="bcd",
    diff_and_chain="bcde",
    all="abcde",
    manifest_only="b",
)


@cache
def layout() -> Own:
    """A small image as an OCI layout in memory."""
    layer = LayerTar.of(tiny_layer())
    raw = go_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]}})
    out = io.BytesIO()
    write_oci_layout(out, parse_config(raw), [layer], "tiny")
    out.seek(0)
    place = place_of(out, "tiny.tar")
    return Own(place, store_in(place), "tiny.tar")


@cache
def flipped() -> Tampering:
    """A bit flipped in the content of the file in its layer."""
    spot = next(spot for spot in spots(layout()) if spot.kind == "layer")
    return tamper(layout(), Flip(spot.path, 2 * 512 + 5))


def noticing() -> str:
    """The letters of what changes or fails in the tampered image."""
    before, after = flipped().before.image, flipped().after
    assert before is not None and after is not None and after.image is not None
    renamed = after.image.id != before.id, after.image.manifest_digest != before.manifest_digest
    failed = "blob" in flipped().noticed, "diff_id" in flipped().noticed
    facts = (*renamed, *failed, after.image.chain_ids != before.chain_ids)
    return "".join(letter for letter, holds in zip("abcde", facts, strict=True) if holds)


exercise(
    "09-flip",
    noticing,
    read=letters,
    id="acd",
    everything="abcde",
    blob_only="c",
    diff_only="d",
    id_alone="a",
    manifest="bcd",
    chain="cde",
)

STACK: tuple[Mapping[str, str], ...] = (
    {"app/": "", "app/data": "d" * 400, "app/log": "l" * 100, "note": "n" * 50},
    {"app/": "", "app/log": "l" * 130},
    {"app/": "", "app/.wh.data": "", "new": "w" * 20},
)


def wasted(deleted: bool = True, replaced: bool = True) -> int:
    """Bytes of files that a layer above hides; the slips forget one kind of hiding."""
    if deleted and replaced:
        layers = to_lowerdirs([read_changeset(layer_tar(tar)) for tar in STACK])
        return sum(work.wasted for work in layer_work(layers, TRUSTED))
    return len(STACK[0]["app/data"]) * deleted + len(STACK[0]["app/log"]) * replaced


def total() -> int:
    """All bytes of all layers."""
    return sum(len(text) for tar in STACK for text in tar.values())


exercise(
    "09-waste",
    wasted,
    nothing=lambda: 0,
    deleted_only=lambda: wasted(replaced=False),
    replaced_only=lambda: wasted(deleted=False),
    grown=lambda: len(STACK[0]["app/data"]) + len(STACK[1]["app/log"]) - len(STACK[0]["app/log"]),
    new_version=lambda: len(STACK[0]["app/data"]) + len(STACK[1]["app/log"]),
    seen=lambda: total() - wasted(),
    total=total,
)


def forged(diff_id_too: bool) -> Own:
    """The small image with other content and repaired digests, that of the diff_id only if `diff_id_too`."""
    old = tiny_layer()
    tar = old.replace(b"Hello", b"Hullo", 1)
    diff_id = LayerTar.of(tar if diff_id_too else old).diff_id
    config = go_json({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}})
    manifest = go_json(
        {
            "schemaVersion": 2,
            "mediaType": MediaType.OCI_MANIFEST,
            "config": _descriptor(MediaType.OCI_CONFIG, config),
            "layers": [_descriptor(MediaType.OCI_LAYER, tar)],
        }
    )
    index = go_json({"schemaVersion": 2, "manifests": [_descriptor(MediaType.OCI_MANIFEST, manifest)]})
    blobs = {f"blobs/sha256/{Digest.of(blob).hex}": blob.decode("ascii") for blob in (config, manifest, tar)}
    files = {"oci-layout": '{"imageLayoutVersion":"1.0.0"}', "index.json": index.decode("ascii"), **blobs}
    place = place_of(layer_tar(files), "forged.tar")
    return Own(place, store_in(place), "forged.tar")


def _descriptor(media_type: str, data: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": Digest.of(data), "size": len(data)}


def who(diff_id_too: bool) -> str:
    """Who notices: ``a`` nobody, ``b`` who recomputes the diff_id, ``c`` only who remembers the old names."""
    own = forged(diff_id_too)
    if not own.report.ok:
        return "b"
    before, after = layout().image, own.image
    assert before is not None and after is not None
    return "a" if after.id == before.id else "c"


exercise(
    "09-liar",
    lambda: who(False) + who(True),
    read=in_order,
    nobody="aa",
    nobody_at_last="ba",
    same="bb",
    memory_at_once="cc",
    turned="cb",
    caught_late="ab",
)
