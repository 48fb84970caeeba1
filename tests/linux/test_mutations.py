"""Every central rule, broken on purpose, is noticed by the recorded vectors."""

import pytest

from tests.support.mutations import ALL, failing_vectors


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_a_broken_rule_is_noticed(rule):
    assert failing_vectors(rule, enough=1)


def test_there_are_ten_of_them_and_they_are_mended_afterwards():
    before = [getattr(rule.owner, rule.attribute) for rule in ALL]
    for rule in ALL[:2]:
        failing_vectors(rule, enough=1)

    assert len(ALL) >= 10
    assert [getattr(rule.owner, rule.attribute) for rule in ALL] == before
