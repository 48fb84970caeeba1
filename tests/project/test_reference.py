"""The reference and the how-to pages are true: what is made is compared, every command is run, every key is real."""

import contextlib
import io
import json
import re
import shutil
import tomllib

import pytest
import recipes
import reference
import signatures
from lessonkit import ROOT

from overlaylab.cli.commands import run
from overlaylab.errors import KINDS

PAGE = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
TABLES = re.compile(r"^\| key of ([^|]+) \| meaning \|\n\|[- |]+\n((?:\|.*\n)+)", re.MULTILINE)
ROOT_20, ROOT_28 = (f"overlaylab/data/{name}.tar.gz" for name in ("docker20-dataroot", "docker28-containerd-store"))
BROKEN = "tests/data/broken-images/docker-diffid-mismatch.tar"
MODULE = """
# The number of layers.
COUNT = 3

@dataclass
class Layer:
    'One layer.'
    kind: ClassVar[str]
    size: int

def read(name: str, *, deep=False) -> bytes:
    '''Read ``name`` | all.

    More.
    '''
"""
# What is run to see a command's keys: a classic store and a containerd store, an image and a container, good and bad.
CALLS = {
    "inspect": [(ROOT_20,), (ROOT_28,)],
    "verify": [(ROOT_28,), (BROKEN,)],
    "tree": [(ROOT_20, "kit/app:1"), (ROOT_20, "web")],
    "layers": [(ROOT_20, "kit/app:1")],
    "mount": [(ROOT_20, "kit/app:1"), (ROOT_20, "web")],
    "owners": [(ROOT_20,), (ROOT_28,)],
    "id": [("7bbf0405c20c", ROOT_20)],
}
# Words behind a command's name that stand for the values of the answer, or for its items, not for a key.
ITEMS = {"tree": dict.values, "layers": list}


def answers(command):
    """The JSON that a command prints, for each of its calls."""
    for arguments in CALLS[command]:
        out = io.StringIO()
        paths = [str(ROOT / each) if "/" in each and each.endswith((".gz", ".tar")) else each for each in arguments]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            run([command, *paths, "--json"])
        yield json.loads(out.getvalue())


def described():
    """Each table of keys of the page: the command, the part of its answer, the keys."""
    for head, rows in TABLES.findall(PAGE):
        command, _, part = head.replace("`", "").partition(", ")
        yield command, part, {key for row in rows.splitlines() for key in re.findall(r"`(\w+)`", row.split("|")[1])}


@pytest.mark.parametrize(
    ("command", "part", "keys"), [pytest.param(*each, id=" ".join(each[:2]).strip()) for each in described()]
)
def test_the_keys_on_the_page_are_those_of_the_output(command, part, keys):
    found = set()
    for answer in answers(command):
        items = ITEMS[command](answer) if command in ITEMS else answer[part] if part else [answer]
        found.update(key for item in items for key in item)

    assert keys == found


def test_every_command_has_its_keys_on_the_page():
    assert {command for command, _, _ in described()} == set(CALLS) == set(reference.helps())


def test_the_problem_that_exit_statuses_are_told_for_has_the_status_of_the_page(capsys):
    assert [run(["verify", str(ROOT / path)]) for path in (ROOT_20, BROKEN, "absent")] == [0, 1, 2]


# Pages made from code


@pytest.mark.parametrize("page", reference.documents(), ids=lambda page: page.name)
def test_a_page_is_what_the_code_gives(page):
    assert page.read_text(encoding="utf-8") == reference.documents()[page], "run: make docs"


def test_every_kind_of_problem_has_its_advice_and_no_other():
    advice = tomllib.loads((ROOT / "docs" / "reference" / "problems.toml").read_text(encoding="utf-8"))

    assert set(advice) == set(KINDS)
    assert [kind for kind, text in advice.items() if not text.endswith(".") or len(text.split()) < 6] == []


def test_every_public_name_of_every_room_is_in_the_reference():
    text = (ROOT / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    given = {
        name
        for init in (ROOT / "overlaylab").rglob("__init__.py")
        for names in signatures.given(init).values()
        for name in names
    }

    assert len(given) > 150
    assert {name for name in given if not re.search(rf"^- \*\*`(?:class )?{name}\b", text, re.MULTILINE)} == set()
    assert {name for name in signatures.names_at_the_top() if f" · `ol.{name}`" not in text} == set()


def test_a_signature_is_read_without_an_import(tmp_path, monkeypatch):
    monkeypatch.setattr(signatures, "ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(MODULE, encoding="utf-8")

    entries = [signatures.entry_of(name, path) for name in ("COUNT", "Layer", "read")]

    assert [(entry.signature, entry.sentence) for entry in entries] == [
        ("COUNT", "The number of layers."),
        ("class Layer(size: int)", "One layer."),
        ("read(name: str, *, deep=False) -> bytes", "Read `name` \\| all."),
    ]
    assert signatures.entry_of("absent", path) is None


# Recipes


@pytest.mark.skipif(shutil.which("bash") is None, reason="the recipes are for bash")
@pytest.mark.parametrize("page", sorted(recipes.PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_a_recipe_prints_what_stands_on_its_page(page):
    assert page.read_text(encoding="utf-8") == recipes.renewed(page), "run: make docs"


def test_there_are_six_recipes_and_each_runs_something():
    pages = [page for page in recipes.PAGES.glob("*.md") if page.name != "README.md"]
    index = (recipes.PAGES / "README.md").read_text(encoding="utf-8")

    assert len(pages) >= 6
    assert [page.name for page in pages if not recipes.BLOCK.search(page.read_text(encoding="utf-8"))] == []
    assert [page.name for page in pages if f"({page.name})" not in index] == []


def test_a_command_may_span_lines_and_its_status_is_kept():
    block = "$ echo one \\\n    two\nold\n$ false\n$ echo $?\n"

    assert recipes.commands(block) == ["echo one \\\n    two", "false", "echo $?"]
    if shutil.which("bash"):
        assert recipes.session(recipes.commands(block)) == ("$ echo one \\\n    two\none two\n$ false\n$ echo $?\n1\n")
