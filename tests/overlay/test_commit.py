"""A commit: an upper becomes a layer with a diff_id, a chain_id on all beneath, and a config whose
digest is the image ID.
"""

import hashlib
import json

import pytest
from builders import sha, tar

import overlaylab as ol
from overlaylab.overlay.oci.commits import commit, empty_config
from overlaylab.tree import Directory, File

TIME = "2024-01-02T03:04:05Z"
BASE = tar("etc/", "etc/motd")
UPPER = ol.make_tree({"note": "n\n", "etc": {"motd": None}})


def base(**fields):
    """The config of an image of one layer."""
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [sha(BASE)]},
    }
    return ol.parse_config(json.dumps(document | fields).encode())


def test_names_of_a_commit_are_the_digests_of_its_bytes():
    made = commit(base(history=[{"created_by": "ADD"}]), UPPER, created=TIME, created_by="edit")
    diff_id, chain_id = sha(made.tar), sha(f"{sha(BASE)} {sha(made.tar)}".encode())

    assert (made.diff_id, made.chain_id, made.image_id) == (diff_id, chain_id, sha(made.config.raw))
    assert made.config.diff_ids == (sha(BASE), diff_id) and made.layer.size == len(made.tar)
    assert [(step.created_by, step.empty_layer) for step in made.config.history] == [("ADD", False), ("edit", False)]
    assert ol.member_names(made.tar) == ["etc", "etc/.wh.motd", "note"]


def test_the_same_commit_gives_the_same_image_and_another_time_another_image():
    one, two, later = (commit(base(), UPPER, created=time) for time in (TIME, TIME, "2024-01-02T03:04:06Z"))

    assert (one.config.raw, one.tar) == (two.config.raw, two.tar)
    assert one.image_id != later.image_id and one.chain_id == later.chain_id


def test_what_the_image_says_of_itself_stays_and_what_was_true_of_one_container_goes():
    below = base(
        config={"Cmd": ["sh"], "Env": ["A=1"], "Volumes": {"/v": {}}},
        container="c0",
        container_config={"Cmd": ["x"]},
        author="Ann",
    )
    made = json.loads(commit(below, UPPER, created=TIME).config.raw)

    assert made["config"] == {"Cmd": ["sh"], "Env": ["A=1"], "Volumes": {"/v": {}}} and made["author"] == "Ann"
    assert "container" not in made and "container_config" not in made


def test_layer_below_without_history_is_not_given_the_step_of_the_new_one():
    made = commit(base(), UPPER, created=TIME, created_by="edit")

    assert [step.created_by for step in ol.image.layer_history(made.config)] == ["", "edit"]


def test_first_layer_on_nothing_has_a_chain_id_equal_to_its_diff_id():
    made = commit(empty_config("amd64"), UPPER, created=TIME)

    assert made.chain_id == made.diff_id == "sha256:" + hashlib.sha256(made.tar).hexdigest()


def test_commit_of_nothing_is_still_a_layer():
    made = commit(base(), Directory(), created=TIME)

    assert made.tar == bytes(1024) and len(made.config.diff_ids) == 2


@pytest.mark.parametrize("time", ["", "2024-01-02", "yesterday", "2024-01-02 03:04:05Z", "2024-01-02T03:04:05"])
def test_a_time_that_engines_refuse_is_a_wrong_call(time):
    with pytest.raises(ol.errors.Finding) as refused:
        commit(base(), UPPER, created=time)
    assert refused.value.problem.kind == "wrong-call"


@pytest.mark.parametrize(
    ("upper", "kind", "where"),
    [
        ({".wh.x": ""}, "bad-whiteout", ".wh.x"),
        ({"d": {"f": File(size=3, sha256="0" * 64)}}, "missing-content", "d/f"),
        ({"d": Directory(xattrs={"trusted.overlay.redirect": b"/e"})}, "unsupported-mark", "d"),
    ],
)
def test_what_no_layer_can_hold_is_refused_with_its_path(upper, kind, where):
    with pytest.raises(ol.errors.Finding) as refused:
        commit(base(), ol.make_tree(upper), created=TIME)
    assert (refused.value.problem.kind, refused.value.problem.where) == (kind, where)
