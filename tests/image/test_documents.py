"""JSON documents: what is wrong is named with its place; what is unknown survives."""

import json

import pytest

import overlaylab as ol
from overlaylab.image.document import parse_json

DIFF = "sha256:" + "a" * 64
CONFIG = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [DIFF]}}
MANIFEST = {
    "schemaVersion": 2,
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIFF, "size": 2},
    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": DIFF, "size": 3}],
}


def changed(document, path, value):
    """The document with one value put in place of another."""
    document = json.loads(json.dumps(document))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "raw,kind",
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "bad-json"),
        (b"{'a': 1}", "bad-json"),
        (b'{"a": NaN}', "bad-json"),
        (b'{"a": 1}x', "bad-json"),
        (b"\xff\xfe", "bad-json"),
        (b'\xef\xbb\xbf{"a": 1}', "bad-json"),
        (b'{"a": 1, "a": 2}', "duplicate-json-key"),
        (b'{"x": {"b": 1, "b": 1}}', "duplicate-json-key"),
        (b"[" * 100_000, "bad-json"),
        (b"1" * 100_000, "bad-json"),
    ],
)
def test_what_is_no_document_is_refused(raw, kind):
    with pytest.raises(ol.errors.Finding) as refused:
        parse_json(raw, "config", "bad-config")
    assert refused.value.problem.kind == kind


def test_document_beyond_the_limit_is_refused():
    with pytest.raises(ol.errors.Finding) as refused:
        parse_json(b"[" + b"1," * 100 + b"1]", "config", "bad-config", limit=50)
    assert refused.value.problem.kind == "limit"


@pytest.mark.parametrize(
    "path,value,where,kind",
    [
        (["rootfs"], [], "config.rootfs", "bad-config"),
        (["rootfs"], None, "config.rootfs", "bad-config"),
        (["rootfs", "diff_ids"], {}, "config.rootfs.diff_ids", "bad-config"),
        (["rootfs", "diff_ids", 0], 7, "config.rootfs.diff_ids[0]", "bad-config"),
        (["rootfs", "diff_ids", 0], "sha256:x", "config.rootfs.diff_ids[0]", "bad-digest"),
        (["os"], 3, "config.os", "bad-config"),
        (["history"], {"a": 1}, "config.history", "bad-config"),
        (["history"], ["x"], "config.history[0]", "bad-config"),
        (["history"], [{"empty_layer": "yes"}], "config.history[0].empty_layer", "bad-config"),
        (["config"], "x", "config.config", "bad-config"),
        (["config"], {"Cmd": 5}, "config.config.Cmd", "bad-config"),
        (["config"], {"Labels": ["a"]}, "config.config.Labels", "bad-config"),
    ],
)
def test_wrong_value_of_a_config_is_named_with_its_place(path, value, where, kind):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.parse_config(changed(CONFIG, path, value))
    assert (refused.value.problem.kind, refused.value.problem.where) == (kind, where)


@pytest.mark.parametrize(
    "path,value,where,kind",
    [
        (["config"], None, "manifest.config", "bad-manifest"),
        (["config", "digest"], None, "manifest.config.digest", "bad-manifest"),
        (["layers"], "x", "manifest.layers", "bad-manifest"),
        (["layers", 0, "digest"], "sha256:" + "A" * 64, "manifest.layers[0].digest", "bad-digest"),
        (["layers", 0, "size"], "3", "manifest.layers[0].size", "bad-manifest"),
        (["layers", 0, "size"], True, "manifest.layers[0].size", "bad-manifest"),
        (["layers", 0, "size"], -1, "manifest.layers[0].size", "absurd-size"),
        (["layers", 0, "urls"], "x", "manifest.layers[0].urls", "bad-manifest"),
        (["schemaVersion"], 1, "manifest", "unsupported-schema1"),
    ],
)
def test_wrong_value_of_a_manifest_is_named_with_its_place(path, value, where, kind):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.image.parse_manifest(changed(MANIFEST, path, value))
    assert (refused.value.problem.kind, refused.value.problem.where) == (kind, where)


def test_one_bad_entry_of_an_index_leaves_the_others():
    good = {"mediaType": "x", "digest": "sha256:" + "a" * 64, "size": 1}
    raw = json.dumps({"manifests": [good | {"digest": "md5:" + "0" * 32}, good, good | {"size": "1"}]}).encode()
    problems = []

    assert [str(entry.digest) for entry in ol.image.parse_index(raw, problems=problems).manifests] == [good["digest"]]
    assert [(p.kind, p.where) for p in problems] == [
        ("unsupported-digest-algorithm", "index.manifests[0].digest"),
        ("bad-manifest", "index.manifests[2].size"),
    ]
    with pytest.raises(ol.errors.Finding):
        ol.image.parse_index(raw)


def test_image_id_is_the_digest_of_the_bytes_and_not_of_the_values():
    compact, spaced = json.dumps(CONFIG).encode(), json.dumps(CONFIG, indent=2).encode()

    assert ol.parse_config(compact).image_id == ol.digest_bytes(compact)
    assert ol.parse_config(compact).image_id != ol.parse_config(spaced).image_id
    assert ol.parse_config(compact).diff_ids == ol.parse_config(spaced).diff_ids


def test_platform_with_its_variant():
    config = ol.parse_config(changed(CONFIG, ["variant"], "v7"))

    assert config.platform == "linux/amd64/v7"


@pytest.mark.parametrize("text", ["linux", "linux/", "/amd64", "linux/arm/v7/x", ""])
def test_platform_of_a_wrong_form_is_a_wrong_call(text):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.image.Platform.parse(text)
    assert refused.value.problem.kind == "wrong-call"


def test_platform_without_variant_takes_any_variant():
    assert ol.image.Platform.parse("linux/arm").accepts("linux/arm/v7")
    assert not ol.image.Platform.parse("linux/arm/v6").accepts("linux/arm/v7")
    assert not ol.image.Platform.parse("linux/arm").accepts("linux/arm64")


def test_message_says_what_was_expected_what_was_found_and_where():
    with pytest.raises(ol.errors.Finding, match=r"manifest\.layers\[0\]\.size.*an integer.*a string"):
        ol.image.parse_manifest(changed(MANIFEST, ["layers", 0, "size"], "3"))


@pytest.mark.parametrize("field,read", [("Cmd", "cmd"), ("Entrypoint", "entrypoint")])
def test_command_of_one_word_and_step_of_null_are_read_as_engines_read_them(field, read):
    """Docker's list of words takes a single string too, and a null step of the history is an empty one."""
    document = json.loads(changed(CONFIG, ["config"], {field: "/bin/sh"}))
    config = ol.parse_config(changed(document, ["history"], [None, {"created_by": "b"}]))

    assert getattr(config.execution, read) == ("/bin/sh",)
    assert [(step.created_by, step.empty_layer) for step in config.history] == [("", False), ("b", False)]
