"""Operations as data, steps, the player that goes back and forth, and the surface with mounts."""

import errno
import random

import pytest

import overlaylab as ol
from overlaylab.linux.mounts import MS_RDONLY
from overlaylab.linux.operations import Op, Player, op, run, simulate
from overlaylab.linux.proof.compare import COMPARED, NOT_COMPARED, first_difference, layer_listing, mount_listing
from overlaylab.linux.proof.invariants import Guard
from overlaylab.linux.proof.recorded_operations import parse_op
from overlaylab.linux.system import System
from overlaylab.overlay.features import Features
from overlaylab.overlay.mount_parameters import parse_data
from overlaylab.tree import Directory, File, copied

LOWER = {"a": "A", "d": {"x": "X", "y": "Y"}}


def overlay(upper=None, **features):
    return ol.Overlay(
        lowerdirs=[ol.make_tree(LOWER)], upperdir=ol.make_tree(upper or {}), features=Features(**features)
    )


def test_an_operation_prints_as_it_is_written():
    made = op("chmod", path="a", mode=0o600, by=(1000, 50))

    assert repr(made) == "op('chmod', path='a', mode=384, by=(1000, 50))"
    assert eval(repr(made)) == made == Op("chmod", {"path": "a", "mode": 384}, 1000, 50)


@pytest.mark.parametrize("call", ["frob", "_find", "root", "__init__"])
def test_an_operation_must_be_a_call(call):
    with pytest.raises(ol.errors.Finding):
        op(call)


def test_simulate_gives_steps_and_leaves_the_overlay_alone():
    start = overlay({"u": "U"})
    before = layer_listing(start.upperdir)
    steps = simulate(
        start,
        [op("read_file", path="a"), op("unlink", path="a"), op("unlink", path="a"), op("append", path="u", data=b"+")],
    )

    assert [(step.value, step.error) for step in steps] == [(b"A", ""), (None, ""), (None, "ENOENT"), (None, "")]
    assert [str(effect) for effect in steps[1].effects] == ["whiteout made at /a"]
    assert (steps[2].effects, steps[2].changes) == ((), ())
    assert layer_listing(start.upperdir) == before


def test_options_may_be_given_with_the_operations():
    move = [op("rename", src="d", dst="e")]

    assert simulate(overlay(), move)[0].error == "EXDEV"
    assert (
        simulate(
            overlay(), move, ol.overlay.MountOptions(lowerdirs=("l",), upperdir="u", workdir="w", redirect_dir="on")
        )[0].error
        == ""
    )
    assert simulate(overlay(), move, Features(redirect="on"))[0].error == ""


OPERATIONS = [
    op("append", path="d/x", data=b"+"),
    op("open", path="d/y", flags=0, fd="f"),
    op("append", path="d/y", data=b"!"),
    op("mkdir", path="n"),
    op("rename", src="d/x", dst="n/x"),
    op("link", src="n/x", dst="n/z"),
    op("unlink", path="a"),
    op("mkdir", path="a"),
    op("umask", mask=0),
    op("setxattr", path="n", name="user.k", value=b"v"),
    op("remount"),
    op("unlink", path="n/x"),
    op("rotate"),
    op("create", path="q", data=b""),
]


@pytest.mark.parametrize("features", [{}, {"redirect": "on", "metacopy": True}, {"index": True}], ids=str)
def test_a_player_goes_back_and_forth_exactly(features):
    player = Player(overlay(**features))
    pictures = [layer_listing(player.overlay.upperdir)]
    for operation in OPERATIONS:
        player.do(operation)
        pictures.append(layer_listing(player.overlay.upperdir))
    chance = random.Random(3)

    for position in [0, len(OPERATIONS), *(chance.randrange(len(OPERATIONS) + 1) for _ in range(40))]:
        player.go(position)
        Guard(player.overlay).check()
        assert first_difference(pictures[position], layer_listing(player.overlay.upperdir)) == ""


def test_what_a_viewer_looks_at_belongs_to_no_step():
    player = Player(overlay({"d": {}}), [op("unlink", path="a")])
    before = layer_listing(player.overlay.upperdir)
    mount_listing(player.system)
    player.go(0)
    player.go(1)

    assert first_difference(before, layer_listing(player.overlay.upperdir)) == ""


def test_descriptors_go_back_with_the_steps():
    player = Player(
        overlay(),
        [
            op("open", path="a", flags=0, fd="f"),
            op("append", path="a", data=b"+"),
            op("pread", fd="f", count=9, offset=0),
        ],
    )
    player.go(1)
    again = player.do(op("pread", fd="f", count=9, offset=0))
    player.go(0)

    assert (again.value, len(player.steps), player.system.files) == (b"A", 2, {})


def test_a_new_operation_forgets_what_was_taken_back():
    player = Player(overlay(), OPERATIONS[:4])
    player.go(1)
    player.do(op("unlink", path="a"))

    assert [step.op.call for step in player.steps] == ["append", "unlink"]
    with pytest.raises(ol.errors.Finding):
        player.go(3)


def test_a_step_costs_no_copy_of_the_tree():
    big = Directory(names={f"d{i}": Directory(names={f"f{j}": File.of(b"") for j in range(100)}) for i in range(300)})
    player = Player(ol.Overlay(lowerdirs=[big], upperdir=copied(big)))
    step = player.do(op("unlink", path="d7/f7"))

    assert len(step.changes) < 10


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"op": "mkdir", "path": "d"}, op("mkdir", path="d", mode=0o755)),
        ({"op": "write", "fd": "f", "data": "x", "offset": 3}, op("pwrite", fd="f", data=b"x", offset=3)),
        ({"op": "write", "fd": "f", "data": "x"}, op("write", fd="f", data=b"x")),
        (
            {"op": "utimens", "path": "a", "mtime": 5},
            op("utime", path="a", ns=(5 * 10**9, 5 * 10**9), follow_symlinks=False),
        ),
        ({"op": "access", "path": "a", "want": "rx"}, op("access", path="a", mode=5)),
        (
            {"op": "setxattr", "path": "a", "name": "user.k", "value": "0x00ff"},
            op("setxattr", path="a", name="user.k", value=b"\0\xff", flags=0),
        ),
        (
            {"op": "chown", "path": "a", "uid": -1, "gid": 5, "as": {"uid": 7, "gid": 8}},
            op("chown", path="a", uid=-1, gid=5, follow_symlinks=False, by=(7, 8)),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_recorded_operations_are_read(record, expected):
    assert parse_op(record) == expected


def test_the_table_of_what_is_compared_gives_a_reason_for_each():
    assert all(COMPARED.values()) and all(NOT_COMPARED.values())
    assert not set(COMPARED) & set(NOT_COMPARED)


# --- the surface with mounts


def machine():
    names = {"lower": ol.make_tree(LOWER), "upper": Directory(), "work": Directory(), "mnt": Directory()}
    return System(Directory(names=names))


def test_a_foreign_program_finds_a_disk_with_a_mount():
    system = machine()
    status = system.system(
        "mount -t overlay overlay /mnt -olowerdir=/lower,upperdir=/upper,workdir=/work,redirect_dir=on"
    )
    before = system.lstat("/mnt/a")
    fd = system.open("/mnt/a", 1)
    system.write(fd, b"new")
    system.close(fd)
    system.rename("/mnt/d", "/mnt/e")
    system.unlink("/mnt/e/x")

    assert (status, system.lstat("/mnt/a").st_ino, system.lstat("/mnt/a").st_dev) == (0, before.st_ino, before.st_dev)
    assert (system.listdir("/upper"), system.lstat("/upper/d").st_mode, system.lstat("/upper/d").st_rdev) == (
        ["a", "d", "e"],
        0o020000,
        0,
    )
    assert system.lstat("/lower").st_dev != before.st_dev != system.lstat("/mnt/..").st_dev
    assert (system.read_file("/lower/a"), system.system("umount /mnt"), system.listdir("/mnt")) == (b"A", 0, [])


def test_only_mount_and_umount_do_something():
    system = machine()

    assert system.system("echo hello > /a") == system.system("") == system.system("mount -t tmpfs none /mnt") == 0
    assert system.system("umount /mnt") == system.system("mount -t overlay o -o lowerdir=/nothing /mnt") == 32 << 8
    assert system.listdir("/") == ["lower", "mnt", "upper", "work"]


def test_names_do_not_cross_from_one_file_system_to_another():
    system = machine()
    system.mount("mnt", "lowerdir=lower,upperdir=upper,workdir=work")

    for call in (lambda: system.rename("/mnt/a", "/a"), lambda: system.link("/mnt/a", "/a")):
        with pytest.raises(OSError, match="cross-device") as refused:
            call()
        assert refused.value.errno == errno.EXDEV


def test_seteuid_holds_for_later_calls():
    system = machine()
    system.setegid(1000)
    system.seteuid(1000)
    with pytest.raises(PermissionError):
        system.mkdir("/new")
    system.seteuid(0)
    system.mkdir("/new")

    assert system.lstat("/new").st_gid == 1000


def test_times_move_on_and_can_be_set():
    system = machine()
    first = system.lstat("/lower/a").st_mtime
    system.utime("/lower/a")
    second = system.lstat("/lower/a")
    system.utime("/lower/a", (5, 7))

    assert (first < second.st_mtime == second.st_atime, system.lstat("/lower/a").st_mtime_ns) == (True, 7 * 10**9)


def test_a_read_only_mount_still_mends_marks():
    system = machine()
    system.mkdir("/upper/d")
    system.mount("mnt", "lowerdir=lower,upperdir=upper,workdir=work", MS_RDONLY)
    refused = run(system, op("mkdir", path="/mnt/new"))
    system.lstat("/mnt/d/x")

    assert refused.error == "EROFS"
    assert "trusted.overlay.origin" in system.listxattr("/upper/d")


def test_option_text_is_written_and_read_alike():
    options = ol.overlay.MountOptions(
        lowerdirs=("a:b", "c,d", "e\\f"), datadirs=("g:h",), upperdir="u:1", workdir="w,1", metacopy="on"
    )
    parsed = parse_data(options.text())

    assert (tuple(parsed.lowerdirs), tuple(parsed.datadirs), parsed.upperdir, parsed.workdir) == (
        options.lowerdirs,
        options.datadirs,
        "u:1",
        "w,1",
    )
    assert options.features() == Features(redirect="on", metacopy=True)


@pytest.mark.parametrize(
    "text",
    [
        "lowerdir=:a",
        "lowerdir=a:",
        "lowerdir=a:::b",
        "lowerdir=a::b:c",
        "bogus",
        "index=maybe",
        "index",
        "userxattr=1",
        "upperdir=",
    ],
)
def test_bad_option_text_is_einval(text):
    with pytest.raises(OSError, match="Invalid") as refused:
        parse_data(text)
    assert refused.value.errno == errno.EINVAL


def test_a_page_of_options_is_cut_as_mount_does():
    assert parse_data("lowerdir=" + "a" * 5000).lowerdirs == ["a" * (4095 - len("lowerdir="))]
