"""Images that our code alone built: every engine takes them, under the ID and with the files that we computed.

No engine had a hand in them: trees and simulated calls become layers, a config and an archive. Then Docker, skopeo and
umoci are asked what they see. And the other way round: what ``docker commit`` of a real container has as its layer is
what our commit of a simulated one has, after the same commands.
"""

import io
import json
import os
import shutil
import tarfile

import pytest
from builders import unpack
from engines.dockerd import Dockerd, ground, unmount_below
from engines.images import COMMANDS, OFF, shell
from engines.second_opinion import but_root, different, kernel_view, listing, overlaylab, tree
from engines.test_archives import (
    check_manifest,
    digest,
    layers_of,
    only_image,
    skopeo,
    umoci,
    without_links,
    without_times,
)

from overlaylab.image.changeset import Link, OpaqueWhiteout, Upsert, Whiteout
from overlaylab.image.changeset_tar import read_changeset
from overlaylab.image.config import ExecutionConfig
from overlaylab.linux.operations import Player, op
from overlaylab.overlay.oci.commits import commit, empty_config
from overlaylab.overlay.oci.import_layer import to_lowerdir
from overlaylab.overlay.overlay import Overlay
from overlaylab.stores.archive_writer import write_docker_archive, write_oci_layout
from overlaylab.tree import Device, Directory, Fifo, File, Symlink, entry, make_tree, walk

pytestmark = pytest.mark.tier("engines")

NAME = "fruit/bowl:1"
NANOSECONDS = 1_700_000_000_123_456_789
CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
CREATED = "2024-01-02T03:04:05.678Z"


def base():
    """The lowest layer: a shell, and everything that a tar makes difficult."""
    shared = File.of(b"shared inode\n", mode=0o4750, uid=1000, gid=1001, mtime_ns=NANOSECONDS)
    capable = File.of(b"#!/bin/sh\n", mode=0o755, xattrs={"security.capability": CAPABILITY})
    odd = b"latin1-caf\xe9".decode("utf-8", "surrogateescape")
    return make_tree(
        {
            "bin": {"busybox": File.of(shell(), mode=0o755), **{name: Symlink(target="busybox") for name in COMMANDS}},
            "etc": {"motd": "welcome\n", "config": "level=base\n"},
            "app": {"main": "main v1\n", "cache": {"old": "old\n", "deep": {"older": "older\n"}}, "lib": {"a": "a\n"}},
            "opt": {"old": {"one": "1\n", "sub": {"two": "2\n"}}},
            "data": {
                "hard1": shared,
                "hard2": shared,
                "sub": {"hard3": shared},
                "capable": capable,
                "capable-too": capable,
                "dir-to-file": {"x": "x\n"},
                "file-to-dir": "i am a file\n",
                "link-to-dir": Symlink(target="/opt"),
                odd: "not utf-8\n",
                "na\u00efve-\u03ba\u65e5\U0001f433": "unicode\n",
                "with space\tand\nline": "blank\n",
                "n" * 200: "long\n",
                "d" * 100: {"e" * 100: {"f" * 100: "a path of 300\n"}},
                "\\,:=\"'": "signs\n",
                "far": Symlink(target="t/" * 150 + "t"),
                "big-ids": File.of(b"big ids\n", uid=3_000_000, gid=4_000_000),
                "fraction": File.of(b"ns\n", mtime_ns=NANOSECONDS),
                "late": File.of(b"late\n", mtime_ns=4_000_000_000 * 10**9),
                "noted": File.of(b"n\n", xattrs={"trusted.note": b"=\n\0\xff"}),
                "pipe": Fifo(mode=0o622),
                "null": Device(kind="char", rdev=(1, 3), mode=0o666),
                "loop": Device(kind="block", rdev=(7, 300), mode=0o660),
                "empty": "",
                "noperm": File.of(b"secret\n", mode=0),
                "sticky": make_tree({}, mode=0o1777),
                "sgid": make_tree({}, mode=0o2775, gid=50),
                "big": File.of(b"0123456789abcdef" * 40_000),
            },
        },
        mtime_ns=NANOSECONDS,
    )


# What each further layer's container did: removed, cleared, replaced by another kind, brought back, parted.
STEPS = [
    (
        "delete and replace",
        [
            op("unlink", path="etc/motd"),
            op("unlink", path="app/cache/old"),
            op("unlink", path="app/cache/deep/older"),
            op("rmdir", path="app/cache/deep"),
            op("rmdir", path="app/cache"),
            op("mkdir", path="app/cache", mode=0o755),
            op("write_file", path="app/cache/fresh", data=b"fresh\n"),
            op("unlink", path="data/dir-to-file/x"),
            op("rmdir", path="data/dir-to-file"),
            op("write_file", path="data/dir-to-file", data=b"file\n"),
            op("unlink", path="data/file-to-dir"),
            op("mkdir", path="data/file-to-dir"),
            op("write_file", path="data/file-to-dir/in", data=b"in\n"),
            op("unlink", path="data/link-to-dir"),
            op("mkdir", path="data/link-to-dir"),
        ],
    ),
    (
        "links and metadata",
        [
            op("append", path="data/hard2", data=b"parted\n"),
            op("write_file", path="data/new", data=b"new\n"),
            op("link", src="data/new", dst="opt/new-too"),
            op("link", src="data/big-ids", dst="opt/linked-up"),
            op("chmod", path="app/main", mode=0o4755),
            op("chown", path="app/lib/a", uid=1000, gid=1000),
            op("rename", src="etc/config", dst="etc/renamed"),
            op("mknod", path="data/zero", mode=0o020666, device=0x105),
            op("setxattr", path="app/lib", name="trusted.note", value=b"dir"),
        ],
    ),
    (
        "delete again and bring back",
        [
            op("unlink", path="opt/new-too"),
            op("write_file", path="etc/motd", data=b"back again\n"),
            op("unlink", path="opt/old/sub/two"),
            op("rmdir", path="opt/old/sub"),
            op("unlink", path="opt/old/one"),
            op("rmdir", path="opt/old"),
        ],
    ),
]


class Built:
    """Our image: its configs and tars, the layers as directories, the merged view."""

    def __init__(self):
        runs = ExecutionConfig(
            cmd=("/bin/sh",),
            env=("PATH=/bin", "SIGNS=<&>\u2028"),
            working_dir="/data",
            labels={"b": "2", "a": "\u65e5<"},
        )
        first = commit(
            empty_config("amd64", execution=runs), base(), created=CREATED, created_by="base && <more>", author="we"
        )
        self.commits, self.lowers = [first], [to_lowerdir(first.changeset, lambda path: None)[0]]
        for title, ops in STEPS:
            player = Player(Overlay.of_layers(self.lowers, upperdir=Directory(mtime_ns=NANOSECONDS)), ops)
            assert [(step.op, step.error) for step in player.steps if step.error] == []
            self.add(player.overlay, title)
        self.config = self.commits[-1].config
        self.layers = [made.layer for made in self.commits]
        self.view = entries(Overlay.of_layers(self.lowers).merged())

    def add(self, overlay, title):
        made = commit(self.commits[-1].config, overlay.upperdir, created=CREATED, created_by=title, overlay=overlay)
        below = Overlay.of_layers(self.lowers)
        self.lowers.append(to_lowerdir(made.changeset, lambda path: below.lookup(path).inode)[0])
        self.commits.append(made)


def entries(root):
    """A tree of ours in the form of `listing`."""
    return {path: entry(inode) for path, inode in walk(root)}


@pytest.fixture(scope="module")
def built():
    return Built()


@pytest.fixture(scope="module")
def places(built, tmp_path_factory):
    """The image as Docker's archive, as a layout's tar, and as a layout's folder."""
    folder = tmp_path_factory.mktemp("ours")
    with (folder / "docker.tar").open("wb") as out:
        write_docker_archive(out, built.config, built.layers, [NAME])
    with (folder / "oci.tar").open("wb") as out:
        write_oci_layout(out, built.config, built.layers, "1")
    (folder / "layout").mkdir()
    with tarfile.open(folder / "oci.tar") as packed:
        unpack(packed, folder / "layout")
    return folder


@pytest.fixture(scope="module")
def daemon(places, tmp_path_factory):
    """A dockerd that has loaded our image and nothing else; what it said about it is in `said`."""
    folder = ground(tmp_path_factory.mktemp("ours-docker"))
    docker = Dockerd(folder)
    try:
        docker.start()
        docker.said = docker.docker("load", "--input", str(places / "docker.tar"))
        yield docker
    finally:
        docker.stop()
        unmount_below(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def told(daemon):
    """What ``docker inspect`` tells of our image."""
    return json.loads(daemon.docker("inspect", NAME))[0]


# Docker


def test_docker_loads_our_image_under_the_id_that_we_computed(daemon, built, told):
    assert daemon.said.split() == ["Loaded", "image:", NAME]
    assert daemon.docker("images", "--no-trunc", "--quiet").split() == [built.config.image_id]
    assert (told["Id"], told["RepoTags"]) == (built.config.image_id, [NAME])
    assert (told["Architecture"], told["Os"], told["Author"], told["Created"]) == ("amd64", "linux", "we", CREATED)
    assert told["RootFS"]["Layers"] == list(built.config.diff_ids)
    assert told["Config"]["Labels"] == {"a": "\u65e5<", "b": "2"}


def test_docker_keeps_our_layers_under_our_chain_ids(daemon, built):
    layerdb = daemon.root / "image/overlay2/layerdb/sha256"
    assert {f"sha256:{name}" for name in os.listdir(layerdb)} == set(built.config.chain_ids)
    for made in built.commits:
        assert (layerdb / made.chain_id.hex / "diff").read_text() == made.diff_id
    assert overlaylab("verify", daemon.root)["problems"] == []


def test_docker_tells_the_history_that_we_wrote(daemon):
    shown = daemon.docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", NAME).splitlines()
    assert shown == [title for title, _ in reversed(STEPS)] + ["base && <more>"]


def test_the_layers_that_docker_unpacked_are_those_that_we_made(daemon, built, told):
    """Whiteouts, opaque marks, links, attributes: each folder of the data root is our simulated layer."""
    for folder, lower in zip(layer_folders(told), reversed(built.lowers), strict=True):
        ours = {path: described(inode) for path, inode in walk(lower)}
        assert different(but_root(ours), but_root(without_details_of_whiteouts(listing(folder)))) == {}


def described(inode):
    """An inode of a layer as the disk shows it: whiteouts without their attributes, marks and all."""
    if isinstance(inode, Device) and inode.rdev == (0, 0):
        return {"type": "whiteout"}
    return entry(inode, "nothing is hidden")


def without_details_of_whiteouts(found):
    """A real whiteout has a mode and a time that nobody sees."""
    return {path: {"type": "whiteout"} if item.get("rdev") == [0, 0] else item for path, item in found.items()}


def layer_folders(answer):
    """The folders of an image's layers, topmost first."""
    data = answer["GraphDriver"]["Data"]
    return [data["UpperDir"], *filter(None, data.get("LowerDir", "").split(":"))]


def test_the_kernel_shows_the_tree_that_we_computed(daemon, built, told, tmp_path):
    with kernel_view(tmp_path / "view", layer_folders(told)) as view:
        assert different(but_root(built.view), but_root(listing(view))) == {}
    assert different(but_root(built.view), but_root(tree(daemon.root, NAME))) == {}


def test_a_container_of_our_image_runs_and_exports_our_tree(daemon, built, tmp_path):
    assert daemon.docker("run", "--rm", *OFF, NAME, "/bin/cat", "/etc/motd", "hard1") == "back again\nshared inode\n"
    daemon.docker("create", *OFF, "--name", "exported", NAME)
    daemon.docker("export", "--output", str(tmp_path / "export.tar"), "exported")
    with (tmp_path / "export.tar").open("rb") as exported:
        changeset = read_changeset(exported)
    found = without_links(entries(to_lowerdir(changeset, lambda path: None)[0]))
    ours = without_links(built.view)
    # Docker puts empty stand-ins for its own files into every container, and exports of attributes only capabilities,
    # of times only seconds.
    added = {path for path in found if path.partition("/")[0] in (".dockerenv", "dev", "proc", "sys")}
    added |= {f"etc/{name}" for name in ("hostname", "hosts", "resolv.conf", "mtab")}
    plain = {path: plainly(item) for path, item in ours.items()}
    assert different(plain, {path: plainly(item) for path, item in found.items() if path not in added}) == {}


def plainly(item):
    attributes = {name: value for name, value in item.get("xattrs_hex", {}).items() if name == "security.capability"}
    return item | {"mtime_ns": None, "xattrs_hex": attributes}


def test_what_docker_saves_again_is_what_we_wrote(daemon, built, places, tmp_path):
    daemon.docker("save", "--output", str(tmp_path / "saved.tar"), NAME)
    ours, again = only_image(places / "docker.tar"), only_image(tmp_path / "saved.tar")
    assert (again["id"], again["names"], layers_of(again)) == (ours["id"], [NAME], layers_of(ours))


def test_our_own_reader_finds_what_we_wrote(built, places):
    for place in ("docker.tar", "oci.tar", "layout"):
        image = only_image(places / place)
        assert (image["id"], image["diff_ids"], image["chain_ids"]) == (
            built.config.image_id,
            list(built.config.diff_ids),
            list(built.config.chain_ids),
        )
        assert different(but_root(built.view), but_root(tree(places / place, image["id"]))) == {}


# skopeo and umoci


@pytest.mark.parametrize("source", ["docker-archive:{}/docker.tar", "oci-archive:{}/oci.tar", "oci:{}/layout:1"])
def test_skopeo_reads_and_copies_our_image(built, places, source, tmp_path):
    source = source.format(places)
    config = skopeo("inspect", "--config", "--raw", source)
    assert (config, digest(config)) == (built.config.raw, built.config.image_id)
    assert json.loads(skopeo("inspect", source))["Layers"] == list(built.config.diff_ids)

    skopeo("copy", source, f"oci:{tmp_path}/copy:t")
    copy = only_image(tmp_path / "copy")
    assert (copy["diff_ids"], copy["chain_ids"]) == (list(built.config.diff_ids), list(built.config.chain_ids))
    check_manifest(tmp_path / "copy", copy)
    assert different(but_root(built.view), but_root(tree(tmp_path / "copy", "t"))) == {}


def test_umoci_unpacks_our_tree(built, places, tmp_path):
    umoci("unpack", "--image", f"{places}/layout:1", tmp_path / "bundle")
    assert different(without_links(built.view), without_links(listing(tmp_path / "bundle/rootfs"))) == {}


def test_umoci_tells_our_history(built, places):
    told = json.loads(umoci("stat", "--json", "--image", f"{places}/layout:1"))["history"]
    assert [step["diff_id"] for step in told] == list(built.config.diff_ids)
    assert [step["created_by"] for step in told] == ["base && <more>", *(title for title, _ in STEPS)]


# A real commit and a simulated one

COMMANDS_AND_CALLS = [
    ("rm /etc/renamed", [op("unlink", path="etc/renamed")]),
    ("rm -r /app/cache", [op("unlink", path="app/cache/fresh"), op("rmdir", path="app/cache")]),
    ("mkdir /app/cache", [op("mkdir", path="app/cache", mode=0o755)]),
    ("echo mine > /app/cache/mine", [op("write_file", path="app/cache/mine", data=b"mine\n")]),
    ("echo more >> /data/hard1", [op("append", path="data/hard1", data=b"more\n")]),
    ("mv /data/sub/hard3 /moved", [op("rename", src="data/sub/hard3", dst="moved")]),
    ("chmod 700 /opt", [op("chmod", path="opt", mode=0o700)]),
    ("chown 12:34 /data/fraction", [op("chown", path="data/fraction", uid=12, gid=34)]),
    ("ln /data/new /data/again", [op("link", src="data/new", dst="data/again")]),
    ("ln -s nowhere /dangling", [op("symlink", target="nowhere", path="dangling")]),
    ("mkfifo /pipe", [op("mknod", path="pipe", mode=0o010644, device=0)]),
    ("mkdir /made /made/inside", [op("mkdir", path="made", mode=0o755), op("mkdir", path="made/inside", mode=0o755)]),
    ("echo 1 > /made/one", [op("write_file", path="made/one", data=b"1\n")]),
    ("ln /made/one /made/inside/one", [op("link", src="made/one", dst="made/inside/one")]),
    ("rm -r /data/file-to-dir", [op("unlink", path="data/file-to-dir/in"), op("rmdir", path="data/file-to-dir")]),
    ("echo file > /data/file-to-dir", [op("write_file", path="data/file-to-dir", data=b"file\n")]),
    ("echo gone > /tmp-file", [op("write_file", path="tmp-file", data=b"gone\n")]),
    ("rm /tmp-file", [op("unlink", path="tmp-file")]),
    ("touch /data/empty", [op("utime", path="data/empty", ns=(5, 5))]),
    ("rm /data/capable", [op("unlink", path="data/capable")]),
    ("chmod 711 /data/capable-too", [op("chmod", path="data/capable-too", mode=0o711)]),
]


# What they come to, by path and kind: the directories on the way, the root, and what only repeats itself included.
CHANGED = (
    [
        (path, "put")
        for path in """
    app app/cache app/cache/mine dangling data data/again data/capable-too data/empty data/file-to-dir data/fraction
    data/hard1 data/new data/sub etc made made/inside made/inside/one made/one moved opt pipe
""".split()
    ]
    + [(path, "whiteout") for path in ("data/capable", "data/sub/hard3", "etc/renamed")]
    + [("app/cache", "opaque")]
)


@pytest.fixture(scope="module")
def committed(daemon, tmp_path_factory):
    """The top layer that Docker made of a container after the commands."""
    script = " && ".join(command for command, _ in COMMANDS_AND_CALLS)
    daemon.docker("run", *OFF, "--name", "writer", NAME, "/bin/sh", "-c", script)
    daemon.docker("commit", "writer", "fruit/committed:1")
    path = tmp_path_factory.mktemp("committed") / "saved.tar"
    daemon.docker("save", "--output", str(path), "fruit/committed:1")
    with tarfile.open(path) as saved:
        entry = json.load(saved.extractfile("manifest.json"))[0]
        member = saved.getmember(entry["Layers"][-1])
        if member.issym():
            member = saved.getmember(os.path.normpath(os.path.join(os.path.dirname(member.name), member.linkname)))
        return read_changeset(io.BytesIO(saved.extractfile(member).read()), keep=1 << 30)


@pytest.fixture(scope="module")
def simulated(built):
    """Our commit of a simulated container after the same commands."""
    ops = [call for _, calls in COMMANDS_AND_CALLS for call in calls]
    player = Player(Overlay.of_layers(built.lowers, upperdir=Directory()), ops)
    assert [(step.op, step.error) for step in player.steps if step.error] == []
    return commit(built.config, player.overlay.upperdir, created=CREATED, overlay=player.overlay)


def changes(changeset):
    """What a layer changes, by path and kind; times and the root's own attributes aside."""
    found = {}
    for change in changeset.changes:
        match change:
            case Upsert(path=path, inode=inode) if path != ".":
                found[path, "put"] = plainly(entry(inode, "nothing is hidden"))
            case Link(path=path):
                found[path, "put"] = "link"
            case Whiteout(path=path):
                found[path, "whiteout"] = "gone"
            case OpaqueWhiteout(path=path):
                found[path, "opaque"] = "cleared"
    return found


def links_resolved(changeset):
    """The changes, with every link as the file that it leads to: which name comes first is the writer's affair."""
    root = to_lowerdir(changeset, lambda path: None)[0]
    found = {key: value for key, value in changes(changeset).items() if value != "link"}
    names = dict(walk(root))
    groups = {}
    for path, kind in changes(changeset):
        if kind == "put":
            groups.setdefault(id(names[path]), []).append(path)
            found[path, kind] = plainly(entry(names[path], "nothing is hidden")) | {"nlink": None}
            found[path, kind].get("xattrs_hex", {}).pop("trusted.overlay.opaque", None)
    return found, sorted(sorted(group) for group in groups.values() if len(group) > 1)


def test_our_commit_changes_what_docker_commit_changes(committed, simulated):
    theirs, ours = links_resolved(committed), links_resolved(simulated.changeset)
    assert different(theirs[0], ours[0]) == {}
    assert theirs[1] == ours[1] == [["data/again", "data/new"], ["made/inside/one", "made/one"]]
    assert (committed.problems, sorted(theirs[0])) == ((), sorted(CHANGED))


def test_an_image_with_our_commit_on_top_is_loaded_and_shows_what_the_container_showed(
    daemon, built, simulated, tmp_path
):
    """The commit's own round trip: our layer on our image, in Docker, is the view of the real container."""
    with (tmp_path / "more.tar").open("wb") as out:
        write_docker_archive(out, simulated.config, [*built.layers, simulated.layer], ["fruit/simulated:1"])
    daemon.docker("load", "--input", str(tmp_path / "more.tar"))
    told = {name: json.loads(daemon.docker("inspect", name))[0] for name in ("fruit/simulated:1", "fruit/committed:1")}
    assert told["fruit/simulated:1"]["Id"] == simulated.image_id
    assert told["fruit/simulated:1"]["RootFS"]["Layers"][-1] == simulated.diff_id
    views = {name: tree(daemon.root, name) for name in told}
    one, other = ({path: plainly(item) for path, item in but_root(views[name]).items()} for name in told)
    assert different(without_times(one), without_times(other)) == {}
