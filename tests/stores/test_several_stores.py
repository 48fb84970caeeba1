"""Several stores in one root, one of them damaged: the others are read, and the damaged one is named."""

import io
import json
import tarfile

import pytest
import realdata
from builders import write

from overlaylab.cli.commands import run

PARTS = {"docker": "docker20-dataroot", "containerd": "containerd16-root", "containers/storage": "podman5-storage"}
DOCUMENTS = {
    "docker": "image/overlay2/repositories.json",
    "containerd": "io.containerd.metadata.v1.bolt/meta.db",
    "containers/storage": "overlay-images/images.json",
}
KINDS = {"docker": "docker-root", "containerd": "containerd-root", "containers/storage": "containers-storage"}


def answer(capsys, *arguments):
    status = run([*map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def system(tmp_path, harm):
    """A tar of /var/lib with three engines.

    Args:
        harm: Takes part, name and bytes of a file, and gives its bytes.
    """
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as left:
        for part, name in PARTS.items():
            with tarfile.open(realdata.archive(name)) as packed:
                for item in packed:
                    data = packed.extractfile(item).read() if item.isreg() else None
                    data = harm(part, item.name.removeprefix("./"), data)
                    item.name, item.size = f"{part}/{item.name.removeprefix('./')}", len(data or b"")
                    item.pax_headers = {key: value for key, value in item.pax_headers.items() if "path" not in key}
                    if item.islnk():
                        item.linkname = f"{part}/{item.linkname.removeprefix('./')}"
                    left.addfile(item, io.BytesIO(data or b""))
    return write(tmp_path, made.getvalue())


def test_all_are_read_together(tmp_path, capsys):
    status, facts = answer(capsys, "inspect", system(tmp_path, lambda part, name, data: data))

    assert (status, facts["kind"], facts["problems"]) == (0, "mixed", [])
    assert {image["store"] for image in facts["images"]} == {*KINDS.values()}


@pytest.mark.parametrize("damaged", ["containerd", "containers/storage"])
@pytest.mark.parametrize(
    "harm",
    [lambda data: data[: len(data) // 3], lambda data: b"", lambda data: bytes(len(data))],
    ids=["cut", "empty", "zeros"],
)
def test_damaged_store_is_named_and_the_others_are_read(damaged, harm, tmp_path, capsys):
    document = DOCUMENTS[damaged]
    path = system(tmp_path, lambda part, name, data: harm(data) if (part, name) == (damaged, document) else data)
    status, facts = answer(capsys, "inspect", path)

    assert (status, facts["kind"]) == (1, "mixed")
    assert {image["store"] for image in facts["images"]} >= {kind for part, kind in KINDS.items() if part != damaged}
    assert all(document in problem["where"] for problem in facts["problems"]) and facts["problems"]
    status, report = answer(capsys, "verify", path)
    assert (status, report["problems"]) == (1, facts["problems"])
    for query in ("kit/app:1", "localhost/kit/pod:1"):
        assert answer(capsys, "tree", path, query)[0] in (0, 2)


def test_snapshots_whose_database_is_damaged_leave_the_blobs(tmp_path, capsys):
    """Nobody knows then which folder is which; what was pulled can be looked at all the same."""
    path = system(tmp_path, lambda part, name, data: data[:5000] if name.endswith("/metadata.db") else data)
    status, facts = answer(capsys, "inspect", path)
    images = [image for image in facts["images"] if image["store"] == "containerd-root"]

    assert status == 1 and any("metadata.db" in problem["where"] for problem in facts["problems"])
    assert images and not any(directory for image in images for directory in image["directories"] or ())
    assert answer(capsys, "verify", path, images[0]["config_digest"])[0] in (0, 1)
