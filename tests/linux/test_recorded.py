"""Every recorded vector at level 3, and that nothing but its content decides."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import vectors
from builders import DATA

FOLDER = DATA / "overlay-vectors"
FILES = sorted(FOLDER.glob("*.json"))
ALL = [pytest.param(group, vector, id=vector["id"]) for group, found in map(vectors.load, FILES) for vector in found]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("group", "vector"), ALL)
def test_the_model_does_what_the_kernel_did(group, vector):
    vectors.check(vector, group)


@pytest.mark.parametrize("level", [1, 2])
def test_lower_levels_compare_less(level):
    assert vectors.replay(FOLDER, level, say=pytest.fail) == (len(ALL), 0)


@pytest.fixture
def renamed(tmp_path):
    """The same vectors with other names in another order, in one file for each group."""
    chance = random.Random(1)
    for path in FILES:
        data = json.loads(path.read_text(encoding="utf-8"))
        chance.shuffle(data["vectors"])
        for vector in data["vectors"]:
            vector["id"], vector["title"] = f"x-{chance.randrange(10**9)}", "a title"
            vector.pop("note", None)
        known = data["group"] in vectors.GROUPS
        data["group"] = data["group"] if known else f"other{chance.randrange(10**9)}"
        (tmp_path / f"{chance.randrange(10**9)}.json").write_text(json.dumps(data), encoding="utf-8")
    return tmp_path


def test_names_and_order_do_not_matter(renamed):
    assert vectors.replay(renamed, say=pytest.fail) == (len(ALL), 0)


def changed(path, change):
    """A vector of the files, changed."""
    name, _, _number = path.partition("-")
    vector = next(v for v in vectors.load(FOLDER / f"{name}.json")[1] if v["id"] == path)
    vector = json.loads(json.dumps(vector))
    change(vector)
    return name, vector


def results(vector, at, value):
    vector["expected"]["results"][at] = value


LIES = {
    "an errno": ("rm-01", lambda v: results(v, 0, {"errno": "EPERM"})),
    "a success": ("rm-01", lambda v: results(v, 1, {})),
    "a value": ("rm-01", lambda v: results(v, 2, {"value": ["a", "b"]})),
    "a whiteout too many": ("rm-02", lambda v: v["expected"]["upper"].append({"path": "a", "type": "whiteout"})),
    "a missing mark": ("cu-02", lambda v: v["expected"]["upper"][0].pop("xattrs")),
    "a link count": ("ln-01", lambda v: v["expected"]["merged"][1].pop("nlink")),
    "an identity": ("ln-01", lambda v: v["expected"].pop("merged_links")),
    "a time": ("cu-02", lambda v: v["expected"]["upper"][1].update(mtime="now")),
    "a mode": ("merge-01", lambda v: v["expected"]["merged"][0].update(mode="0700")),
    "content": ("cu-04", lambda v: v["expected"]["merged"][1].update(content="old")),
    "a mount's errno": ("mount-03", lambda v: v["expected"]["mounts"][0].update(errno="ELOOP")),
    "shown options": ("mount-71", lambda v: v["expected"]["mounts"][0].update(shown_options="rw")),
    "a member": ("oci-23", lambda v: v["expected"]["changeset"].pop()),
    "a layer": ("oci-01", lambda v: v["expected"]["native"][1].pop()),
    "a chain_id": ("chainid-02", lambda v: v["chain_ids"].append("sha256:a")),
}


@pytest.mark.parametrize(("name", "lie"), LIES.values(), ids=LIES)
def test_a_wrong_record_is_noticed(name, lie):
    group, vector = changed(name, lie)

    with pytest.raises(vectors.Difference):
        vectors.check(vector, group)


BROKEN = {
    "no operation": (lambda v: v["ops"].append("unlink"), "ops[3]"),
    "unknown operation": (lambda v: v["ops"][0].update(op="frob"), "ops[0].op"),
    "missing argument": (lambda v: v["ops"][0].pop("path"), "ops[0].path"),
    "wrong type": (lambda v: v["ops"][0].update(path=7), "ops[0].path"),
    "unknown argument": (lambda v: v["ops"][0].update(force=True), "ops[0].force"),
    "bad caller": (lambda v: v["ops"][0].update({"as": {"uid": "root"}}), "ops[0].as.uid"),
    "bad mode": (lambda v: v["ops"].append({"op": "chmod", "path": "a", "mode": "rwx"}), "ops[3].mode"),
    "bad flag": (lambda v: v["ops"].append({"op": "open", "path": "a", "fd": "f", "flags": ["O_ODD"]}), "ops[3].flags"),
    "bad entry": (lambda v: v["lower"][0][0].update(type="door"), "lower[0][0].type"),
    "entry without a parent": (lambda v: v["lower"][0].append({"path": "x/y", "type": "file"}), "lower[0][2].path"),
    "no layers": (lambda v: v.pop("lower"), "lower"),
}


@pytest.mark.parametrize(("change", "where"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_parsed_is_a_typed_error_with_its_position(change, where):
    group, vector = changed("rm-01", change)

    with pytest.raises(vectors.Finding) as found:
        vectors.check(vector, group, where="rm.json.vectors[0]")
    assert f"rm.json.vectors[0].{where}" in found.value.problem.where
    assert vectors.mismatch(vector, group, 3, "rm.json.vectors[0]")


def command(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "tests.support.vectors", str(folder), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_prints_failures_and_ends_with_the_counts(tmp_path):
    vectors_ = [changed("rm-01", lambda v: None)[1], changed("rm-02", lambda v: results(v, 0, {"errno": "EIO"}))[1], 7]
    (tmp_path / "some.json").write_text(
        json.dumps({"schema": 1, "group": "some", "vectors": vectors_}), encoding="utf-8"
    )
    (tmp_path / "torn.json").write_text("{", encoding="utf-8")

    outcome = command(tmp_path)
    assert outcome.returncode == 1
    assert outcome.stdout.splitlines()[-1] == "1 passed, 3 failed"
    assert "rm-02: " in outcome.stdout and "EIO" in outcome.stdout and "torn.json" in outcome.stdout


def test_the_command_succeeds_on_good_vectors(tmp_path):
    (tmp_path / "one.json").write_bytes((FOLDER / "perm.json").read_bytes())

    outcome = command(tmp_path, "--level", "2")
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "8 passed, 0 failed\n", "")
