"""IMAGE on the command line: names, IDs, digests, prefixes, platforms and namespaces."""

import json

import pytest
from builders import Layout, docker_archive, member, tar, write
from clikit import refusal, run_json, tree_of
from realdata import ROOTS, archive, expected


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


def test_port_of_a_registry_is_no_tag(tmp_path):
    path = write(tmp_path, docker_archive(([tar("f")], {"tags": ["localhost:5000/app:latest"]})))

    assert run_json("tree", path, "localhost:5000/app")[0] == 0
    assert refusal("tree", path, "localhost:5000/app:1") == "no-such-image"
