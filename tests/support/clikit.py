"""The command line called in this process and as a program, and what its tests share."""

import contextlib
import io
import json
import subprocess
import sys

from overlaylab.cli.commands import run as run_cli
from overlaylab.errors import KINDS
from tests.support.builders import DATA
from tests.support.realdata import NAMES, archive

BROKEN = sorted(path for path in (DATA / "broken-images").iterdir() if path.suffix in (".tar", ".gz", ".db"))


INPUTS = {name: archive(name) for name in NAMES} | {path.name: path for path in BROKEN}


VERIFY = ["ok", "problems", "not_checked"]


PROBLEM = ["kind", "severity", "where", "expected", "found"]


SAVE = archive("docker20-save")


def run(*arguments):
    """Run a command in this process; what it says on both streams must be text of its kind."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run_cli([str(argument) for argument in arguments])
    assert "Traceback" not in err.getvalue()
    return status, out.getvalue(), err.getvalue()


def run_json(*arguments):
    """Run with ``--json``: one ASCII value and nothing else, also if refused."""
    status, out, _ = run(*arguments, "--json")
    assert out.isascii() and out.endswith("\n")
    return status, json.loads(out)


def refusal(*arguments):
    """The kind of the one finding that a call is refused with."""
    status, answer = run_json(*arguments)
    assert (status, answer["ok"], answer["not_checked"]) == (2, False, [])
    (problem,) = answer["problems"]
    check_problems([problem])
    return problem["kind"]


def check_problems(problems):
    for problem in problems:
        assert list(problem) == PROBLEM
        assert all(isinstance(value, str) for value in problem.values())
        assert problem["severity"] == KINDS[problem["kind"]][0]


def has_errors(problems):
    return any(problem["severity"] == "error" for problem in problems)


def refused(answer):
    """Whether an answer has the form of verify, as it must where what is needed is damaged or absent."""
    return isinstance(answer, dict) and list(answer) == VERIFY and has_errors(answer["problems"])


def tree_of(path, *arguments):
    status, answer = run_json("tree", path, *arguments)
    assert status == 0
    return answer


def targets_of(name):
    """Images (of both ends of the list) and containers, each with what chooses it."""
    listed = run_json("inspect", INPUTS[name])[1]
    for image in {id(item): item for item in [*listed.get("images", [])[:2], *listed.get("images", [])[-2:]]}.values():
        chosen = ["--platform", image["platform"]] if image["platform"] else []
        yield image, [image["id"], *chosen, *(["--namespace", image["namespace"]] if "namespace" in image else [])]
    for container in listed.get("containers", []):
        yield container, [container["id"]]


def program(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "overlaylab", *map(str, arguments)], capture_output=True, check=False, **options
    )
