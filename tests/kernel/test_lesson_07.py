"""What notebook 07 runs, run now, as root and without; and the records of all notebooks, made anew and compared with
the stored ones.
"""

import json
import os

import pytest
import record_replays

import overlaylab as ol
from overlaylab.kernel import mount, proof
from overlaylab.kernel import recorded_replays as tried
from overlaylab.kernel.replays import replay, watched
from overlaylab.kernel.watch import fingerprint
from overlaylab.linux.proof.coverage import Coverage
from overlaylab.linux.proof.mutants import BROKEN

pytestmark = pytest.mark.tier("kernel")

AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
MODES = [mount.USER] + ([mount.ROOT] if AS_ROOT else [])
needs_root = pytest.mark.skipif(not AS_ROOT, reason="the records are those of root")


@pytest.fixture(params=MODES)
def mode(request, monkeypatch):
    """The proof in one way of mounting only."""
    monkeypatch.setattr(proof, "watched", lambda cases: watched(cases, request.param))
    monkeypatch.setattr(tried, "replay", lambda overlay, ops, model: replay(overlay, ops, request.param, model))
    clear()
    yield request.param
    clear()


def clear():
    proof._kernel.cache_clear()


def test_model_and_kernel_agree_after_every_operation(mode):
    done = ol.prove()

    assert done.kernel.now and done.kernel.mode == mode
    assert done.partings == ()
    assert done.operations == 1000


def test_numbers_that_nobody_recorded_agree_as_well(mode):
    assert ol.prove(first=1000, experiments=100).partings == ()


def test_each_way_reaches_the_same_places(mode):
    given = ol.prove()

    assert sorted(given.labels.counts.items()) == sorted(recorded_labels().items())


def recorded_labels():
    """What the model reaches where the record speaks."""
    labels = Coverage()
    for number in range(proof.EXPERIMENTS):
        labels.begin()
        one = proof.experiment(number)
        for _ in proof.moments(one.overlay(), one.ops, coverage=labels):
            pass
    return labels.counts


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_noticed_by_the_kernel(mode, name):
    caught = ol.catch(name)

    assert caught.kernel.now and caught.kernel.equal and caught.noticed
    assert not ol.prove(BROKEN[name].model).equal


def test_a_changed_lower_layer_would_be_noticed(tmp_path):
    (tmp_path / "a").write_text("a")
    before = fingerprint(str(tmp_path))
    (tmp_path / "a").chmod(0o600)

    assert fingerprint(str(tmp_path)) != before


def test_no_lower_layer_moves(mode):
    one = proof.experiment(0)
    (done,) = watched([(one.overlay(), one.ops)], mode)

    assert all(moment.lowers for moment in done.moments)


def stored(name):
    return json.loads((record_replays.DATA / name).read_text(encoding="utf-8"))


def without_release(record):
    return {key: value for key, value in record.items() if key != "kernel"}


@needs_root
def test_the_recorded_proof_is_what_this_kernel_does():
    assert without_release(record_replays.proof()) == without_release(stored("proof.json"))


@needs_root
def test_the_recorded_replays_are_what_this_kernel_does(monkeypatch):
    monkeypatch.setattr(tried, "LIVE", {})
    clear()
    made = json.loads(record_replays.as_text(record_replays.replays()))

    assert sorted(made) == sorted(stored("replays.json"))
    for name, record in made.items():
        assert without_release(record) == without_release(stored("replays.json")[name]), name
