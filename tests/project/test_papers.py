"""The papers for those who join the project: short, true, and with one place for what its owner must fill in."""

import ast
import hashlib
import json
import re
import tarfile
import tomllib

import pytest
import yaml
from lessonkit import ROOT

import overlaylab
from overlaylab.limits import DEFAULT_LIMITS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAPERS = ["README", "CONTRIBUTING", "CHANGELOG", "CODE_OF_CONDUCT", "SECURITY"]
TEXTS = {name: (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in PAPERS}
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md"))
PLACEHOLDER = "example.invalid"
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *TEMPLATES, ROOT / "CITATION.cff", ROOT / "NOTICE"]


def test_the_readme_is_short_and_leads_to_all_from_its_first_screen():
    lines = TEXTS["README"].splitlines()
    screen = "\n".join(lines[:30])

    assert len(lines) <= 150
    for way in (
        "make lab",
        "make test",
        "docs/pictures/",
        "00_map",
        "instructor.md",
        "how-to",
        "core.md",
        "CONTRIBUTING",
    ):
        assert way in screen, way


def test_what_the_owner_must_fill_in_stands_in_one_place():
    assert {"Contact", "Security"} <= set(PROJECT["urls"])
    assert [path.name for path in DOCUMENTS if PLACEHOLDER in path.read_text(encoding="utf-8")] == []
    for name in ("CODE_OF_CONDUCT", "SECURITY"):
        assert "`[project.urls]`" in TEXTS[name]


EXAMPLES = [path for path in DOCUMENTS if "```python" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("document", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_gives_what_its_comments_say(document):
    compared = 0
    for block in re.findall(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        names = {}
        for line in block.splitlines():
            value, _, said = line.partition("  # ")
            expected = re.match(r"'[^']*'|\d+|True|False", said)
            if expected:
                assert eval(value, names) == ast.literal_eval(expected[0]), line
                compared += 1
            else:
                exec(line, names)

    assert compared


def test_every_page_is_on_the_list_of_documents():
    listed = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} - {"README.md"}

    assert {page for page in pages if page not in listed} == set()


def test_the_page_on_proofs_counts_the_inputs_that_there_are():
    text = " ".join((ROOT / "docs" / "explanation" / "proofs.md").read_text(encoding="utf-8").split())
    stores = [path for path in (ROOT / "tests" / "data" / "real-stores").iterdir() if path.is_dir()]
    broken = json.loads((ROOT / "tests" / "data" / "broken-images" / "expected.json").read_text(encoding="utf-8"))

    assert f"{len(stores)} archives and stores" in text
    assert f"{len(broken['cases'])} broken inputs" in text


def test_version_and_licence_are_the_same_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))

    assert citation["version"] == PROJECT["version"] == overlaylab.__version__
    assert citation["license"] == PROJECT["license"]
    assert f"## [{PROJECT['version']}]" in TEXTS["CHANGELOG"] and "## [Unreleased]" in TEXTS["CHANGELOG"]
    assert citation["authors"] == PROJECT["authors"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_that_a_document_names_are_there(document):
    text = document.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    made = set(re.findall(r"(?:^|`)make ([a-z]+)", text, re.MULTILINE))
    direct = set(re.findall(r"bootstrap\.py ([a-z]+)", text))

    known = {name for line in re.findall(r"^([a-z ]+):", makefile, re.MULTILINE) for name in line.split()}
    assert made | direct <= known


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_a_document_names_are_there(document):
    """A file in code quotes is one of the repository, or of the room that the sentence is about."""
    named = set(re.findall(r"`((?:[\w.]+/)+[\w.-]+\.(?:py|toml|md|json))`", document.read_text(encoding="utf-8")))
    named = {name for name in named if not name.endswith(("lNN.py", "XX.toml")) and ".overlaylab/" not in name}

    moved = set(re.findall(r"`(docs/\w+\.md)` is\s+`", TEXTS["CHANGELOG"]))
    places = (ROOT, ROOT / "overlaylab", document.parent)
    there = {name for name in named if any((place / name).exists() for place in places)}
    assert named - there - moved == set()


def test_the_limits_that_are_promised_are_those_of_the_code():
    text = " ".join(TEXTS["SECURITY"].split())
    limits = DEFAULT_LIMITS

    for promise in (
        f"{limits.document >> 20} MiB for a document",
        f"{limits.expanded >> 30} GiB for expanded data and {limits.ratio} times its packed size",
        f"beyond {limits.free >> 30} GiB",
        f"{limits.entries:,} entries for a layer",
    ):
        assert promise in text


def test_every_dependency_has_its_licence_in_the_notice():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8").lower()
    wanted = [
        *PROJECT["dependencies"],
        *(each for extra in PROJECT["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[\[><=; ]", each)[0].lower() for each in wanted}

    assert {name for name in names if name not in notice} == set()


def test_the_shipped_images_hold_no_program_but_the_one_of_the_notice():
    programs = set()
    for path in sorted((ROOT / "overlaylab" / "data").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            for member in archive:
                content = archive.extractfile(member).read() if member.isreg() else b""
                if content.startswith(b"\x7fELF"):
                    programs.add(hashlib.sha256(content).hexdigest()[:12])

    assert programs == {"641127fe5065"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_an_issue_template_says_what_it_is_for(template):
    _, head, body = template.read_text(encoding="utf-8").split("---\n", 2)

    assert {"name", "about", "labels"} == set(yaml.safe_load(head))
    assert body.count("**") >= 6


def test_there_is_a_template_for_each_kind_of_report():
    assert {path.stem for path in TEMPLATES} == {"bug", "wrong-answer", "course"}


def test_a_newcomer_finds_the_file_of_a_task_in_the_guide():
    """Four tasks, each with a word of its row and the file that must be named there."""
    rows = [line for line in TEXTS["CONTRIBUTING"].splitlines() if line.startswith("| ")]
    tasks = {
        "add a storage driver": ["vfs.py", "drivers.py"],
        "whiteout bug of mounts": ["whiteouts.py", "lookup.py"],
        "whiteout bug of layer tars": ["changeset.py"],
        "add a kind of problem": ["errors.py", "problems.toml"],
        "add an exercise": ["lNN.py", "en.toml"],
    }

    for task, files in tasks.items():
        (row,) = [row for row in rows if task in row]
        assert [name for name in files if name not in row] == [], task


def test_the_tools_for_documents_need_no_package_that_is_not_installed():
    """``make docs`` runs in the lab's environment: the tools import the standard library, each other and the kit."""
    tools = {path.stem for path in (ROOT / "tools").glob("*.py")}
    for name in ("docs", "map", "reference", "signatures", "recipes"):
        tree = ast.parse((ROOT / "tools" / f"{name}.py").read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert imported <= {"ast", "os", "re", "shutil", "subprocess", "sys", "tomllib", "click"} | tools
