"""Notebook 07: its exercises with every slip, its records, its generated experiments, and its broken rules."""

import json

import pytest
from builders import DATA

import overlaylab as ol
from overlaylab.course import check, find_exercise
from overlaylab.errors import KernelUnavailable
from overlaylab.kernel import proof
from overlaylab.kernel import recorded_replays as tried
from overlaylab.linux.proof.coverage import PLACES, Coverage
from overlaylab.linux.proof.experiments import _smaller, experiment, moments, parting
from overlaylab.linux.proof.mutants import BROKEN
from overlaylab.linux.proof.replay_vectors import mismatch
from overlaylab.overlay.overlay import Overlay
from overlaylab.stores.shipped_files import recorded_experiments
from overlaylab.views.overlay.proof import layers_text, two_sides
from overlaylab.words import say


@pytest.fixture
def no_kernel(monkeypatch):
    """A machine that cannot mount."""

    def unavailable(*_, **__):
        raise KernelUnavailable("you are not root")

    for module, name in ((proof, "watched"), (tried, "replay")):
        monkeypatch.setattr(module, name, unavailable)
    clear()
    yield
    clear()


def clear():
    """Forget what a kernel, or its record, said."""
    proof._kernel.cache_clear()


# Exercises


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("07-cut", "2, 4, 5"),
        ("07-cut", (2, 4, 5)),
        ("07-differ", ["a", "b", "d", "f"]),
        ("07-differ", "A, B, D, F"),
        ("07-proved", ["b"]),
        ("07-tells", "B, A, C"),
        ("07-tells", ["b", "a", "c"]),
    ],
)
def test_what_does_not_matter_does_not_count(name, answer):
    assert check(name, answer).verdict == "right"


def test_a_refused_rename_leaves_an_opaque_mark_in_the_record():
    """The prediction's answer is what the kernel was recorded to leave."""
    upper = {item["path"]: item for item in recorded_experiments()["mv-52"]["expected"]["upper"]}

    assert {"d", "e", "e/y"} <= upper.keys()
    assert "trusted.overlay.opaque" in upper["d"]["xattrs"]
    assert find_exercise("07-refused").answer() == "b"


def test_all_but_one_or_two_places_are_reached():
    assert 1 <= len(ol.prove().labels.missing(PLACES)) <= 2
    assert find_exercise("07-reached").answer() == "b"


def test_a_whiteout_too_many_is_told_by_the_upper():
    assert ol.catch("everywhere").tells.what == "upper"
    assert find_exercise("07-look").answer() == "c"


# Recorded experiments


def test_the_shipped_records_are_recorded_ones():
    every = {
        v["id"]: v
        for path in (DATA / "overlay-vectors").glob("*.json")
        for v in json.loads(path.read_text(encoding="utf-8"))["vectors"]
    }

    assert 12 <= len(recorded_experiments()) <= 20
    assert all(every[name] == vector for name, vector in recorded_experiments().items())


@pytest.mark.parametrize("name", recorded_experiments())
def test_the_model_does_what_is_recorded_and_the_table_shows_it(name):
    shown = ol.recorded_table(name)

    assert mismatch(recorded_experiments()[name]) == ""
    assert len(shown) == len(recorded_experiments()[name]["ops"]) + 1
    assert list(shown[say("believe.column.kernel")]) == list(shown[say("believe.column.model")])


def test_a_record_that_lies_is_noticed():
    vector = json.loads(json.dumps(recorded_experiments()["mv-52"]))
    vector["expected"]["upper"][1].pop("xattrs")

    assert "opaque" in mismatch(vector)


def test_an_unknown_record_is_refused_with_the_names_of_those_that_are_there():
    with pytest.raises(ol.errors.Finding) as refused:
        ol.recorded_table("xx-99")

    assert refused.value.problem.kind == "wrong-call" and "mv-52" in refused.value.problem.expected


# Made-up experiments


def test_the_same_number_gives_the_same_experiment_and_another_one_another():
    assert experiment(3) == experiment(3) != experiment(4)
    assert len({repr(experiment(number)) for number in range(100)}) == 100


def test_experiments_name_nothing_that_leads_out_and_need_no_rights_of_root():
    ops = [operation for number in range(100) for operation in experiment(number).ops]

    assert not any(
        ".." in str(value) or str(value).startswith("/") for operation in ops for value in operation.args.values()
    )
    assert {(operation.uid, operation.gid) for operation in ops} == {(0, 0)}
    assert not {"mknod", "chown", "mount", "umount", "chdir"} & {operation.call for operation in ops}


def test_without_a_kernel_the_record_speaks_and_says_why(no_kernel):
    done = ol.prove()

    assert repr(done) == "50 experiments, 1,000 operations: 0 differences between model and kernel."
    assert not done.kernel.now and "the record" in done.origin and "you are not root" in done.origin
    assert ol.prove(experiments=7).operations == 140


@pytest.mark.parametrize("asked", [{"first": 1}, {"experiments": 51}])
def test_what_was_not_recorded_needs_a_kernel(no_kernel, asked):
    with pytest.raises(KernelUnavailable):
        ol.prove(**asked)


@pytest.mark.parametrize("asked", [{"first": -1}, {"experiments": 0}, {"experiments": 10**6}])
def test_a_senseless_number_is_refused(asked):
    with pytest.raises(ol.errors.Finding) as refused:
        ol.prove(**asked)

    assert refused.value.problem.kind == "wrong-call"


def test_the_places_that_the_proof_reaches_are_counted(no_kernel):
    labels = ol.prove().labels

    assert labels.missing(PLACES) == ["rename over a whiteout", "refused for want of permission"]
    assert len(ol.places_table(ol.prove())) == len(PLACES)


def test_labels_forget_at_the_beginning_of_a_case_what_was_deleted():
    labels = Coverage()
    for _ in moments(experiment(0).overlay(), experiment(0).ops, coverage=labels):
        pass
    labels.begin()

    assert labels._gone == set() and sum(labels.counts.values()) > 20


# Broken rules


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_noticed_by_the_record_and_cut_down(no_kernel, name):
    caught = ol.catch(name)

    assert not ol.prove(BROKEN[name].model).equal
    assert not caught.kernel.now and caught.kernel.equal and caught.noticed
    assert parting(caught.least, BROKEN[name].model) == caught.tells
    assert len(caught.least.ops) <= 3


@pytest.mark.parametrize("name", BROKEN)
def test_nothing_can_be_left_out_of_the_least(name):
    least = ol.catch(name).least

    assert [smaller for smaller in _smaller(least) if parting(smaller, BROKEN[name].model)] == []


@pytest.mark.parametrize("name", BROKEN)
def test_breaking_a_rule_leaves_the_model_itself_as_it_is(name):
    before = getattr(BROKEN[name].owner, BROKEN[name].attribute)
    model = BROKEN[name].model

    assert getattr(BROKEN[name].owner, BROKEN[name].attribute) is before
    assert issubclass(model, Overlay) and parting(experiment(0), Overlay) is None


def test_an_unknown_rule_is_refused():
    with pytest.raises(ol.errors.Finding):
        ol.catch("gravity")


def test_a_moment_s_digest_tells_identity_only_where_it_counts():
    one = next(iter(moments(experiment(0).overlay(), experiment(0).ops)))
    other = type(one)(one.error, one.value, one.upper, [{**item, "number": "i9"} for item in one.merged], one.lowers)

    assert one.digest() != other.digest() and one.digest(numbers=False) == other.digest(numbers=False)
    assert one.digest() != type(one)(one.error, one.value, one.upper, one.merged, lowers=False).digest()


# Two roads


def test_the_two_roads_meet_and_a_forgotten_mark_parts_them():
    store = ol.shipped_root()
    image, _ = ol.overlay_of(ol.select(store, "kit/app:1"), store, ol.LayerReader(store, keep=1_000_000))
    changesets = [ol.to_changeset(layer) for layer in reversed(image.lowerdirs)]

    assert ol.road_differences(changesets, image) == ()
    assert ol.road_differences(changesets[::-1], image) != ()
    assert ol.road_differences(changesets[:-1], image) != ()


# Widgets


def test_the_rule_breaker_tells_what_tells_after_a_prediction():
    widget = ol.RuleBreaker("everywhere")

    assert "a/a in the upper" in widget.picture.alt and "Operations needed: 2" in widget.picture.alt
    widget.rule.value = "exdev"
    assert "EXDEV" not in widget.picture.text and not any(button.disabled for button in widget.looks.values())
    widget.looks["upper"].click()
    assert (
        "✗ You said: the upper." in widget.picture.alt
        and "EXDEV" in widget.picture.text
        and "the answer tells" in widget.picture.alt
    )
    widget.rule.value = "origin"
    widget.looks["upper"].click()
    assert "✓ You said: the upper." in widget.picture.alt


@pytest.mark.parametrize("name", BROKEN)
def test_what_tells_reads_differently_on_the_two_sides(name):
    caught = ol.catch(name)
    _, right, wrong = two_sides(caught.tells)

    assert right != wrong
    assert layers_text(caught.least).count("lower ") == len(caught.least.lowers)


def test_no_card_is_wider_than_the_page():
    import re

    for picture in [ol.RuleBreaker(name).picture for name in BROKEN]:
        assert float(re.match(r'<svg width="([0-9.]+)"', picture.svg())[1]) <= 960
