"""The text of mount options, the checks before a mount, and the reasons why there is none: no kernel needed."""

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from overlaylab.errors import Finding, KernelUnavailable
from overlaylab.kernel import mount
from overlaylab.kernel import why_not as reasons
from overlaylab.kernel.mount import Availability, Reply, Stack
from overlaylab.kernel.recorded_mounts import recordable, recorded
from overlaylab.kernel.syscalls import ROOT, USER, filesystem_of
from overlaylab.kernel.write_layers import fit, materialise
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.overlay.mount_parameters import PAGE
from overlaylab.overlay.overlay import Overlay
from overlaylab.tree import Device, Directory, File, Socket, Symlink, entry, find, make_tree, walk, whiteout
from overlaylab.words import say


def options(*lowerdirs, **others):
    return MountOptions(lowerdirs=lowerdirs, **others)


# Vectors: how a path is spelled in the options, as the kernel takes it apart again.
@pytest.mark.parametrize(
    ("made", "text"),
    [
        pytest.param(
            options("Fruits", "Vegetables", upperdir="Meat", workdir="work"),
            "lowerdir=Fruits:Vegetables,upperdir=Meat,workdir=work",
            id="the-page",
        ),
        pytest.param(options("a:b", "c"), r"lowerdir=a\:b:c", id="colon"),
        pytest.param(options("a,b", "c"), r"lowerdir=a\,b:c", id="comma"),
        pytest.param(options("a\\b", "c"), r"lowerdir=a\\b:c", id="backslash"),
        pytest.param(options("\\:,"), r"lowerdir=\\\:\,", id="all-three"),
        pytest.param(
            options("a", upperdir="u:p,\\", workdir="w:"),
            r"lowerdir=a,upperdir=u:p\,\\,workdir=w:",
            id="upper-keeps-colon",
        ),
        pytest.param(options("a b", "=#'\""), "lowerdir=a b:=#'\"", id="plain-signs"),
        pytest.param(options("a", "b", userxattr=True, index="off"), "lowerdir=a:b,userxattr,index=off", id="settings"),
        pytest.param(
            options("a", "b", redirect_dir="on", metacopy="off", xino="auto"),
            "lowerdir=a:b,redirect_dir=on,metacopy=off,xino=auto",
            id="settings-in-order",
        ),
    ],
)
def test_option_text(made, text):
    assert made.text() == text
    assert made.data() == text.encode()


def test_a_name_that_is_not_utf8_keeps_its_bytes():
    assert options("\udcff", "b").data() == b"lowerdir=\xff:b"


@pytest.mark.parametrize(
    "made",
    [options(), options(""), options("a", ""), options("a", upperdir="u"), options("a", upperdir="", workdir="w")],
)
def test_an_empty_path_is_a_wrong_call(made):
    with pytest.raises(Finding) as caught:
        made.text()

    assert caught.value.problem.kind == "wrong-call"


def test_the_page_is_counted_in_bytes():
    room = PAGE - 1 - len("lowerdir=a:")

    assert len(options("a", "ü" * (room // 2)).data()) == PAGE - 1 - room % 2
    with pytest.raises(Finding) as caught:
        options("a", "ü" * (room // 2 + 1)).data()
    assert caught.value.problem.kind == "limit"


def test_the_command_of_the_page():
    made = options("Fruits", "Vegetables", upperdir="Meat", workdir="work")

    assert (
        made.command("/mnt/tmp")
        == "mount -t overlay overlay -o lowerdir=Fruits:Vegetables,upperdir=Meat,workdir=work /mnt/tmp"
    )


@pytest.mark.parametrize("name", ["a b", "$(x)", "'", '"', "`", "a\\b", "\n", "*"])
def test_the_command_is_quoted_for_the_shell(name):
    made = options(name, "b")

    assert shlex.split(made.command("/mnt/a b")) == ["mount", "-t", "overlay", "overlay", "-o", made.text(), "/mnt/a b"]


# Before a mount


@pytest.mark.parametrize(
    ("stack", "kind"),
    [
        pytest.param(Stack(lowerdirs=()), "wrong-call", id="nothing"),
        pytest.param(Stack(lowerdirs=(Directory(),)), "wrong-call", id="one-lower"),
        pytest.param(Stack(lowerdirs=(), upperdir=Directory()), "wrong-call", id="only-an-upper"),
        pytest.param(Stack(lowerdirs=(Directory(),) * 501), "limit", id="501-lowers"),
        pytest.param(Stack(lowerdirs=(Directory(),) * 2, options=options("a")), "wrong-call", id="a-name-too-few"),
        pytest.param(Stack(lowerdirs=(Directory(),) * 2, options=options("a", "a")), "wrong-call", id="one-name-twice"),
        pytest.param(
            Stack(lowerdirs=(Directory(),) * 2, options=options("a", "merged")), "wrong-call", id="our-own-name"
        ),
        pytest.param(Stack(lowerdirs=(Directory(),) * 2, options=options("a", "..")), "wrong-call", id="outside"),
        pytest.param(Stack(lowerdirs=(Directory(),) * 2, options=options("a", "b/c")), "wrong-call", id="a-path"),
        pytest.param(
            Stack(lowerdirs=(Directory(),) * 2, options=options("a", "b", upperdir="u", workdir="w")),
            "wrong-call",
            id="no-upper",
        ),
        pytest.param(
            Stack(lowerdirs=(Directory(),) * 2, options=options("a", "b" * 5000)), "limit", id="more-than-a-page"
        ),
    ],
)
def test_a_stack_that_cannot_be_mounted_is_refused_before(stack, kind, monkeypatch):
    monkeypatch.setattr(mount, "_in_child", lambda request: pytest.fail("a child was started"))

    with pytest.raises(Finding) as caught:
        mount.mounted_views([stack])
    assert caught.value.problem.kind == kind


# Why not


def system(monkeypatch, files=None, euid=1000, platform="linux"):
    """A machine whose kernel files say what we want."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(os, "geteuid", lambda: euid, raising=False)
    monkeypatch.setattr(reasons, "_text_of", (files or {}).get)


CLONE, LIMIT = "/proc/sys/kernel/unprivileged_userns_clone", "/proc/sys/user/max_user_namespaces"
APPARMOR, STATUS = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "/proc/self/status"
FILTERED = {STATUS: "CapEff:\t000001ffffffffff\nSeccomp:\t2"}


@pytest.mark.parametrize(
    ("mode", "step", "number", "files", "key"),
    [
        (USER, "unshare", errno.EPERM, {CLONE: "0"}, "clone-off"),
        (USER, "unshare", errno.EPERM, {CLONE: "1", APPARMOR: "1"}, "apparmor"),
        (USER, "id-map", errno.EPERM, {APPARMOR: "1"}, "apparmor"),
        (USER, "tmpfs", errno.EACCES, {APPARMOR: "1"}, "apparmor"),
        (USER, "unshare", errno.ENOSPC, {LIMIT: "0"}, "max-zero"),
        (USER, "unshare", errno.ENOSPC, {LIMIT: "100"}, "max-used"),
        (USER, "unshare", errno.EUSERS, {}, "max-used"),
        (USER, "unshare", errno.EINVAL, {}, "no-userns"),
        (USER, "unshare", errno.EINVAL, {"/proc/self/uid_map": "0 0 1"}, "unknown"),
        (USER, "unshare", errno.EPERM, FILTERED, "seccomp"),
        (USER, "unshare", errno.EPERM, {}, "unknown"),
        (USER, "overlay", errno.EPERM, {}, "old-kernel"),
        (USER, "overlay", errno.ENODEV, {}, "no-overlay"),
        (USER, "overlay", errno.EINVAL, {}, "unknown"),
        (USER, "place", errno.ENOTSUP, {}, "place"),
        (USER, "write", errno.ENOSPC, {}, "no-room"),
        (USER, "write", errno.EIO, {}, "unknown"),
        (USER, "child", 0, {}, "child"),
        (ROOT, "unshare", errno.EPERM, {STATUS: "CapEff:\t00000000a80425fb"}, "lost-root"),
        (ROOT, "unshare", errno.EPERM, FILTERED, "seccomp"),
        (ROOT, "private", errno.EACCES, {STATUS: "CapEff:\t000001ffffffffff\nSeccomp:\t0"}, "unknown"),
        (ROOT, "marks", errno.EPERM, {}, "marks"),
        (ROOT, "overlay", errno.ENODEV, {}, "no-overlay"),
    ],
)
def test_each_refusal_has_its_reason(monkeypatch, mode, step, number, files, key):
    system(monkeypatch, files, euid=0)

    assert reasons._obstacle(mode, step, number) == key
    assert reasons.explain(mode, step, number, "why") == f"{say(f'reason.mode.{mode}')} " + say(
        f"reason.{key}", step=step, detail="why"
    )


def test_someone_who_is_not_root_is_told_so(monkeypatch):
    system(monkeypatch)

    assert reasons.explain(ROOT, "unshare", errno.EPERM) == "you are not root"


@pytest.mark.parametrize(("platform", "name"), [("darwin", "Darwin"), ("win32", "Windows")])
def test_another_system_is_named(monkeypatch, platform, name):
    system(monkeypatch, platform=platform)
    monkeypatch.setattr(mount.platform, "system", lambda: name)

    assert mount.probe() == Availability(None, f"overlayfs is a part of Linux, and this machine runs {name}")
    with pytest.raises(KernelUnavailable, match=name):
        mount.mounted_view([Directory(), Directory()])


def test_root_tries_a_user_namespace_next_and_both_reasons_are_told(monkeypatch):
    system(monkeypatch, {STATUS: "CapEff:\t00000000a80425fb\nSeccomp:\t2"}, euid=0)
    monkeypatch.setattr(mount, "_in_child", lambda request: Reply(step="unshare", errno=errno.EPERM))

    reason = mount.probe().reason

    assert reason == f"as root: {say('reason.lost-root')}; in a user namespace: {say('reason.seccomp')}"


def test_root_falls_back_to_a_user_namespace(monkeypatch):
    system(monkeypatch, euid=0)
    answers = {ROOT: Reply(step="marks", errno=errno.EPERM), USER: Reply(value=USER)}
    monkeypatch.setattr(mount, "_in_child", lambda request: answers[request.mode])

    assert mount.probe() == Availability(USER)


def test_a_user_tries_a_user_namespace_only(monkeypatch):
    system(monkeypatch, euid=1000)
    tried = []
    monkeypatch.setattr(mount, "_in_child", lambda request: tried.append(request.mode) or Reply(value=request.mode))

    assert mount.probe()
    assert tried == [USER]


def test_the_whole_machine_is_not_available_as_a_false_value():
    assert not Availability(None, "why")
    assert Availability(ROOT)


# File systems in /proc/self/mountinfo

TABLE = """\
27 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 27 0:25 / /tmp rw shared:1 - tmpfs tmpfs rw
31 27 0:26 / /tmp/a\\040b rw master:2 propagate_from:1 - xfs /dev/b rw
32 27 0:27 / /var rw - btrfs /dev/c rw
33 32 0:28 / /var rw - overlay overlay rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/home", "ext4"),
        ("/tmp", "tmpfs"),
        ("/tmp/x", "tmpfs"),
        ("/tmpx", "ext4"),
        ("/tmp/a b/c", "xfs"),
        ("/var/lib", "overlay"),
    ],
)
def test_the_file_system_of_a_path(path, kind):
    assert filesystem_of(path, TABLE) == kind


# Layers on disk


def test_a_layer_without_root_keeps_what_a_user_can_have():
    file = File.of(
        b"x", uid=5, nlink=2, xattrs={"trusted.overlay.origin": b"o", "user.a": b"1", "user.overlay.opaque": b"y"}
    )
    tree = make_tree(
        {
            "f": file,
            "d": {"g": file},
            "o": make_tree({}, xattrs={"trusted.overlay.opaque": b"y"}),
            "gone": whiteout(),
            "null": Device(kind="char", rdev=(1, 3)),
            "link": Symlink(target="x", xattrs={"trusted.overlay.origin": b"o"}),
        }
    )

    reduced, left_out = fit(tree)

    assert [path for path, _ in walk(reduced)] == [".", "d", "d/g", "f", "gone", "link", "o"]
    assert find(reduced, "f") is find(reduced, "d/g")
    assert find(reduced, "f").xattrs == {"user.overlay.origin": b"o", "user.a": b"1"}
    assert find(reduced, "o").xattrs == {"user.overlay.opaque": b"y"}
    assert find(reduced, "link").xattrs == {}
    assert [sentence.partition(":")[0] for sentence in left_out] == [
        "owners (1, such as that of d/g)",
        "extended attributes (1, such as on d/g)",
        "overlay marks (1, such as on link)",
        "device nodes (1, such as null)",
    ]
    assert find(tree, "f").xattrs["trusted.overlay.origin"] == b"o", "the layer itself is not changed"


def test_a_layer_that_fits_has_nothing_left_out():
    assert fit(make_tree({"a": "a", "gone": None}))[1] == ()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../../etc/x", "/x", "a\0b"])
def test_a_name_that_leads_outside_is_never_written(tmp_path, name):
    target = tmp_path / "layer"
    target.mkdir()

    with pytest.raises(Finding) as caught:
        materialise(make_tree({"d": {name: "text"}}), str(target))
    assert caught.value.problem.kind == "path-escape"
    assert list(tmp_path.rglob("*")) == [target]


def test_a_file_without_its_content_is_over_the_limit(tmp_path):
    with pytest.raises(Finding) as caught:
        materialise(make_tree({"big": File(size=10**12, sha256="0" * 64)}), str(tmp_path))
    assert (caught.value.problem.kind, caught.value.problem.where) == ("limit", "big")


def test_a_name_that_is_too_long_is_over_the_limit(tmp_path):
    with pytest.raises(Finding) as caught:
        materialise(make_tree({"n" * 256: "x"}), str(tmp_path))
    assert caught.value.problem.kind == "limit"


def test_only_an_empty_directory_is_written_to(tmp_path):
    (tmp_path / "mine").touch()

    with pytest.raises(Finding) as caught:
        materialise(make_tree({"a": "a"}), str(tmp_path))
    assert caught.value.problem.kind == "wrong-call"


def test_a_leftover_folder_is_removed_with_its_locked_directories(tmp_path):
    folder = tmp_path / "overlaylab-x"
    (folder / "work" / "work").mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path)
    (folder / "work" / "work").chmod(0)

    mount._remove(str(folder))

    assert list(tmp_path.iterdir()) == []


# The record


@pytest.mark.parametrize("name", sorted(recordable()))
def test_the_recorded_mount_is_the_simulated_one(name):
    stack, view = recordable()[name], recorded(name)

    merged = Overlay(lowerdirs=stack.lowerdirs, upperdir=stack.upperdir).merged()

    assert view.options == stack.options
    assert view.options.text() in view.mount_line
    assert {path: entry(inode) for path, inode in walk(view.merged)} == {
        path: entry(inode) for path, inode in walk(merged)
    }
    assert view.listing == {".": tuple(sorted(merged.names))}


def test_in_the_recorded_mount_the_leftmost_tomato_wins():
    assert find(recorded("page").merged, "Tomato").data == b"Tomato from Fruits\n"
    assert find(recorded("page-turned").merged, "Tomato").data == b"Tomato from Vegetables\n"


def test_the_recorded_mount_line_names_the_page_s_place():
    assert recorded("page").mount_line.startswith("overlay /mnt/tmp overlay rw,")
    assert recorded("page").line_at("/x").startswith("overlay /x overlay rw,")


def test_sockets_are_known_to_the_layers(tmp_path):
    materialise(make_tree({"s": Socket(mode=0o755)}), str(tmp_path))

    assert (tmp_path / "s").is_socket()


BARE = """
import os, sys
for name in ("fcntl", "pwd", "grp", "ctypes"):
    sys.modules[name] = None
for name in "geteuid getegid mknod mkfifo makedev chown listxattr getxattr setxattr \\
sysconf uname unshare O_NOFOLLOW O_NONBLOCK".split():
    if hasattr(os, name):
        delattr(os, name)
sys.platform = "win32"
from overlaylab.kernel import machine, mount, recorded_mounts
from overlaylab.stores.files.directory import read_directory
print(mount.probe().mode, len(machine.check_machine()), read_directory(sys.argv[1]).names)
"""


def test_where_there_is_nothing_of_unix_all_can_be_imported_and_asked(tmp_path):
    """Windows in miniature: none of what only Unix has is there."""
    (tmp_path / "empty").mkdir()
    env = {**os.environ, "PYTHONPATH": str(Path(mount.__file__).parents[2])}

    told = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path / "empty")], capture_output=True, text=True, env=env
    )

    assert (told.stdout, told.stderr) == ("None 9 {}\n", "")
