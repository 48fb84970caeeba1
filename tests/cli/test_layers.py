"""The contract of `layers`: the form of its answer, the same in every store."""

import pytest
from clikit import INPUTS, refused, run_json, targets_of
from realdata import NAMES, archive

LAYERS = ["chain_id", "diff_id", "created_by", "added", "changed", "removed", "bytes", "wasted_bytes"]


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
