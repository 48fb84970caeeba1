"""The mount is private, and it goes: on success, on bad input, on a crash, when it takes too long."""

import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from mountproof import MODES_OF_THIS_USER, STACKS, differences

from overlaylab.errors import Finding, KernelUnavailable
from overlaylab.image.samples import page_overlay
from overlaylab.kernel import mount
from overlaylab.kernel import recorded_mounts as record
from overlaylab.kernel.machine import check_machine
from overlaylab.kernel.mount import Request, Stack, mounted_view, mounted_views, native_diff, probe
from overlaylab.kernel.syscalls import ROOT, USER, entry_types
from overlaylab.overlay.mount_options import MountOptions
from overlaylab.tree import Device, Directory, File, make_tree
from overlaylab.words import say

pytestmark = pytest.mark.tier("kernel")

each_mode = pytest.mark.parametrize("mode", MODES_OF_THIS_USER)


def test_the_page_s_mount_line():
    fruits, meat, vegetables = page_overlay().values()
    options = MountOptions(lowerdirs=("Fruits", "Vegetables"), upperdir="Meat", workdir="work")

    view = mounted_view([fruits, vegetables], meat, options=options)

    source, target, kind, shown, *_ = view.mount_line.split(" ")
    assert (source, kind) == ("overlay", "overlay")
    assert target.endswith("/merged")
    assert "lowerdir=Fruits:Vegetables,upperdir=Meat,workdir=work" in shown
    assert view.kernel == os.uname().release
    assert view.left_out == ()


@each_mode
def test_a_trial_tells_that_it_works(mode):
    assert probe(mode).mode == mode


@each_mode
def test_docker_s_own_trial(mode):
    """A kernel that makes redirects by default cannot give a native diff, one that does not can."""
    redirect = Path("/sys/module/overlay/parameters/redirect_dir").read_text(encoding="ascii").strip()

    assert (native_diff(mode) == "") == (redirect == "N" or mode == USER)


def test_a_mount_from_a_process_with_threads():
    """As in a Jupyter kernel: a user namespace could not be made in this process itself."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert probe(USER).mode == USER
    finally:
        done.set()
        thread.join()


@each_mode
def test_while_it_is_mounted_nobody_else_sees_it(mode, nothing_stays):
    """The child stops in the middle; this process then looks at its own mount table and at the folder."""
    code = (
        "import sys, overlaylab.kernel.child as child\n"
        "real = child.read_directory\n"
        "def stop(path, **options):\n"
        "    if path.endswith('merged'):\n"
        "        print('mounted', file=sys.stderr, flush=True); sys.stdin.buffer.read()\n"
        "    return real(path, **options)\n"
        "child.read_directory = stop\n"
        "child.main()\n"
    )
    folder = nothing_stays / "ours"
    folder.mkdir()
    request = pickle.dumps(Request(task="views", mode=mode, directory=str(folder), stacks=(named(STACKS["page"]),)))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=child_env(),
    )
    process.stdin.write(request)
    process.stdin.flush()
    assert process.stderr.readline() == b"mounted\n"

    assert str(folder) not in Path("/proc/self/mountinfo").read_text()
    assert os.listdir(folder) == []
    assert f"{folder}/0/merged" in Path(f"/proc/{process.pid}/mountinfo").read_text()

    answer, _ = process.communicate()
    folder.rmdir()
    assert list(differences(STACKS["page"], pickle.loads(answer).value[0])) == []


@each_mode
def test_without_a_tmpfs_the_temporary_folder_itself_holds_the_layers(mode, nothing_stays):
    """As before Linux 6.6, where tmpfs takes no user.* attributes."""
    if mode == ROOT:
        return
    code = (
        "import overlaylab.kernel.child as child\n"
        "real, seen = child._supports_xattrs, []\n"
        "child._supports_xattrs = lambda *place: seen.append(place) or (len(seen) > 1 and real(*place))\n"
        "child.main()\n"
    )
    folder = nothing_stays / "ours"
    folder.mkdir()
    stacks = {name: named(made) for name, made in STACKS.items()}
    request = Request(task="views", mode=mode, directory=str(folder), stacks=tuple(stacks.values()))

    answer = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(request), capture_output=True, env=child_env(), check=True
    )

    views = pickle.loads(answer.stdout).value
    assert {name: list(differences(made, view)) for (name, made), view in zip(stacks.items(), views, strict=True)} == {
        name: [] for name in stacks
    }
    assert os.listdir(folder) == []
    folder.rmdir()


def named(stack):
    return Stack(lowerdirs=stack.lowerdirs, upperdir=stack.upperdir, options=mount.with_options(stack))


def child_env():
    return {**os.environ, "PYTHONPATH": str(Path(mount.__file__).parents[2])}


@pytest.mark.parametrize(
    ("tree", "kind"),
    [
        pytest.param(make_tree({"big": File(size=10**12)}), "limit", id="no-content"),
        pytest.param(make_tree({"..": "x"}), "path-escape", id="escape"),
        pytest.param(make_tree({"n" * 256: "x"}), "limit", id="long-name"),
    ],
)
def test_bad_input_is_a_finding_from_the_child_too(tree, kind):
    with pytest.raises(Finding) as caught:
        mounted_view([tree, Directory()])
    assert caught.value.problem.kind == kind


def test_a_tree_of_great_depth_is_refused():
    deep = Directory()
    for _ in range(5000):
        deep = Directory(names={"d": deep})

    with pytest.raises(Finding) as caught:
        mounted_view([deep, Directory()])
    assert caught.value.problem.kind == "limit"
    while deep.names:
        deep = deep.names.pop("d")


def test_a_child_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(mount, "PATIENCE", 0.01)

    with pytest.raises(KernelUnavailable, match="longer than"):
        mounted_view([Directory(), Directory()])


def test_a_child_that_crashes_is_told_with_its_last_line(monkeypatch):
    monkeypatch.setattr(mount, "_pickled", lambda request: b"no pickle")

    with pytest.raises(KernelUnavailable, match="UnpicklingError"):
        mounted_view([Directory(), Directory()])


def test_a_python_that_is_gone_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")

    with pytest.raises(KernelUnavailable, match="No such file"):
        mounted_view([Directory(), Directory()])


def test_options_that_the_kernel_refuses_are_told():
    options = MountOptions(lowerdirs=("a", "b"), xino="perhaps")

    with pytest.raises(KernelUnavailable, match="'overlay': Invalid argument"):
        mounted_view([Directory(), Directory()], options=options)


def test_five_hundred_layers_fit():
    lowers = [make_tree({"all": str(number)}) for number in range(500)]

    view = mounted_view(lowers)

    assert view.merged.names["all"].data == b"0"


def test_what_a_user_cannot_have_is_told():
    layer = make_tree({"null": Device(kind="char", rdev=(1, 3)), "a": File.of(b"", uid=5)})

    view = mounted_view([layer, Directory()], mode=USER)

    assert list(view.merged.names) == ["a"]
    assert [sentence.partition(" (")[0] for sentence in view.left_out] == ["owners", "device nodes"]


def test_content_is_kept_up_to_the_number_asked_for():
    layer = make_tree({"a": "1234", "b": "5678"})

    assert [file.data for file in mounted_view([layer, Directory()], keep=4).merged.names.values()] == [b"1234", None]


def test_many_stacks_come_back_in_their_order():
    stacks = [Stack(lowerdirs=(make_tree({str(number): ""}), Directory())) for number in range(30)]

    assert [list(view.merged.names) for view in mounted_views(stacks)] == [[str(number)] for number in range(30)]


# What is written down about it


@each_mode
@pytest.mark.parametrize("name", ["page", "odd layer names"])
def test_the_command_for_a_reader_works_in_a_shell(mode, name, nothing_stays):
    """mount(8) takes the same text, and the shell takes our quotes."""
    stack = named(STACKS[name])
    options = MountOptions(
        # mount(8) reads a double quote as its own.
        lowerdirs=tuple(path for path in stack.options.lowerdirs if '"' not in path and "\udcff" not in path),
        upperdir=stack.options.upperdir,
        workdir=stack.options.workdir,
        userxattr=mode == USER,
    )
    folders = [*options.lowerdirs, options.upperdir, options.workdir]
    script = (
        'mount -t tmpfs tmpfs "$1" && cd "$1" && shift && mkdir -- "$@" merged && echo x > "$1/file" && '
        + options.command("merged")
        + " && ls merged"
    )
    unshare = ["unshare", "--mount"] + (["--user", "--map-root-user"] if mode == USER else [])

    shown = subprocess.run(
        [*unshare, "sh", "-c", script, "sh", str(nothing_stays), *folders], capture_output=True, text=True
    )

    assert (shown.stdout, shown.stderr) == ("file\n", "")


def test_the_recorded_mount_is_what_this_kernel_shows():
    views = mounted_views(list(record.recordable().values()))

    for name, view in zip(record.recordable(), views, strict=True):
        kept, now = record.to_plain(record.recorded(name)), record.to_plain(view)
        assert now["merged"] == kept["merged"]
        assert now["listing"] == kept["listing"]
        assert view.options.text().startswith(record.recorded(name).options.text())
        if (now["kernel"], view.mode) == (kept["kernel"], ROOT):
            assert now == kept


def test_the_check_of_this_machine_agrees():
    facts = {fact.name: fact for fact in check_machine()}

    assert "possible" in (facts["Overlay as root"].value, facts["Overlay in a user namespace"].value)
    assert facts["Storage Driver"].ok in (True, False)


def test_readdir_tells_types(nothing_stays):
    (nothing_stays / "file").touch()
    (nothing_stays / "folder").mkdir()

    assert entry_types(str(nothing_stays)) == {4, 8}
    (nothing_stays / "file").unlink()
    (nothing_stays / "folder").rmdir()
    assert entry_types(str(nothing_stays)) == set()


# Real refusals, made in a namespace of their own


def probed(*before, mode=None):
    """What `probe` says in a process that something was done to first."""
    code = f"from overlaylab.kernel.mount import probe; found = probe({mode!r}); print(found.mode, found.reason)"
    return subprocess.run(
        [*before, sys.executable, "-c", code], capture_output=True, text=True, env=child_env()
    ).stdout.strip()


def test_root_of_a_user_namespace_mounts_in_another_one():
    """There trusted.* attributes are refused, so root's own way would lose the marks."""
    inside = ["unshare", "--user", "--map-root-user"]

    assert probed(*inside, mode=ROOT) == f"None as root: {say('reason.marks')}"
    assert probed(*inside) == USER


def test_user_namespaces_switched_off():
    """The limit belongs to the user namespace in which it is set, so this machine's own stays as it is."""
    switched_off = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"',
        "sh",
    ]

    assert probed(*switched_off, mode=USER) == f"None in a user namespace: {say('reason.max-zero')}"


@each_mode
def test_root_without_its_rights(mode):
    """As in a container: root by number, without CAP_SYS_ADMIN."""
    if mode == ROOT:
        assert (
            probed("setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin", mode=ROOT)
            == f"None as root: {say('reason.lost-root')}"
        )
