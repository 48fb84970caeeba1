"""The answers of the commands as tables and sentences, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overlaylab.errors import KINDS
from overlaylab.words import printable

# Kind of name -> what it is, and what it is often mistaken for.
MEANINGS = {
    "config": "the digest of an image's config: the IMAGE ID in Docker's classic store and podman",
    "manifest": "the digest of an image's manifest: what registries and `pull image@sha256:…` know; "
    "not the classic IMAGE ID",
    "index": "the digest of an index: one for all platforms",
    "layer-blob": "the digest of a layer as stored or sent, packed; another packing gives another digest",
    "diff_id": "the digest of a layer's plain tar; it says nothing about what lies below",
    "chain_id": "a layer and everything below it; the name of its entry in Docker's layerdb, not of its folder",
    "cache-id": "a folder in overlay2/; drawn by lot, computed from nothing",
    "snapshot": "the number of a folder in snapshots/; counted up, computed from nothing",
    "layer-id": "a folder in containers-storage's overlay/; it looks like a chain_id and is none",
    "link": "the short name of a folder, in l/",
    "v1-id": "a folder of an old docker save; the digest of nothing that can be checked",
    "container": "a container",
    "mount-id": "the writable folder of a container, in overlay2/",
}


def inspect_text(facts: dict[str, Any]) -> str:
    """The images and containers of a store, and the problems of its documents."""
    rows: list[tuple[str, ...]] = [("IMAGE ID", "NAMES", "PLATFORM", "LAYERS")]
    for image in facts["images"]:
        layers = "absent" if image["diff_ids"] is None else str(len(image["diff_ids"]))
        rows.append((_short(image["id"]), ", ".join(image["names"]) or "(none)", image["platform"], layers))
    parts = [f"{printable(facts['path'])}: {facts['kind']}, {_count(facts['images'], 'image')}", _table(rows)]
    if facts["containers"]:
        rows = [("CONTAINER", "NAME", "IMAGE ID", "LOWER", "UPPER")]
        for item in facts["containers"]:
            lower, upper = str(len(item["lower"])), item["upper"][:12]
            rows.append((item["id"][:12], item["name"], item["image_id"].partition(":")[2][:12], lower, upper))
        parts.append(_table(rows))
    if facts["unowned_directories"]:
        parts.append("owned by no image and no container: " + printable(", ".join(facts["unowned_directories"])))
    return "\n\n".join(part for part in (*parts, problems_text(facts["problems"])) if part)


def report_text(facts: dict[str, Any], images: int | None) -> str:
    """A report in words, on a number of images; `images` is None for a database that stands alone."""
    what = (
        "all pages of this bolt database can be read"
        if images is None
        else f"all that was recomputed for {images} image{'s' * (images != 1)} fits"
    )
    verdict = f"ok: {what}" if facts["ok"] else "not ok"
    skipped = [f"not checked: {printable(item['what'])}: {printable(item['why'])}" for item in facts["not_checked"]]
    return "\n".join(part for part in (problems_text(facts["problems"]), *skipped, verdict) if part)


def problems_text(problems: Sequence[dict[str, str]]) -> str:
    """Each problem: its severity and kind, where it is, what was expected and found."""
    lines = []
    for problem in problems:
        lines.append(f"{problem['severity']}: {KINDS[problem['kind']][1]} [{problem['kind']}]")
        lines.append(f"    at {printable(problem['where'])}")
        if problem["expected"] or problem["found"]:
            expected, found = (printable(problem[key] or "nothing") for key in ("expected", "found"))
            lines.append(f"    expected {expected}, found {found}")
    return "\n".join(lines)


def tree_text(entries: dict[str, Any]) -> str:
    """The merged view, one file a line."""
    rows = [("LAYER", "TYPE", "MODE", "OWNER", "SIZE", "PATH")]
    for path, item in entries.items():
        owner = f"{item['uid']}:{item['gid']}"
        size = str(item.get("size", "")) or ":".join(map(str, item.get("rdev", "")))
        target = f" -> {item['target']}" if "target" in item else ""
        rows.append((str(item["layer"]), item["type"], item["mode"], owner, size, path + target))
    return _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> str:
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]) - 1)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows)


def _count(items: Sequence[Any], word: str) -> str:
    return f"{len(items)} {word}{'s' * (len(items) != 1)}"


def layers_text(facts: list[dict[str, Any]]) -> str:
    """What each layer added, changed and removed, bottom first."""
    rows = [("LAYER", "CHAIN_ID", "DIFF_ID", "ADDED", "CHANGED", "REMOVED", "BYTES", "WASTED", "CREATED BY")]
    for number, item in enumerate(facts):
        counts = (str(item[key]) for key in ("added", "changed", "removed", "bytes", "wasted_bytes"))
        rows.append((str(number), _short(item["chain_id"]), _short(item["diff_id"]), *counts, item["created_by"][:80]))
    wasted = sum(item["wasted_bytes"] for item in facts)
    total = sum(item["bytes"] for item in facts)
    summary = f"{total} bytes in all, of which {wasted} are hidden by higher layers. Layer 0 is the bottom."
    return f"{_table(rows)}\n\n{summary}"


def mount_text(facts: dict[str, Any]) -> str:
    """The directories of a mount, topmost first, and the command."""
    writable = [f"upper  {facts['upperdir']}", f"work   {facts['workdir']}"]
    lines = writable if facts["upperdir"] else ["read-only: every layer is a lower"]
    lines += [f"lower  {path}" for path in facts["lowerdir"]]
    if len(facts["lowerdir"]) == 1 and not facts["upperdir"]:
        lines.append("one layer alone is no overlay: engines bind the directory")
    return "\n".join(map(printable, (*lines, "", facts["command"])))


def owners_text(facts: dict[str, Any]) -> str:
    """The owners of each directory, and what images share."""
    parts = []
    if facts["directories"]:
        rows = [("FOLDER", "MOST LIKELY", "LAYERS", "IMAGES", "CONTAINERS")]
        for item in facts["directories"]:
            owners = (", ".join(map(_short, item[key])) or "-" for key in ("layers", "images", "containers"))
            rows.append((item["directory"][:32], item["guess"], *owners))
        parts.append(_table(rows))
    rows = [("IMAGE ID", "NAMES", "OWN BYTES", "SHARED BYTES", "SHARED WITH")]
    for item in facts["images"]:
        names, shared = ", ".join(item["names"]) or "(none)", _count(item["shared_with"], "image")
        own_bytes, shared_bytes = str(item["own_bytes"]), str(item["shared_bytes"])
        rows.append((_short(item["id"]), names, own_bytes, shared_bytes, shared if item["shared_with"] else "-"))
    return "\n\n".join([*parts, _table(rows)] if facts["images"] else parts) or "nothing here owns it"


def matches_text(facts: dict[str, Any]) -> str:
    """The meanings of a name, each with its matches."""
    if not facts["matches"]:
        return f"{printable(facts['query'])}: no image, layer, folder or container has such a name here"
    lines = []
    for kind in dict.fromkeys(item["kind"] for item in facts["matches"]):
        lines.append(f"{kind}: {MEANINGS[kind]}")
        for item in facts["matches"]:
            if item["kind"] == kind:
                layer = "" if item["position"] is None else f", layer {item['position']} from the bottom"
                image = f"image {_short(item['image'])}{layer}" if item["image"] else "no image"
                lines.append(f"    {printable(item['value'])}  {image}  in {printable(item['path'])}")
    return "\n".join(lines)


def _short(name: str | None) -> str:
    """The first twelve digits, as engines print them."""
    return "-" if name is None else name.rpartition(":")[2][:12]
