"""The checks of form and types: what runs them, and what may be left out of them."""

import re
import tokenize
import tomllib
from pathlib import Path

import check
import pytest
import stubs
import yaml

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "overlaylab"
REASONED = re.compile(r"type: ignore\[[a-z-]+(, ?[a-z-]+)*\]  # \w.{9,}")


def comments(path):
    with tokenize.open(path) as file:
        return [token.string for token in tokenize.generate_tokens(file.readline) if token.type == tokenize.COMMENT]


def test_the_hooks_run_what_make_check_runs_and_need_no_network():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]

    assert {repo["repo"] for repo in config["repos"]} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [(hook["id"], hook["entry"]) for hook in hooks] == [
        (name, f"python3 tools/bootstrap.py check {name}") for name in check.CHECKS
    ]


def test_the_machine_that_checks_a_change_checks_form_and_types_before_it_tests():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()

    assert lines.index("make check") < min(number for number, line in enumerate(lines) if line.startswith("make test"))


@pytest.mark.parametrize("statuses", [[0, 0, 0], [0, 1, 0], [1, 1, 1]])
def test_one_finding_fails_the_check_and_every_check_runs(statuses, monkeypatch, capsys):
    left = dict(zip(check.CHECKS, statuses, strict=True))
    ran = []
    monkeypatch.setattr(check, "passes", lambda name: ran.append(name) or not left[name])

    assert check.main([]) == max(statuses)
    assert ran == list(check.CHECKS)
    complaint = capsys.readouterr().err
    assert [name for name in check.CHECKS if name in complaint.split(".")[0].replace(",", "").split()] == [
        name for name, status in left.items() if status
    ]


def test_an_unknown_check_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        check.main(["pylint"])

    assert "no such check: pylint" in capsys.readouterr().err


def test_a_checker_of_the_users_code_reads_our_types():
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8")).get("tool", {}).get("hatch", {})

    assert (PACKAGE / "py.typed").is_file()
    # Without a rule of its own the wheel holds the whole package.
    assert wheel == {}


def test_a_checker_of_the_users_code_sees_what_each_room_gives():
    made = {path.relative_to(PACKAGE).as_posix(): text for path, text in stubs.stubs().items()}
    found = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.pyi")}

    assert found == made, "run: python tools/stubs.py"


def test_what_the_type_checker_lets_pass_is_little_and_has_a_reason():
    ignored = [
        (path.relative_to(ROOT).as_posix(), comment)
        for path in sorted(PACKAGE.rglob("*.py"))
        for comment in comments(path)
        if "type: ignore" in comment
    ]

    assert [found for found in ignored if not REASONED.search(found[1])] == []
    assert len(ignored) <= 20


def test_no_file_is_left_out_as_a_whole():
    paths = [path for folder in ("overlaylab", "tests", "tools", "bench") for path in (ROOT / folder).rglob("*.py")]
    whole = re.compile(r"#\s*(mypy: |ruff: noqa|flake8: noqa|type: ignore\s*$|noqa\s*$)")

    assert [path.name for path in paths if any(whole.match(comment) for comment in comments(path))] == []
