"""Digests and chain_ids: exact bytes in, names out."""

import hashlib

import pytest

import overlaylab as ol

HEX = hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("text", [f"sha256:{HEX}", "sha512:" + "0" * 128])
def test_digest_of_a_known_algorithm_is_accepted(text):
    digest = ol.Digest(text)

    assert digest == text
    assert f"{digest.algorithm}:{digest.hex}" == text


@pytest.mark.parametrize(
    "text,kind",
    [
        ("", "bad-digest"),
        (HEX, "bad-digest"),
        ("sha256:", "bad-digest"),
        (f"sha256:{HEX[:-1]}", "bad-digest"),
        (f"sha256:{HEX}0", "bad-digest"),
        (f"sha256:{HEX.upper()}", "bad-digest"),
        (f"sha256:{HEX}\n", "bad-digest"),
        (f" sha256:{HEX}", "bad-digest"),
        (f"sha256:{'g' * 64}", "bad-digest"),
        ("sha256:../../../etc/passwd", "bad-digest"),
        (f"sha512:{HEX}", "bad-digest"),
        (f"SHA256:{HEX}", "bad-digest"),
        (f"md5:{'0' * 32}", "unsupported-digest-algorithm"),
        (f"sha384:{'0' * 96}", "unsupported-digest-algorithm"),
        (None, "bad-digest"),
        (7, "bad-digest"),
    ],
)
def test_anything_else_is_refused_by_its_kind(text, kind):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.Digest(text, "manifest.layers[3].digest")

    assert (refused.value.problem.kind, refused.value.problem.where) == (kind, "manifest.layers[3].digest")


def test_verify_tells_both_digests():
    with pytest.raises(ol.errors.Finding) as refused:
        ol.verify(b"y", ol.Digest.of(b"x"), "blob")

    problem = refused.value.problem
    assert (problem.kind, problem.expected, problem.found) == (
        "digest-mismatch",
        ol.Digest.of(b"x"),
        ol.Digest.of(b"y"),
    )


def test_verify_uses_the_algorithm_of_the_expected_digest():
    ol.verify(b"x", ol.Digest.of(b"x", "sha512"))


def test_base_of_a_chain_is_its_diff_id_and_no_other_is():
    diff_ids = [ol.DiffID.of(b"%d" % i) for i in range(4)]
    chain = ol.chain_ids(diff_ids)

    assert [chain[i] == diff_ids[i] for i in range(4)] == [True, False, False, False]


def test_each_step_of_a_chain_hashes_both_names_with_one_space_and_no_newline():
    base, top = ol.DiffID.of(b"base"), ol.DiffID.of(b"top")
    text = f"sha256:{hashlib.sha256(b'base').hexdigest()} sha256:{hashlib.sha256(b'top').hexdigest()}"

    assert ol.chain_text(ol.ChainID(base), top) == text
    assert ol.chain_ids([base, top])[1] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def test_same_layer_on_another_base_has_another_chain_id():
    a, b, same = (ol.DiffID.of(name) for name in (b"a", b"b", b"same"))

    assert ol.chain_ids([a, same])[1] != ol.chain_ids([b, same])[1]


def test_no_layers_have_no_chain():
    assert ol.chain_ids([]) == ()


def test_hasher_gives_what_one_call_gives():
    hasher = ol.image.Hasher("sha256", "sha512")
    for piece in (b"a", b"", b"bc"):
        hasher.update(piece)

    assert hasher.digest() == ol.Digest.of(b"abc")
    assert hasher.digest("sha512") == ol.Digest.of(b"abc", "sha512")
    assert hasher.size == 3
