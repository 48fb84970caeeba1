"""The contract of `mount`: the form of its answer, and the kernel's own line."""

import pytest
from clikit import INPUTS, refused, run_json, targets_of
from realdata import CONTAINERD, ROOTS, STORAGES, archive, expected

MOUNT = ["lowerdir", "upperdir", "workdir", "options", "command"]


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
