"""The contract of `id`: the form of its answer, and every digest that it knows."""

import pytest
from clikit import INPUTS, SAVE, refusal, refused, run_json, targets_of
from realdata import archive

MATCH = ["kind", "value", "image", "position", "path"]


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


def test_an_id_that_is_nowhere_is_an_empty_list():
    assert run_json("id", "0123456789abcdef", SAVE) == (0, {"query": "0123456789abcdef", "matches": []})
    assert refusal("id", "no/name", SAVE) == "wrong-call"
    assert refusal("owners", archive("podman5-storage"), "nowhere") == "not-found"
