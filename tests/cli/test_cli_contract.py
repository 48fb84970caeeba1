"""The command line's contract: forms, exit statuses, names; what scripts hold on to."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys

import pytest
from builders import DATA, Layout, config, docker_archive, member, tar, write
from realdata import ARCHIVES, CONTAINERD, NAMES, ROOTS, STORAGES, UNPACKED, archive, expected

from overlaylab.cli.commands import run as run_cli
from overlaylab.errors import KINDS

BROKEN = sorted(path for path in (DATA / "broken-images").iterdir() if path.suffix in (".tar", ".gz", ".db"))
INPUTS = {name: archive(name) for name in NAMES} | {path.name: path for path in BROKEN}
INSPECT = ["path", "kind", "images", "containers", "unowned_directories", "problems"]
IMAGE = ["id", "names", "platform", "config_digest", "manifest_digest", "diff_ids", "chain_ids", "directories"]
CONTAINER = ["id", "name", "image_id", "lower", "upper", "mount"]
VERIFY = ["ok", "problems", "not_checked"]
PROBLEM = ["kind", "severity", "where", "expected", "found"]
ENTRY = {"type", "mode", "uid", "gid", "mtime_ns", "size", "sha256", "nlink", "target", "rdev", "xattrs_hex", "layer"}
KINDS_OF_STORES = [
    "docker-archive",
    "oci-layout",
    "docker-root",
    "docker-containerd-root",
    "containerd-root",
    "containers-storage",
]
DIGEST = re.compile("sha256:[0-9a-f]{64}")


def run(*arguments):
    """Run a command in this process; what it says on both streams must be text of its kind."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run_cli([str(argument) for argument in arguments])
    assert "Traceback" not in err.getvalue()
    return status, out.getvalue(), err.getvalue()


def run_json(*arguments):
    """Run with ``--json``: one ASCII value and nothing else, also if refused."""
    status, out, err = run(*arguments, "--json")
    assert out.isascii() and out.endswith("\n")
    return status, json.loads(out)


def refusal(*arguments):
    """The kind of the one finding that a call is refused with."""
    status, answer = run_json(*arguments)
    assert (status, answer["ok"], answer["not_checked"]) == (2, False, [])
    (problem,) = answer["problems"]
    check_problems([problem])
    return problem["kind"]


def check_problems(problems):
    for problem in problems:
        assert list(problem) == PROBLEM
        assert all(isinstance(value, str) for value in problem.values())
        assert problem["severity"] == KINDS[problem["kind"]][0]


def has_errors(problems):
    return any(problem["severity"] == "error" for problem in problems)


# Forms, on every input there is


@pytest.mark.parametrize("name", INPUTS)
def test_inspect_has_its_form(name):
    status, answer = run_json("inspect", INPUTS[name])
    check_problems(answer["problems"])
    if status == 2:
        assert list(answer) == VERIFY and has_errors(answer["problems"]) and not answer["ok"]
        return
    assert list(answer) == INSPECT
    assert answer["path"] == str(INPUTS[name])
    assert answer["kind"] in KINDS_OF_STORES
    assert status == has_errors(answer["problems"])
    for image in answer["images"]:
        check_image(image, answer["kind"])
    for container in answer["containers"]:
        assert list(container) == CONTAINER
        assert container["mount"].startswith("lowerdir=")
        assert not {*container["lower"], container["upper"]} & {*answer["unowned_directories"]}


def check_image(image, kind):
    in_containerd = kind in ("containerd-root", "docker-containerd-root")
    assert list(image) == IMAGE + ["namespace"] * in_containerd
    assert image["names"] == sorted(set(image["names"]))
    digests = [
        image["id"],
        image["config_digest"],
        image["manifest_digest"],
        *(image["diff_ids"] or []),
        *(image["chain_ids"] or []),
    ]
    assert all(DIGEST.fullmatch(digest) for digest in digests if digest is not None)
    if image["diff_ids"] is None:
        assert image["chain_ids"] is image["directories"] is None
    else:
        assert in_containerd or image["id"] == image["config_digest"]
        assert len(image["diff_ids"]) == len(image["chain_ids"])
        assert (image["directories"] is None) == (kind in ("docker-archive", "oci-layout"))


@pytest.mark.parametrize("name", INPUTS)
def test_verify_has_its_form(name):
    status, answer = run_json("verify", INPUTS[name])
    check_problems(answer["problems"])
    assert list(answer) == VERIFY
    assert answer["ok"] is not has_errors(answer["problems"])
    assert answer["ok"] == (status == 0)
    assert all(list(item) == ["what", "why"] and item["why"] for item in answer["not_checked"])


@pytest.mark.parametrize("name", INPUTS)
def test_tree_has_its_form(name):
    """Of every image and container that inspect lists."""
    _, listed = run_json("inspect", INPUTS[name])
    targets = [(image["id"], image["platform"]) for image in listed.get("images", [])[:6]]
    targets += [(container["id"], None) for container in listed.get("containers", [])]
    for target, platform in targets:
        status, answer = run_json("tree", INPUTS[name], target, *(["--platform", platform] if platform else []))
        if status:
            assert list(answer) == VERIFY and has_errors(answer["problems"])
            check_problems(answer["problems"])
            continue
        assert answer["."]["type"] == "dir"
        for path, entry in answer.items():
            assert {"type", "mode", "uid", "gid", "mtime_ns", "layer"} <= entry.keys() <= ENTRY
            assert not path.startswith(("/", "./")) and ".." not in path.split("/")


@pytest.mark.parametrize("name", INPUTS)
def test_text_says_the_same_and_never_a_traceback(name):
    """Without ``--json``: the same status, something to read, and no control characters in it."""
    for command in ("inspect", "verify"):
        status, out, err = run(command, INPUTS[name])
        assert status == run_json(command, INPUTS[name])[0]
        assert (out if status < 2 else err).strip()
        assert all(char.isprintable() or char == "\n" for char in out + err)


def test_the_same_question_has_the_same_answer():
    for name in NAMES:
        assert run("inspect", archive(name), "--json") == run("inspect", archive(name), "--json")


# Options and arguments

SAVE = archive("docker20-save")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "tree", SAVE, "kit/app:1"],
        ["tree", "--json", SAVE, "kit/app:1"],
        ["tree", SAVE, "--json", "kit/app:1"],
        ["tree", SAVE, "kit/app:1", "--json"],
        ["tree", "--json", "--", SAVE, "kit/app:1"],
        ["tree", SAVE, "kit/app:1", "--platform", "linux/amd64", "--json"],
        ["tree", "--platform=linux/amd64", SAVE, "kit/app:1", "--max-expand", "100000000", "--json"],
    ],
)
def test_options_may_stand_anywhere(arguments):
    status, out, _ = run(*arguments)
    assert status == 0
    assert json.loads(out)["etc/motd"]["type"] == "file"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["inspect"],
        ["verify"],
        ["tree"],
        ["tree", SAVE],
        ["inspect", SAVE, "extra"],
        ["tree", SAVE, "kit/app:1", "extra"],
        ["inspect", SAVE, "--bad"],
        ["inspect", "-x", SAVE],
        ["tree", SAVE, "kit/app:1", "--max-expand", "0"],
        ["inspect", SAVE, "--max-expand", "many"],
        ["tree", SAVE, "kit/app:1", "--platform", "linux"],
        ["tree", SAVE, "kit/app:1", "--platform", ""],
        ["tree", SAVE, "kit/app:1", "--platform", "linux/arm/v7/x"],
        ["inspect", SAVE, "--platform"],
    ],
)
def test_a_wrong_call_is_refused_as_such(arguments):
    assert refusal(*arguments) == "wrong-call"


def test_a_wrong_call_is_told_in_words_how_to_call():
    for arguments in (["tree", SAVE], ["inspect", SAVE, "--bad"]):
        status, out, err = run(*arguments)
        assert (status, out) == (2, "")
        assert f"Usage: overlaylab {arguments[0]} [OPTIONS] PATH" in err


def test_without_arguments_the_help_is_shown():
    status, out, err = run()
    assert status == 2
    assert all(
        f"  {command} " in out + err for command in ("inspect", "verify", "tree", "layers", "mount", "owners", "id")
    )


def test_help_is_no_error():
    for arguments in (["--help"], ["-h"], ["tree", "--help"], ["--version"]):
        assert run(*arguments)[0] == 0


# Places that hold nothing to read


@pytest.mark.parametrize("path", ["absent", "", "absent/deeper", "x" * 300, "file/below", "loop"])
def test_what_is_not_there_is_not_found(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    os.symlink("loop", tmp_path / "loop")
    for command in ("inspect", "verify"):
        assert refusal(command, path) == "not-found"


def test_what_is_something_else_is_no_image(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "empty").write_text("")
    assert [refusal("inspect", tmp_path / name) for name in ("folder", "text", "empty")] == [
        "not-an-image",
        "not-an-image",
        "empty",
    ]


def test_the_content_decides_and_not_the_name(tmp_path):
    for name in ("docker20-dataroot", "docker26-save", "oci-multi"):
        for suffix in ("zip", "json", "tar.zst", ""):
            other = tmp_path / f"{name}.{suffix}"
            other.symlink_to(archive(name))
            status, answer = run_json("inspect", other)
            assert (status, answer["path"]) == (0, str(other))
            assert answer["images"] == run_json("inspect", archive(name))[1]["images"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_path_that_is_not_utf8_is_read_and_told_in_ascii(tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tar")
    with open(path, "wb") as file:
        file.write(SAVE.read_bytes())
    status, answer = run_json("inspect", path)
    assert (status, os.fsencode(answer["path"])) == (0, os.fsencode(path))
    assert "caf\\xe9.tar" in run("inspect", path)[1]


def test_names_that_are_not_utf8_survive():
    for name in ("docker20-save", "docker20-dataroot"):
        entries = run_json("tree", archive(name), "kit/app:1")[1]
        assert os.fsdecode(b"data/latin1-caf\xe9.txt") in entries


# IMAGE


def tree_of(path, *arguments):
    status, answer = run_json("tree", path, *arguments)
    assert status == 0
    return answer


def config_of(name, tag):
    """The config digest of a tag, as recorded."""
    return next(image["id"] for image in expected(name)["images"] if tag in image["repo_tags"])


@pytest.mark.parametrize(
    ("name", "query", "same_as"),
    [
        ("docker20-save", "docker.io/kit/app:1", "kit/app:1"),
        ("docker20-save", "index.docker.io/kit/app:1", "kit/app:1"),
        ("docker20-save", "kit/web", "kit/web:latest"),
        ("docker20-save", "docker.io/kit/web", "kit/web:committed"),
        ("docker20-dataroot", "kit/web", "kit/web:latest"),
        ("docker20-dataroot", "7bbf0405c20c", "kit/app:1"),
        ("docker20-dataroot", "sha256:7bbf0405", "kit/app:1"),
        ("docker20-dataroot", "127.0.0.1:5000/kit/app:1", "kit/app:1"),
        ("podman5-save-docker-archive", "kit/pod:1", "localhost/kit/pod:1"),
        ("podman5-save-oci-archive", "kit/pod:1", "localhost/kit/pod:1"),
        ("docker28-containerd-save", "docker.io/kit/app:1", "kit/app:1"),
        ("docker28-containerd-save", "29497a338339", "kit/app:1"),
        (
            "docker28-containerd-save",
            "sha256:29497a338339a05dfa985d454a9c9745b8a6dfe86accc316797b4e6128ec815e",
            "kit/app:1",
        ),
        (
            "docker28-containerd-save",
            "kit/app@sha256:29497a338339a05dfa985d454a9c9745b8a6dfe86accc316797b4e6128ec815e",
            "kit/app:1",
        ),
        (
            "docker28-containerd-save",
            "docker.io/kit/app:9@sha256:29497a338339a05dfa985d454a9c9745b8a6dfe86accc316797b4e6128ec815e",
            "kit/app:1",
        ),
    ],
)
def test_names_and_prefixes_find_the_same_image(name, query, same_as):
    assert tree_of(archive(name), query) == tree_of(archive(name), same_as)


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("docker20-save", "kit/app"),  # there is no latest
        ("docker20-save", "kit/none:1"),
        ("docker20-save", "app:1"),
        ("docker20-save", "it/app:1"),
        ("docker20-save", "localhost/kit/app:1"),
        ("docker20-save", "docker.io/library/kit/app:1"),
        ("docker20-save", "Kit/App:1"),
        ("docker20-save", "kit/app:1 "),
        ("docker20-save", "kit/app:"),
        ("docker20-save", ""),
        ("docker20-save", "sha256:"),
        ("docker20-save", "sha512:7bbf"),
        ("docker20-save", "7BBF0405C20C"),
        ("docker20-save", "sha256:" + "0" * 64),
        ("docker20-save", "sha256:" + "7bbf0405c20ca6c3dcf5163945ee28b892b90d2110c19651f3d17751d452b62f0"),
        ("docker20-save", "../kit/app:1"),
        (
            "docker28-containerd-save",
            "other/app@sha256:29497a338339a05dfa985d454a9c9745b8a6dfe86accc316797b4e6128ec815e",
        ),
        ("docker28-containerd-save", "app@sha256:29497a338339a05dfa985d454a9c9745b8a6dfe86accc316797b4e6128ec815e"),
        ("docker28-containerd-save", "@sha256:29497a338339a05dfa985d454a9c9745b8a6dfe86accc316797b4e6128ec815e"),
        ("docker20-dataroot", "we"),
        ("docker20-dataroot", "docker.io/kit/none"),
    ],
)
def test_what_fits_nothing_is_refused(name, query):
    for command in ("tree", "verify"):
        assert refusal(command, archive(name), query) == "no-such-image"


def test_a_name_with_a_digest_that_the_root_knows_is_found():
    image = next(
        image
        for image in expected("docker20-dataroot")["images"]
        if image["repo_digests"] and "kit/app:1" in image["repo_tags"]
    )
    path = archive("docker20-dataroot")
    assert tree_of(path, image["repo_digests"][0]) == tree_of(path, "kit/app:1")
    repository, _, digest = image["repo_digests"][0].partition("@")
    assert refusal("tree", path, f"kit/other@{digest}") == "no-such-image"
    assert refusal("tree", path, f"{repository[1:]}@{digest}") == "no-such-image"


@pytest.mark.parametrize("name", ROOTS)
def test_containers_are_found_by_name_and_id(name):
    path = archive(name)
    for container in expected(name)["containers"]:
        views = [
            tree_of(path, query)
            for query in (container["id"], container["id"][:12], container["name"], "/" + container["name"])
        ]
        assert all(view == views[0] for view in views)
        # The upper is the top layer, the init layer lies beneath.
        assert max(entry["layer"] for entry in views[0].values()) == len(container["lower"])
        assert run_json("verify", path, container["name"])[0] == 0


def test_an_ambiguous_prefix_names_the_candidates():
    path = archive("docker20-dataroot")
    ids = [image["id"] for image in run_json("inspect", path)[1]["images"]]
    layers = {image["id"]: tuple(image["diff_ids"]) for image in run_json("inspect", path)[1]["images"]}
    for length in (1, 2):
        for prefix in sorted({digest[7 : 7 + length] for digest in ids}):
            fitting = [digest for digest in ids if digest[7:].startswith(prefix)]
            containers = [
                item["id"] for item in expected("docker20-dataroot")["containers"] if item["id"].startswith(prefix)
            ]
            if len({layers[digest] for digest in fitting}) + len(containers) > 1:
                status, answer = run_json("tree", path, prefix)
                assert (status, answer["problems"][0]["kind"]) == (2, "ambiguous-image")
                assert all(digest in answer["problems"][0]["found"] for digest in fitting)
            else:
                assert run_json("tree", path, prefix)[0] == 0


@pytest.mark.parametrize("name", ["docker28-containerd-save", "oci-multi"])
def test_a_platform_chooses_and_its_absence_never_takes_the_first(name):
    path = archive(name)
    status, answer = run_json("tree", path, "kit/multi:1")
    assert (status, answer["problems"][0]["kind"]) == (2, "ambiguous-image")
    for platform in ("linux/amd64", "linux/arm64", "linux/arm/v7", "linux/riscv64"):
        assert platform in answer["problems"][0]["found"]
        assert "layer" in tree_of(path, "kit/multi:1", "--platform", platform)["."]
    views = {
        json.dumps(tree_of(path, "kit/multi:1", "--platform", platform))
        for platform in ("linux/amd64", "linux/arm64", "linux/arm/v7")
    }
    assert len(views) == 3
    assert tree_of(path, "kit/multi:1", "--platform", "linux/arm") == tree_of(
        path, "kit/multi:1", "--platform", "linux/arm/v7"
    )
    assert tree_of(path, "kit/multi:1", "--platform", "linux/arm64/v8") == tree_of(
        path, "kit/multi:1", "--platform", "linux/arm64"
    )
    for platform in ("linux/arm/v6", "linux/386", "windows/amd64"):
        assert refusal("tree", path, "kit/multi:1", "--platform", platform) == "no-such-image"
    assert run_json("verify", path, "kit/multi:1", "--platform", "linux/arm64")[0] == 0


# The other commands, on every input


LAYERS = ["chain_id", "diff_id", "created_by", "added", "changed", "removed", "bytes", "wasted_bytes"]
MOUNT = ["lowerdir", "upperdir", "workdir", "options", "command"]
OWNED = ["directory", "layers", "images", "containers", "guess"]
SHARING = ["id", "names", "directories", "own_bytes", "shared_bytes", "shared_with"]
GUESSES = {"image layer", "container", "init layer", "build cache", "leftover"}
MATCH = ["kind", "value", "image", "position", "path"]


def targets_of(name):
    """Images (of both ends of the list) and containers, each with what chooses it."""
    listed = run_json("inspect", INPUTS[name])[1]
    for image in {id(item): item for item in [*listed.get("images", [])[:2], *listed.get("images", [])[-2:]]}.values():
        chosen = ["--platform", image["platform"]] if image["platform"] else []
        yield image, [image["id"], *chosen, *(["--namespace", image["namespace"]] if "namespace" in image else [])]
    for container in listed.get("containers", []):
        yield container, [container["id"]]


def refused(answer):
    """Whether an answer has the form of verify, as it must where what is needed is damaged or absent."""
    return isinstance(answer, dict) and list(answer) == VERIFY and has_errors(answer["problems"])


@pytest.mark.parametrize("name", INPUTS)
def test_layers_has_its_form(name):
    for target, query in targets_of(name):
        status, answer = run_json("layers", INPUTS[name], *query)
        if status:
            assert refused(answer)
            continue
        assert all(list(item) == LAYERS for item in answer)
        assert all(0 <= item["wasted_bytes"] <= item["bytes"] for item in answer)
        if "diff_ids" in target:
            assert [item["diff_id"] for item in answer] == target["diff_ids"]
            assert [item["chain_id"] for item in answer] == target["chain_ids"]
        else:
            assert len(answer) == len(target["lower"]) + 1 and answer[-1]["chain_id"] is None


@pytest.mark.parametrize("name", INPUTS)
def test_mount_has_its_form(name):
    for target, query in targets_of(name):
        status, answer = run_json("mount", INPUTS[name], *query, "--root", "/else/where")
        if status:
            assert refused(answer)
            continue
        assert list(answer) == MOUNT
        assert len(answer["lowerdir"]) == len(target.get("lower", target.get("diff_ids")))
        assert (answer["upperdir"] is None) == (answer["workdir"] is None) == ("diff_ids" in target)
        assert all(path.startswith(("/else/where/", "l/")) for path in answer["lowerdir"])


@pytest.mark.parametrize("name", INPUTS)
def test_owners_has_its_form(name):
    status, answer = run_json("owners", INPUTS[name])
    if status:
        assert refused(answer)
        return
    listed = run_json("inspect", INPUTS[name])[1]
    assert all(list(item) == OWNED and item["guess"] in GUESSES for item in answer["directories"])
    assert all(list(item) == SHARING for item in answer["images"])
    assert [item["id"] for item in answer["images"]] == [image["id"] for image in listed["images"]]
    assert [item["directories"] for item in answer["images"]] == [image["directories"] for image in listed["images"]]
    unowned = [item["directory"] for item in answer["directories"] if not item["images"] and not item["containers"]]
    assert unowned == listed["unowned_directories"]
    for item in answer["directories"][:3]:
        one = run_json("owners", INPUTS[name], item["directory"])[1]
        assert one["directories"] == [item]
        assert {image["id"] for image in one["images"]} == set(item["images"])


@pytest.mark.parametrize("name", INPUTS)
def test_id_has_its_form_and_knows_every_digest(name):
    status, answer = run_json("id", "0", INPUTS[name])
    if status:
        assert refused(answer)
        return
    assert list(answer) == ["query", "matches"] and answer["query"] == "0"
    assert all(list(item) == MATCH and item["path"] == str(INPUTS[name]) for item in answer["matches"])
    for target, _ in targets_of(name):
        wanted = [
            ("config", target.get("config_digest")),
            ("manifest", target.get("manifest_digest")),
            ("container", target["id"]),
        ]
        wanted = (
            [*wanted[:2], *(("chain_id", digest) for digest in target["chain_ids"] or [])]
            if "names" in target
            else wanted[2:]
        )
        for kind, value in wanted:
            if value:
                found = run_json("id", value.rpartition(":")[2][:16], INPUTS[name])[1]["matches"]
                assert (kind, value) in [(item["kind"], item["value"]) for item in found]


@pytest.mark.parametrize("name", [*UNPACKED, "oci-multi", "docker20-save"])
def test_text_of_the_other_commands_is_text(name):
    target, query = next(targets_of(name))
    for command in (
        ["layers", INPUTS[name], *query],
        ["mount", INPUTS[name], *query],
        ["owners", INPUTS[name]],
        ["id", target["id"], INPUTS[name]],
    ):
        status, out, err = run(*command)
        assert status == run_json(*command)[0]
        assert (out if status < 2 else err).strip()
        assert all(char.isprintable() or char == "\n" for char in out + err)


def test_an_id_that_is_nowhere_is_an_empty_list():
    assert run_json("id", "0123456789abcdef", SAVE) == (0, {"query": "0123456789abcdef", "matches": []})
    assert refusal("id", "no/name", SAVE) == "wrong-call"
    assert refusal("owners", archive("podman5-storage"), "nowhere") == "not-found"


APP_CHAIN = "sha256:537953f6d416534f8230023cc3090ced239aa5ed9000d586ce551f7b587ac61d"


def test_layers_of_an_image_did_the_same_in_every_store():
    answers = {}
    for name in NAMES:
        for image in run_json("inspect", archive(name))[1]["images"]:
            if image["chain_ids"] and image["chain_ids"][-1] == APP_CHAIN and image["names"]:
                answer = run_json("layers", archive(name), image["names"][0])[1]
                answers[name] = [{key: value for key, value in item.items() if key != "created_by"} for item in answer]

    assert len(answers) == 12
    assert all(answer == answers["docker20-save"] for answer in answers.values())
    assert [item["removed"] for item in answers["docker20-save"]] == [0, 1, 4, 4, 2, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("name", [*CONTAINERD, *STORAGES, *ROOTS])
def test_mount_of_a_container_is_the_line_that_the_kernel_showed(name):
    recorded, lines = expected(name), {}
    for item in recorded.get("containers", []):
        lines[item["id"]] = item.get("proc_mounts_line")
    for namespace in recorded.get("namespaces", {}).values():
        lines |= {item["key"]: item.get("proc_mounts_line") for item in namespace["active"]}
    compared = 0
    for container_id, line in lines.items():
        if line:
            root = recorded["original_root"].removesuffix("/containerd/daemon")
            answer = run_json("mount", archive(name), container_id, "--root", root)[1]
            options = dict(option.partition("=")[::2] for option in line.split()[3].split(","))
            assert answer["lowerdir"] == options["lowerdir"].split(":")
            assert (answer["upperdir"], answer["workdir"]) == (options["upperdir"], options["workdir"])
            assert ("userxattr" in answer["options"].split(",")) == ("userxattr" in options)
            compared += 1

    assert compared


def test_owner_of_a_path_on_the_host_is_found_upwards(tmp_path):
    """By a path through the store that was packed elsewhere, and by a path of this machine with the store around it."""
    path = archive("podman5-storage")
    layer = run_json("inspect", path)[1]["images"][0]["directories"][0]
    (tmp_path / "storage").mkdir()
    subprocess.run(
        ["tar", "-C", tmp_path / "storage", "--exclude=diff/dev/*", "-xzf", path],
        check=False,
        stderr=subprocess.DEVNULL,
    )
    by_path = run_json("owners", path, f"/var/lib/containers/storage/overlay/{layer}/diff/usr")
    by_host = run_json("owners", tmp_path / "storage/overlay" / layer / "diff/etc")

    for status, answer in (by_path, by_host):
        assert status == 0
        assert [item["directory"] for item in answer["directories"]] == [layer]
        assert len(answer["images"]) == 7


def test_a_namespace_chooses():
    path = archive("containerd16-root")
    assert run_json("mount", path, "kit/sibling:1", "--namespace", "default")[0] == 1
    there = run_json("mount", path, "127.0.0.1:5000/kit/sibling:1", "--namespace", "k8s.io")[1]["lowerdir"]
    assert [path.split("/")[-2] for path in there] == ["17", "16", "15"]
    assert refusal("mount", path, "kit/sibling:1", "--namespace", "k8s.io") == "no-such-image"
    assert refusal("tree", path, "kit/app:1", "--namespace", "none") == "no-such-image"


LAYER_A, LAYER_B = tar(member("a", b"a")), tar(member("b", b"b"))


def with_platforms(tmp_path, *present):
    """A layout whose index names two platforms, of which not all are here."""
    layout = Layout()
    entries = []
    for architecture, layer in (("amd64", LAYER_A), ("arm64", LAYER_B)):
        before = set(layout.blobs)
        entries.append(
            layout.image([layer], architecture=architecture)
            | {"platform": {"os": "linux", "architecture": architecture}}
        )
        if architecture not in present:
            layout.blobs = {digest: blob for digest, blob in layout.blobs.items() if digest in before}
    layout.name(layout.index(*entries), "two:1")
    return write(tmp_path, tar(*layout.members()))


def test_platforms_that_are_not_here_do_not_count(tmp_path):
    path = with_platforms(tmp_path, "amd64")
    assert "a" in tree_of(path, "two:1")
    assert run_json("inspect", path)[1]["images"][1]["diff_ids"] is None
    assert refusal("tree", path, "two:1", "--platform", "linux/arm64") == "no-such-image"
    status, report = run_json("verify", path)
    assert (status, report["problems"]) == (0, [])
    assert any("linux/arm64" in item["why"] for item in report["not_checked"])


def test_an_image_none_of_whose_platforms_is_here_is_no_empty_tree(tmp_path):
    path = with_platforms(tmp_path)
    assert refusal("tree", path, "two:1") == "no-such-image"


def test_several_that_are_equal_are_no_choice(tmp_path):
    """Two configs with the same layers, both under one hex prefix or one name, give one tree."""
    layout = Layout()
    for architecture in ("amd64", "arm64"):
        layout.name(layout.image([LAYER_A], architecture=architecture), "same:1")
    assert "a" in tree_of(write(tmp_path, tar(*layout.members())), "same:1")


# What is wrong elsewhere


def test_tree_heeds_only_what_it_needs(tmp_path):
    """One good image beside one whose config is cut short."""
    path = write(
        tmp_path,
        docker_archive(
            ([LAYER_A], {"tags": ["good:1"]}), ([LAYER_B], {"tags": ["bad:1"], "raw": config([LAYER_B])[:-5]})
        ),
    )
    assert run_json("inspect", path)[0] == 1
    assert "a" in tree_of(path, "good:1")
    assert refusal("tree", path, "bad:1") == "no-such-image"


def test_tree_of_what_is_damaged_has_the_form_of_verify():
    path = DATA / "broken-images" / "docker-diffid-mismatch.tar"
    status, answer = run_json("tree", path, "broken/img:1")
    assert (status, list(answer), answer["ok"]) == (1, VERIFY, False)
    assert "diffid-mismatch" in [problem["kind"] for problem in answer["problems"]]


def test_warnings_go_to_standard_error():
    path = DATA / "broken-images" / "layer-absolute.tar"
    status, out, err = run("tree", path, "broken/img:1", "--json")
    assert status == 0 and json.loads(out)
    assert err.startswith("warning: absolute-name")


def test_a_limit_can_be_set(tmp_path):
    assert refusal("verify", archive("docker20-dataroot"), "--max-expand", "100000") == "limit"
    layout = Layout()
    path = write(tmp_path, tar(*layout.name(layout.image([tar(member("zeros", bytes(1 << 20)))]), "one:1").members()))
    assert run_json("verify", path)[0] == 0
    for command in (["verify", path], ["tree", path, "one:1"]):
        status, answer = run_json(*command, "--max-expand", "10000")
        assert (status, "limit" in [problem["kind"] for problem in answer["problems"]]) == (1, True)


def test_text_from_outside_cannot_act_on_a_terminal(tmp_path):
    """A hostile name would clear the screen, or pretend to be a line of ours."""
    evil = "a\x1b[2J\nok: all that was recomputed fits\u202e\udcff"
    path = write(
        tmp_path,
        docker_archive(
            ([tar(member(evil), member("l", kind="symlink", link=evil))], {"tags": [evil], "architecture": evil})
        ),
    )
    for command in (["inspect", path], ["verify", path], ["tree", path, evil], ["tree", path, evil + "x"]):
        _, out, err = run(*command)
        assert all(char.isprintable() or char == "\n" for char in out + err)
        assert "\nok: all that was recomputed fits" not in out + err
        assert run(*command, "--json")[1].isascii()


# As a program


def test_half_a_surrogate_pair_in_a_document_is_printed_as_an_escape(tmp_path):
    """JSON can hold what no encoding takes."""
    raw = rb'{"os": "\ud800", "architecture": "\udcff", "rootfs": {}}'
    manifest = rb'[{"Config": "c.json", "RepoTags": ["\ud83dx:1"], "Layers": []}, {"Config": "\ud800", "Layers": []}]'
    path = write(tmp_path, tar(member("c.json", raw), member("manifest.json", manifest)))

    for command in (["inspect", path], ["verify", path], ["tree", path, "absent"]):
        _, out, err = run(*command)
        assert all(char.isprintable() or char == "\n" for char in out + err)
        assert "Traceback" not in out + err
    assert "\\ud83dx:1" in run("inspect", path)[1]


def program(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "overlaylab", *map(str, arguments)], capture_output=True, check=False, **options
    )


def test_the_program_exits_as_the_contract_says():
    broken = DATA / "broken-images"
    assert program("verify", SAVE).returncode == 0
    assert program("verify", broken / "docker-diffid-mismatch.tar").returncode == 1
    assert program("verify", broken / "docker-empty.tar").returncode == 2
    assert program("bogus").returncode == 2


def test_ascii_is_ascii_whatever_the_locale():
    environment = os.environ | {"PYTHONIOENCODING": "utf-16", "LC_ALL": "C"}
    plain = program("tree", SAVE, "kit/app:1", "--json").stdout
    assert plain.isascii() and b"\\ud83d\\udc33" in plain
    assert json.loads(
        program("tree", SAVE, "kit/app:1", "--json", env=environment).stdout.decode("utf-16")
    ) == json.loads(plain)
    assert program("tree", SAVE, "kit/app:1", env=os.environ | {"PYTHONIOENCODING": "latin-1"}).returncode == 0


def test_a_reader_that_has_seen_enough_changes_nothing():
    """As with ``| head``: no traceback, and the exit status stays what it is."""
    for arguments, status in (
        (["tree", SAVE, "kit/app:1"], 0),
        (["verify", DATA / "broken-images" / "docker-diffid-mismatch.tar"], 1),
        (["tree", SAVE, "none"], 2),
    ):
        reader, writer = os.pipe()
        os.close(reader)
        with open(writer, "wb") as closed:
            command = [sys.executable, "-m", "overlaylab", *map(str, arguments), "--json"]
            done = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, check=False)
        assert (done.returncode, done.stderr) == (status, b"")


@pytest.mark.parametrize("name", ARCHIVES)
def test_verify_of_one_image_is_about_that_image(name):
    for image in run_json("inspect", archive(name))[1]["images"]:
        assert run_json("verify", archive(name), image["id"])[0] == 0


def test_port_of_a_registry_is_no_tag(tmp_path):
    path = write(tmp_path, docker_archive(([tar("f")], {"tags": ["localhost:5000/app:latest"]})))

    assert run_json("tree", path, "localhost:5000/app")[0] == 0
    assert refusal("tree", path, "localhost:5000/app:1") == "no-such-image"


def test_two_manifests_of_one_config_are_one_image_with_both_names(tmp_path):
    layout = Layout()
    layer = tar("f")
    layout.name(layout.image([layer]), "kit/packed:1").name(layout.image([layer], pack=bytes), "kit/plain:1")
    _, answer = run_json("inspect", write(tmp_path, layout.tar()))

    assert [image["names"] for image in answer["images"]] == [["kit/packed:1", "kit/plain:1"]]


def test_letters_that_the_terminal_cannot_show_are_escaped(tmp_path):
    path = write(tmp_path, docker_archive(([tar(member("pi-π"))], {})))
    shown = program("tree", path, "test/image:1", env=os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"})

    assert shown.returncode == 0 and rb"pi-\u03c0" in shown.stdout
